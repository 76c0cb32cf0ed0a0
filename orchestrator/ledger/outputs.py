"""What a completed workflow puts out: its definition's `output`, filled in by the transaction that completes it."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from orchestrator.definition import Definition
from orchestrator.errors import ExpressionError
from orchestrator.expressions import Template
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
    names = names_read(definition, template)
    context = context_of(connection, head.id) if template.references.context else {}
    steps = ReadSteps(connection, keys_of(head.id, definition, names)).scope(head.id, definition, names)
    return rendered(workflow, template, {"context": context, "steps": steps, "vars": variables})


def names_read(definition: Definition, template: Template) -> Collection[str]:
    """The steps that an output reads."""
    reads = template.references
    return definition.steps.keys() if reads.all_steps else reads.steps


def rendered(workflow: Workflow, template: Template, known: Mapping[str, Json]) -> Json:
    """The output from what is `known`: context (masked), steps and variables; None and an event where that fails."""
    head = workflow.head
    scope = {**known, "workflow": {"id": head.id, "type": head.type, "createdAt": iso(head.created_at)}}
    try:
        return template.render(scope)
    except ExpressionError as error:
        workflow.record("workflow.outputFailed", error=str(error))
        return None
