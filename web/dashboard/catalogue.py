"""The definitions: what can be started, the canvas each becomes, its versions, and how its steps went."""

from flask import Blueprint, Response

from orchestrator.definition import Definition
from orchestrator.drawing import canvases
from orchestrator.jsontype import Json
from orchestrator.ledger.views import statistics
from web.dashboard.diagram import drawings, layers
from web.dashboard.pages import page
from web.definitions import found
from web.parameters import DEFINITION, NONE, query
from web.parts import parts

bp = Blueprint("catalogue", __name__, url_prefix="/definitions")

COLUMNS = 92
"""Characters of a canvas's line."""


@bp.get("")
def listed() -> Response:
    """All that can be started, with how the last ones went."""
    query(NONE)
    told = [(definition, _statistics(definition)) for definition in parts().definitions.values()]
    return page("definitions.html", definitions=told)


@bp.get("/<workflow_type>")
def one(workflow_type: str) -> Response:
    """One definition, as it is or as a workflow was started with it (`?version=`)."""
    version = query(DEFINITION).get("version")
    definition = found(workflow_type, version)
    current = parts().definitions.get(workflow_type)
    drawn = drawings(definition, {})
    return page(
        "definition.html",
        definition=definition,
        current=current is not None and current.version == definition.version,
        drawings=drawn,
        layers=[] if drawn else layers(definition.graph, {}),
        canvas=canvases(definition.plan, columns=COLUMNS),
        statistics=_statistics(definition),
    )


def _statistics(definition: Definition) -> Json:
    return statistics(parts().ledger, definition.type, len(definition.steps))
