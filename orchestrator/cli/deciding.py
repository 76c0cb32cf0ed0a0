"""`orchestrator approve` and `reject`: what a person decides for a step that waits for it."""

import click

from orchestrator.cli.known import complete_workflow
from orchestrator.cli.orders import actor
from orchestrator.cli.workflows import as_json_option
from orchestrator.errors import Conflict, NotFound
from orchestrator.settings import Settings


def _comment_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option("--comment", help="Why: it is kept with the decision.")(function)


@click.command()
@click.argument("workflow_id", shell_complete=complete_workflow)
@click.argument("step")
@_comment_option
@as_json_option
def approve(workflow_id: str, step: str, comment: str | None, as_json: bool) -> None:
    """Approve a step that waits for it: the workflow goes on."""
    _decide(workflow_id, step, comment, as_json, approved=True)


@click.command()
@click.argument("workflow_id", shell_complete=complete_workflow)
@click.argument("step")
@_comment_option
@as_json_option
def reject(workflow_id: str, step: str, comment: str | None, as_json: bool) -> None:
    """Reject a step that waits for approval: it fails, and what was done before is undone."""
    _decide(workflow_id, step, comment, as_json, approved=False)


def _decide(workflow_id: str, step: str, comment: str | None, as_json: bool, *, approved: bool) -> None:
    from orchestrator.answers import decide
    from orchestrator.cli.opening import opened_ledger, sender
    from orchestrator.cli.printing import tell
    from orchestrator.moves.answering import Answered, Decide

    with opened_ledger(Settings.from_environment()) as ledger:
        reply = decide(ledger, Decide(workflow_id, step, approved, actor(), comment))
        if reply.publication:
            sender()(reply.publication)
    if reply.status is None:
        raise NotFound(f"workflow {workflow_id} has no step {step}")
    if reply.answered not in (Answered.RECORDED, Answered.REPEATED):
        raise Conflict(f"{step} is {reply.status.value} and does not wait for that")
    tell(
        {"workflowId": workflow_id, "step": step, "answer": reply.answered.value, "status": reply.status.value},
        as_json=as_json,
        draw=lambda told: f"{told['step']} is {told['status']}",
    )
