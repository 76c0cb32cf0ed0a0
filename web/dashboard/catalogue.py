"""The definitions: what can be started, the canvas each becomes, its versions, and how its steps went."""

from flask import Blueprint, Response, request

from orchestrator.drawing import canvases
from orchestrator.ledger.views import statistics
from web.dashboard.diagram import drawings, layers
from web.dashboard.pages import page
from web.definitions import found
from web.parameters import DEFINITION_IN, PERIOD, query
from web.parts import parts
from web.statistics import of_type

bp = Blueprint("catalogue", __name__, url_prefix="/definitions")

COLUMNS = 92
"""Characters of a canvas's line."""

PERIODS = (("", "the last ones"), ("1h", "hour"), ("24h", "day"), ("7d", "week"), ("30d", "month"))
"""Which workflows the numbers are of: what `since` says, and what it is called."""


@bp.get("")
def listed() -> Response:
    """All that can be started, with how the last ones went, or those of a period (`?since=`)."""
    since = query(PERIOD).get("since")
    told = [(definition, of_type(definition.type, since)) for definition in parts().definitions.values()]
    return page("definitions.html", definitions=told, periods=PERIODS, period=request.args.get("since", ""))


@bp.get("/<workflow_type>")
def one(workflow_type: str) -> Response:
    """One definition, as it is or as a workflow was started with it (`?version=`)."""
    asked = query(DEFINITION_IN)
    version = asked.get("version")
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
        statistics=statistics(parts().ledger, definition.type, len(definition.steps), asked.get("since")),
        periods=PERIODS,
        period=request.args.get("since", ""),
    )
