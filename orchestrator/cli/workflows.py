"""`orchestrator list`, `show`, `events`, `why`: what a person reads of workflows, straight from the ledger."""

import sys
from collections.abc import Callable
from typing import TypeVar

import click

from orchestrator.cli.known import complete_workflow
from orchestrator.settings import Settings
from orchestrator.states import Compensation, StepStatus, WorkflowStatus

MOST_BARS = 100
"""Steps beyond which a line of time is no picture any more."""

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
@click.argument("workflow_id", shell_complete=complete_workflow)
@click.option("--timeline/--no-timeline", default=True, help="With a picture of when what was done.")
@click.option(
    "--items", "step", metavar="STEP", help="Instead of all that, a page of the items of this step (`forEach`)."
)
@click.option("--status", type=click.Choice([each.value for each in StepStatus]), help="Only items with this status.")
@click.option("--cursor", help="Go on where a page of items ended.")
@as_json_option
def show(
    workflow_id: str, timeline: bool, step: str | None, status: str | None, cursor: str | None, as_json: bool
) -> None:
    """Show one workflow with its steps, and on a line of time every attempt, every wait and what was undone.

    \b
    orchestrator show ID --items send --status failed
    """
    if step is not None:
        return _show_items(workflow_id, step, status, cursor, as_json)
    if status is not None or cursor is not None:
        raise click.UsageError("--status and --cursor are for --items")
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import summary, with_timeline
    from orchestrator.ledger.views import workflow_view
    from orchestrator.ledger.views.history import all_events

    with opened_ledger(Settings.from_environment()) as ledger:
        workflow = workflow_view(ledger, workflow_id)
        drawn = timeline and not as_json and len(workflow["steps"]) <= MOST_BARS
        told = all_events(ledger, workflow_id) if drawn else []
    return tell(workflow, as_json=as_json, draw=(lambda seen: with_timeline(seen, told)) if drawn else summary)


def _show_items(workflow_id: str, step: str, status: str | None, cursor: str | None, as_json: bool) -> None:
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import items_table
    from orchestrator.ledger.views import items_page

    with opened_ledger(Settings.from_environment()) as ledger:
        wanted = None if status is None else StepStatus(status)
        page = items_page(ledger, workflow_id, step, wanted, cursor)
    tell(page, as_json=as_json, draw=items_table)
    if page["nextCursor"] is not None and not as_json:
        click.echo(f"there are more: --cursor {page['nextCursor']}", err=True)


@click.command()
@click.argument("workflow_id", shell_complete=complete_workflow)
@click.option("--step", help="Only what happened to this step, or this item (`send[3]`), and to its undoing.")
@as_json_option
def events(workflow_id: str, step: str | None, as_json: bool) -> None:
    """Print a workflow's audit log, oldest first: into a pipe or a file with all its details, as JSON."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import events_lines, events_table
    from orchestrator.ledger.views.history import Part, all_events

    with opened_ledger(Settings.from_environment()) as ledger:
        found = all_events(ledger, workflow_id, Part(step=step))
    told = {"workflowId": workflow_id, "events": found, "nextCursor": None}
    if as_json or sys.stdout.isatty():
        return tell(told, as_json=as_json, draw=events_table)
    for line in events_lines(told):
        click.echo(line)
    return None


@click.command()
@click.argument("workflow_id", shell_complete=complete_workflow)
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
