"""What a person decides: a step that waits for an approval is approved or rejected, with a comment."""

from uuid import UUID

from flask import Blueprint, Response, request

from orchestrator.answers import decide
from orchestrator.errors import ContextError, Fault, NotFound
from orchestrator.moves.answering import Answered, Decide
from web.bodies import json_object
from web.callbacks import told
from web.guarding import actor
from web.parameters import NONE, query
from web.parts import parts

bp = Blueprint("approving", __name__, url_prefix="/api/workflows/<uuid:workflow_id>/steps/<step>")

LONGEST_COMMENT = 2_000


@bp.post("/approve")
def approve(workflow_id: UUID, step: str) -> Response:
    """The workflow goes on after the step."""
    return decided(workflow_id, step, comment(), approved=True)


@bp.post("/reject")
def reject(workflow_id: UUID, step: str) -> Response:
    """The step fails."""
    return decided(workflow_id, step, comment(), approved=False)


def decided(workflow_id: UUID, step: str, said: str | None, *, approved: bool) -> Response:
    """Record it as said by who asks. Raises Conflict where nobody waits for it, NotFound where there is no step."""
    query(NONE)
    reply = decide(parts().ledger, Decide(str(workflow_id), step, approved, actor(), said))
    if reply.answered is Answered.UNEXPECTED and reply.status is None:
        raise NotFound(f"workflow {workflow_id} has no step {step[:70]!r}")
    parts().publish(reply.publication)
    return told(reply, str(workflow_id), step)


def comment() -> str | None:
    """What the body says of the reasons; None where it says nothing."""
    if not request.get_data().strip():
        return None
    body = json_object()
    faults = [Fault(name[:70], "is no field here; there is comment") for name in body if name != "comment"]
    text = body.get("comment")
    if text is not None and (not isinstance(text, str) or len(text) > LONGEST_COMMENT):
        faults.append(Fault("comment", f"must be a text of at most {LONGEST_COMMENT} characters"))
    if faults:
        raise ContextError(faults)
    return text or None
