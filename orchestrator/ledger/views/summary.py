"""One workflow in brief, as clients poll it: its status, its steps' statuses, its output as far as there is one."""

from sqlalchemy import Connection, bindparam, select

from orchestrator.definition import Definition
from orchestrator.errors import ExpressionError
from orchestrator.expressions import References, Template, compile_template
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.scopes import ReadSteps, context_of, keys_of
from orchestrator.ledger.tables import steps, workflows
from orchestrator.ledger.views.snapshot import missing, snapshot
from orchestrator.moments import iso
from orchestrator.states import FINAL, WorkflowStatus
from orchestrator.workflow import Kind

PROCESSING = "processing"
"""What clients read until a workflow is over, as in its start's answer."""

_HEAD = select(
    *(workflows.c[name] for name in "id type version status output created_at".split()),
).where(workflows.c.id == bindparam("id"))

_STATUSES = select(steps.c.name, steps.c.status).where(
    steps.c.workflow_id == bindparam("id"), steps.c.kind == Kind.CALL.value
)


def summary_view(ledger: Ledger, workflow_id: str) -> Json:
    """The workflow as `GET /api/workflows/<id>?view=summary` shows it. Raises NotFound.

    The fields of the definition's output stand beside `workflowId`, `status` and `steps`, which they cannot replace.
    Before the workflow is completed a field is null until what it reads is there.
    """
    with snapshot(ledger) as connection:
        head = connection.execute(_HEAD, {"id": workflow_id}).one_or_none()
        if head is None:
            raise missing(workflow_id)
        definition = ledger.definitions.get(connection, head.version)
        found = connection.execute(_STATUSES, {"id": workflow_id})
        statuses = {row.name: row.status for row in found}
        output = head.output
        if output is None and definition.output is not None:
            workflow: dict[str, Json] = {"id": head.id, "type": head.type, "createdAt": iso(head.created_at)}
            scope = {"workflow": workflow, "vars": ledger.variables}
            output = _so_far(connection, workflow_id, definition, definition.output, scope)
    final = WorkflowStatus(head.status) in FINAL
    control = {
        "workflowId": head.id,
        "status": head.status if final else PROCESSING,
        "steps": {name: statuses[name] for name in definition.steps if name in statuses},
    }
    shown = output if isinstance(output, dict) else {"output": output} if output is not None else {}
    return control | {name: value for name, value in shown.items() if name not in control}


def _so_far(
    connection: Connection, workflow_id: str, definition: Definition, output: Template, scope: dict[str, Json]
) -> Json:
    """The output field by field, null where a field cannot be filled in yet."""
    fields = _fields(output)
    reads = References.union(template.references for template in fields.values())
    names = definition.steps.keys() if reads.all_steps else reads.steps
    scope |= {
        "context": context_of(connection, workflow_id) if reads.context else {},
        "steps": ReadSteps(connection, keys_of(workflow_id, definition, names)).scope(workflow_id, definition, names),
    }
    rendered = {name: _rendered(template, scope) for name, template in fields.items()}
    return rendered if isinstance(output.source, dict) else rendered[""]


def _fields(output: Template) -> dict[str, Template]:
    if isinstance(output.source, dict):
        return {name: compile_template(value) for name, value in output.source.items()}
    return {"": output}


def _rendered(template: Template, scope: dict[str, Json]) -> Json:
    try:
        return template.render(scope)
    except ExpressionError:
        return None
