"""The buttons of a workflow: what a person orders, with what the API would answer shown on the page that follows."""

from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from orchestrator.errors import Conflict, OrchestratorError, StartKeyReused, Unavailable
from orchestrator.ledger.orders import order
from orchestrator.ledger.orders import rerun as copied
from orchestrator.moves.move import Control
from web import approving
from web.approving import LONGEST_COMMENT
from web.guarding import actor
from web.parts import parts
from web.problems import answer_to

bp = Blueprint("ordering", __name__)

_DONE = {
    "cancel": "Cancelling: nothing more is started.",
    "pause": "Paused: nothing new is started; what runs ends.",
    "resume": "It goes on.",
    "retry": "Retrying what failed; the rest is kept.",
}


@bp.post("/workflows/<uuid:workflow_id>/<verb>")
def ordered(workflow_id: UUID, verb: str) -> Response:
    """Do it, and show the workflow (of a rerun the fresh copy) with the answer."""
    if verb not in _DONE and verb != "rerun":
        raise NotFound
    try:
        shown = _rerun(workflow_id) if verb == "rerun" else _ordered(workflow_id, verb)
    except (Conflict, StartKeyReused, Unavailable) as error:
        flash(told_of(error), "problem")
        shown = str(workflow_id)
    return redirect(url_for("dashboard.workflow.shown", workflow_id=shown), 303)


def _ordered(workflow_id: UUID, verb: str) -> str:
    compensate = verb != "cancel" or "compensate" in request.form
    done = order(parts().ledger, Control(str(workflow_id), verb, actor(), compensate))
    parts().publish(done.publication)
    flash(_DONE[verb], "done")
    return str(workflow_id)


def _rerun(workflow_id: UUID) -> str:
    """The form carries a start key of its own: sent twice, it still makes one copy."""
    once, start_from = request.form.get("once", "")[:100] or None, request.form.get("from", "") or None
    new = copied(parts().ledger, str(workflow_id), actor(), once, start_from=start_from)
    parts().publish(new.publication)
    flash(f"A fresh copy of {workflow_id}{f' from {start_from} on' if start_from else ''}.", "done")
    return new.workflow_id


@bp.post("/workflows/<uuid:workflow_id>/steps/<path:step>/<any(approve, reject):decision>")
def decided(workflow_id: UUID, step: str, decision: str) -> Response:
    """Approve or reject a step that waits for it, with the comment of the form, and show the workflow."""
    said = request.form.get("comment", "").strip()[:LONGEST_COMMENT] or None
    try:
        approving.decided(workflow_id, step, said, approved=decision == "approve")
        flash(f"{step} is {'approved' if decision == 'approve' else 'rejected'}.", "done")
    except (Conflict, Unavailable) as error:
        flash(told_of(error), "problem")
    return redirect(url_for("dashboard.workflow.shown", workflow_id=workflow_id), 303)


def told_of(error: OrchestratorError) -> str:
    """The API's problem in one line."""
    problem = answer_to(error).get_json()
    return f"{problem['status']} {problem['title']}: {problem['detail']}"
