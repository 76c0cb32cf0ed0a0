"""What a person orders for a workflow: cancel, pause, resume, retry, rerun. Asking twice changes nothing more."""

from uuid import UUID

from flask import Blueprint, Response, jsonify, request, url_for

from orchestrator.admission import Wish, admit_again
from orchestrator.errors import ContextError, Fault
from orchestrator.ledger.orders import order
from orchestrator.ledger.rerunning import origin_of
from orchestrator.ledger.rerunning import rerun as copied
from orchestrator.ledger.starting import Start
from orchestrator.moves.move import Control
from web.bodies import json_object, no_body
from web.guarding import actor
from web.parameters import CANCEL, NONE, RERUN, query
from web.parts import parts
from web.starting import accepted_answer, start_key

bp = Blueprint("controlling", __name__, url_prefix="/api/workflows/<uuid:workflow_id>")


@bp.post("/cancel")
def cancel(workflow_id: UUID) -> Response:
    """Start nothing more, undo what took effect, end as cancelled."""
    return _ordered(workflow_id, "cancel", compensate=query(CANCEL).get("compensate", True))


@bp.post("/pause")
def pause(workflow_id: UUID) -> Response:
    """Start nothing new; what runs ends."""
    query(NONE)
    return _ordered(workflow_id, "pause")


@bp.post("/resume")
def resume(workflow_id: UUID) -> Response:
    """Go on where the pause stopped it."""
    query(NONE)
    return _ordered(workflow_id, "resume")


@bp.post("/retry")
def retry(workflow_id: UUID) -> Response:
    """Run the failed steps again, keep the rest."""
    query(NONE)
    return _ordered(workflow_id, "retry")


@bp.post("/rerun")
def rerun(workflow_id: UUID) -> Response:
    """Start a fresh copy with the same version of the definition: from a step on, with another context if one comes."""
    start_from = query(RERUN).get("from")
    key = start_key()
    new = copied(
        parts().ledger, str(workflow_id), actor(), key, start_from=start_from, edited=_edited(workflow_id, key)
    )
    parts().publish(new.publication)
    return accepted_answer(new.workflow_id)


def _edited(workflow_id: UUID, key: str | None) -> Start | None:
    """The start that the body asks for; None where there is no body, or no context in it."""
    if not request.get_data():
        return None
    body = json_object()
    faults = [Fault(name[:70], "is no field of a rerun; there is context") for name in body if name != "context"]
    if faults:
        raise ContextError(faults)
    if "context" not in body:
        return None
    origin = origin_of(parts().ledger, str(workflow_id))
    return admit_again(origin.definition, Wish(body["context"], actor(), key=key), parts().sealer, origin.sealed)


def _ordered(workflow_id: UUID, verb: str, *, compensate: bool = True) -> Response:
    no_body()
    done = order(parts().ledger, Control(str(workflow_id), verb, actor(), compensate))
    parts().publish(done.publication)
    response = jsonify(workflowId=done.workflow_id, status=done.status.value)
    response.status_code = 202
    response.headers["Location"] = url_for("workflows.one", workflow_id=workflow_id)
    return response
