"""`GET /api/statistics`: how workflows and their steps went, by type, in a period."""

import time

from flask import Blueprint, Response, jsonify

from orchestrator.errors import NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.views import statistics
from orchestrator.moments import iso
from web.parameters import STATISTICS, query
from web.parts import parts

bp = Blueprint("statistics", __name__)

_STEPS = 10
"""How many steps a type that no definition in the folder has is taken to have."""


@bp.get("/api/statistics")
def told() -> Response:
    """Of every definition, or of one type; of the last workflows, or of those that were started since a time."""
    asked = query(STATISTICS)
    known = sorted(parts().definitions)
    types = [asked["type"]] if "type" in asked else known
    answers = [{"type": each, **of_type(each, asked.get("since"))} for each in types]
    if "type" in asked and asked["type"] not in known and not answers[0]["workflows"]["count"]:
        raise NotFound(f"there is no definition of that type, and no workflow; there are {', '.join(known) or 'none'}")
    since = asked.get("since")
    return jsonify(since=None if since is None else iso(since), until=iso(time.time()), types=answers)


def of_type(workflow_type: str, since: float | None) -> Json:
    """The statistics of one type."""
    definition = parts().definitions.get(workflow_type)
    count = _STEPS if definition is None else len(definition.steps)
    return statistics(parts().ledger, workflow_type, count, since)
