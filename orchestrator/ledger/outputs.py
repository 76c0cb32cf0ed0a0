"""What a completed workflow puts out: its definition's `output`, filled in by the transaction that completes it."""

from collections.abc import Mapping

from sqlalchemy import Connection

from orchestrator.errors import ExpressionError
from orchestrator.jsontype import Json
from orchestrator.ledger.scopes import ReadSteps, context_of, keys_of
from orchestrator.moments import iso
from orchestrator.workflow import Workflow


def output_of(connection: Connection, workflow: Workflow, variables: Mapping[str, str]) -> Json:
    """The output; where an expression fails, None, and an event says why: the workflow is completed all the same."""
    head, definition = workflow.head, workflow.definition
    template = definition.output
    if template is None:
        return None
    reads = template.references
    names = definition.steps.keys() if reads.all_steps else reads.steps
    scope: dict[str, Json] = {
        "context": context_of(connection, head.id) if reads.context else {},
        "steps": ReadSteps(connection, keys_of(head.id, definition, names)).scope(head.id, definition, names),
        "workflow": {"id": head.id, "type": head.type, "createdAt": iso(head.created_at)},
        "vars": variables,
    }
    try:
        return template.render(scope)
    except ExpressionError as error:
        workflow.record("workflow.outputFailed", error=str(error))
        return None
