"""All workflows: how many stand where, those that need a person first, and the ones that the filters find."""

from flask import Blueprint, Response, request

from orchestrator.jsontype import Json
from orchestrator.ledger.views import Filters, counts, decisions, found_page, workflows_page
from orchestrator.ledger.views.counting import MOST, NEEDS_PERSON
from orchestrator.states import Compensation, WorkflowStatus
from web.dashboard.filling import FIELDS, Wanted, wanted
from web.dashboard.pages import page
from web.parts import parts

MOST_DECISIONS = 5
"""Steps that wait for a person's approval and are named on top."""

bp = Blueprint("board", __name__)

PAGE = 50
NAMED = 5
"""Workflows that need a person and are named on top; the rest is one click away."""


@bp.get("/")
def shown() -> Response:
    """The board."""
    asked = wanted(request.args)
    counted = counts(parts().ledger)
    urgent = _urgent() if counted[NEEDS_PERSON] and asked.filters.compensation is not Compensation.FAILED else []
    return page(
        "board.html",
        counts={name: f"{MOST:,}+" if number > MOST else f"{number:,}" for name, number in counted.items()},
        statuses=list(WorkflowStatus),
        urgent=urgent,
        decisions=decisions(parts().ledger, MOST_DECISIONS + 1),
        most_decisions=MOST_DECISIONS,
        found=_found(asked, request.args.get("cursor")),
        asked={name: request.args.get(name, "") for name in FIELDS},
        path=".".join(asked.path),
        value=asked.value,
        filtered=any(request.args.values()),
        faults=asked.faults,
        types=sorted(parts().definitions),
    )


def _found(asked: Wanted, cursor: str | None) -> Json:
    if asked.path:
        return found_page(parts().ledger, asked.filters, asked.path, asked.value, cursor, PAGE)
    return workflows_page(parts().ledger, asked.filters, cursor, PAGE)


def _urgent() -> list[Json]:
    found: list[Json] = workflows_page(parts().ledger, Filters(compensation=Compensation.FAILED), limit=NAMED)[
        "workflows"
    ]
    return found
