"""The audit log of a workflow as a page: newest first, all of it or that of one step, a part at a time."""

from uuid import UUID

from flask import Blueprint, Response, request

from orchestrator.errors import NotFound
from orchestrator.ledger.views import events_page, workflow_view
from orchestrator.ledger.views.history import Part
from web.dashboard.pages import page
from web.dashboard.steps import told
from web.parts import parts

bp = Blueprint("audit", __name__, url_prefix="/workflows/<uuid:workflow_id>/events")

EVENTS_SHOWN = 100


@bp.get("")
def shown(workflow_id: UUID) -> Response:
    """A page of it; of a step that there is not, that there is none."""
    ledger, key = parts().ledger, str(workflow_id)
    view = workflow_view(ledger, key)
    step = request.args.get("step", "").strip() or None
    part = Part(step=step, newest_first=True)
    try:
        found = events_page(ledger, key, request.args.get("cursor"), EVENTS_SHOWN, part)
        wrong = None
    except NotFound as error:
        found, wrong = {"events": [], "nextCursor": None}, str(error)
    return page(
        "events.html",
        workflow=view,
        step=step,
        events=found["events"],
        next=found["nextCursor"],
        later="cursor" in request.args,
        wrong=wrong,
        told=told,
    )
