"""`/api/tasks`: one call made durable, with a webhook for its outcome; many of them at once; and what became of one."""

from uuid import UUID

from flask import Blueprint, Response, jsonify

from orchestrator.beginning import read_beginning
from orchestrator.definition import Definition
from orchestrator.errors import ContextError, NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.starting import Start
from orchestrator.ledger.views import workflow_view
from orchestrator.ledger.views.summary import PROCESSING
from orchestrator.single_call import TYPE, read_call
from orchestrator.states import FINAL, WorkflowStatus
from web.batches import Key, batch, batch_answer
from web.bodies import json_object
from web.parameters import NONE, query
from web.parts import parts
from web.starting import accepted_answer, begin, start_key, unknown_fields, wished

bp = Blueprint("tasks", __name__, url_prefix="/api/tasks")

_FIELDS = ("targetUrl", "payload", "retries", "timeout", "webhookUrl", "delay", "notBefore", "priority")
_BESIDE = ("webhookUrl", "delay", "notBefore", "priority")


@bp.post("")
def created() -> Response:
    """Make one call durable."""
    query(NONE)
    return accepted_answer(begin(*_wanted(json_object(), Key(start_key()))).workflow_id)


@bp.get("/<uuid:workflow_id>")
def one(workflow_id: UUID) -> Response:
    """The call in brief: how it stands, and what came of it."""
    query(NONE)
    workflow = workflow_view(parts().ledger, str(workflow_id))
    if workflow["type"] != TYPE:
        raise NotFound(f"workflow {workflow_id} is no single call: ask /api/workflows/{workflow_id}")
    [call] = workflow["steps"]
    over = WorkflowStatus(workflow["status"]) in FINAL
    shown = {name: workflow[name] for name in ("workflowId", "error", "createdAt", "completedAt", "durationMs")}
    brief = {"status": workflow["status"] if over else PROCESSING, "attempts": call["attempts"]}
    return jsonify(shown | brief | {"result": call["result"], "targetUrl": workflow["context"]["targetUrl"]})


@bp.post("/bulk")
def created_many() -> Response:
    """Make up to 1,000 calls durable: all of them, or none."""
    query(NONE)
    return batch_answer("tasks", batch("tasks", _wanted))


def _wanted(given: dict[str, Json], key: Key) -> tuple[Definition, Start]:
    faults = unknown_fields(given, _FIELDS, "a task")
    beginning = read_beginning(given, faults)
    call = read_call(given, faults)
    if faults or call is None:
        raise ContextError(faults)
    definition, context = call
    beside = {name: given[name] for name in _BESIDE if name in given}
    return definition, wished(definition, context, beside, beginning, key)
