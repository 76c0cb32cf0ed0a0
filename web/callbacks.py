"""What services say later: done, failed, still at work. Not an API key but the token of the attempt lets them."""

import hmac
import logging

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import Forbidden

from orchestrator.answers import Failure, Reply, Success, answer_callback, heartbeat
from orchestrator.callbacks import PATH, Attempt
from orchestrator.errors import Conflict, ContextError, Fault
from orchestrator.jsontype import Json
from orchestrator.moves.answering import Answered
from orchestrator.states import Effect
from web.bodies import json_object
from web.parameters import CALLBACK, query
from web.parts import parts

bp = Blueprint("callbacks", __name__, url_prefix=PATH)
log = logging.getLogger("orchestrator")

TOKEN_HEADER = "X-Callback-Token"  # noqa: S105 - a name
_EFFECTS = ("none", "unknown", "done")


@bp.post("")
def completed() -> Response:
    """The service has done what it accepted."""
    workflow_id, step, attempt, body = _admitted("result")
    return _recorded(workflow_id, step, attempt, Success(body.get("result")))


@bp.post("/failed")
def failed() -> Response:
    """The service could not do it: the step is tried again, replaced, or fails, as after any failure."""
    workflow_id, step, attempt, body = _admitted("error", "effect", "retryable")
    return _recorded(workflow_id, step, attempt, _failure(body))


@bp.post("/heartbeat")
def beat() -> Response:
    """The service is still at work: its time-out begins anew."""
    workflow_id, step, attempt, _ = _admitted()
    return told(heartbeat(parts().ledger, workflow_id, step, attempt), workflow_id, step)


def _admitted(*fields: str) -> tuple[str, str, Attempt, dict[str, Json]]:
    """Whose answer it is and what else the body says. Who has no token for that learns nothing about it."""
    body = json_object()
    faults = [
        Fault(name[:70], f"is no field here; there are payload{''.join(f', {field}' for field in fields)}")
        for name in body
        if name not in ("payload", *fields)
    ]
    payload = body.get("payload")
    workflow_id, step = (payload.get("workflowId"), payload.get("step")) if isinstance(payload, dict) else (None, None)
    if not isinstance(workflow_id, str) or not isinstance(step, str):
        faults.append(Fault("payload", 'must name the step that is answered: {"workflowId": "…", "step": "…"}'))
        raise ContextError(faults)
    attempt = parts().around.callbacks.tokens.read(_token(), workflow_id, step)
    if attempt is None:
        log.warning(
            "an answer without the token of its attempt was refused: workflow %.40r, step %.70r", workflow_id, step
        )
        raise Forbidden(
            f"send the token that this attempt's request carried, as {TOKEN_HEADER} or as ?token= of its X-Callback-Url"
        )
    if faults:
        raise ContextError(faults)
    return workflow_id, step, attempt, body


def _token() -> str:
    """From the header or from the URL; where both are there and differ, from neither."""
    in_header, in_url = request.headers.get(TOKEN_HEADER), query(CALLBACK).get("token")
    if in_header is None or in_url is None:
        return in_header or in_url or ""
    same = hmac.compare_digest(in_header.encode(errors="replace"), in_url.encode(errors="replace"))
    return in_header if same else ""


def _failure(body: dict[str, Json]) -> Failure:
    effect, retryable = body.get("effect", "none"), body.get("retryable", True)
    faults = []
    if effect not in _EFFECTS or not isinstance(effect, str):
        faults.append(Fault("effect", f"must be {' or '.join(_EFFECTS)}: what the attempt did before it failed"))
    if not isinstance(retryable, bool):
        faults.append(Fault("retryable", "must be true or false"))
    if faults:
        raise ContextError(faults)
    return Failure(body.get("error", "no reason was given"), Effect(effect), retryable)


_REFUSED = {
    Answered.LATE: "the step is {status} already, or its workflow goes on without it: the answer came too late",
    Answered.REPLACED: "the attempt that this token is for was followed by another one",
    Answered.UNEXPECTED: "the step does not wait for such an answer",
}


def _recorded(workflow_id: str, step: str, attempt: Attempt, said: Success | Failure) -> Response:
    reply = answer_callback(parts().ledger, parts().around, workflow_id, step, attempt, said)
    parts().publish(reply.publication)
    return told(reply, workflow_id, step)


def told(reply: Reply, workflow_id: str, step: str) -> Response:
    """200 for what is recorded and for what was known before. Raises Conflict with the reason for anything else."""
    if reply.answered in _REFUSED:
        status = "unknown" if reply.status is None else reply.status.value
        raise Conflict(_REFUSED[reply.answered].format(status=status))
    return jsonify(
        workflowId=workflow_id,
        step=step,
        answer=reply.answered.value,
        status=None if reply.status is None else reply.status.value,
    )
