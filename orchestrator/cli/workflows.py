"""`orchestrator list`, `show`, `events`, `why`: what a person reads of workflows, straight from the ledger."""

from collections.abc import Callable
from typing import TypeVar

import click

from orchestrator.settings import Settings
from orchestrator.states import Compensation, WorkflowStatus

Command = TypeVar("Command", bound=Callable[..., object])


def as_json_option(command: Command) -> Command:
    """`--json`, spelt alike everywhere."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers it.")(command)


@click.command("list")
@click.option("--status", type=click.Choice([each.value for each in WorkflowStatus]), help="Only those.")
@click.option("--type", "type_", help="Only those of this definition.")
@click.option("--undone", type=click.Choice([each.value for each in Compensation]), help="By how their undoing went.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="At most so many.")
@click.option("--cursor", help="Go on where a page ended.")
@as_json_option
def list_(
    status: str | None, type_: str | None, undone: str | None, limit: int, cursor: str | None, as_json: bool
) -> None:
    """List workflows, newest first."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import page_table
    from orchestrator.ledger.views import Filters, workflows_page

    filters = Filters(
        status=None if status is None else WorkflowStatus(status),
        type=type_,
        compensation=None if undone is None else Compensation(undone),
    )
    with opened_ledger(Settings.from_environment()) as ledger:
        page = workflows_page(ledger, filters, cursor, limit)
    tell(page, as_json=as_json, draw=page_table)
    if page["nextCursor"] is not None and not as_json:
        click.echo(f"there are more: --cursor {page['nextCursor']}", err=True)


@click.command()
@click.argument("workflow_id")
@as_json_option
def show(workflow_id: str, as_json: bool) -> None:
    """Show one workflow with its steps."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import summary
    from orchestrator.ledger.views import workflow_view

    with opened_ledger(Settings.from_environment()) as ledger:
        workflow = workflow_view(ledger, workflow_id)
    tell(workflow, as_json=as_json, draw=summary)


@click.command()
@click.argument("workflow_id")
@as_json_option
def events(workflow_id: str, as_json: bool) -> None:
    """Print a workflow's audit log, oldest first."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import events_table
    from orchestrator.ledger.views.history import all_events

    with opened_ledger(Settings.from_environment()) as ledger:
        found = all_events(ledger, workflow_id)
    tell({"workflowId": workflow_id, "events": found, "nextCursor": None}, as_json=as_json, draw=events_table)


@click.command()
@click.argument("workflow_id")
@as_json_option
def why(workflow_id: str, as_json: bool) -> None:
    """Say why a workflow is not moving, until when, and what would change that."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import reasons_text
    from orchestrator.ledger import views

    with opened_ledger(Settings.from_environment()) as ledger:
        found = views.why(ledger, workflow_id)
    tell(found, as_json=as_json, draw=reasons_text)
