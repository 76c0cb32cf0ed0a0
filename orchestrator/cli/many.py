"""`--all` of `cancel`, `pause`, `resume`, `retry` and `rerun`: one order for every workflow that a filter picks."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from orchestrator.cli.known import complete_workflow
from orchestrator.jsontype import Json
from orchestrator.settings import Settings
from orchestrator.states import Compensation, WorkflowStatus

if TYPE_CHECKING:
    from orchestrator.ledger.ordering import Bulk, Tally
    from orchestrator.ledger.views import Filters

Command = TypeVar("Command", bound=Callable[..., object])

AT_A_TIME = 100
"""Workflows between two lines of progress."""


def many_options(command: Command) -> Command:
    """A workflow's id, or `--all` with what picks them."""
    for option in reversed(
        [
            click.argument("workflow_id", required=False, shell_complete=complete_workflow),
            click.option("--all", "every", is_flag=True, help="Every workflow that the options below pick."),
            click.option("--status", type=click.Choice([each.value for each in WorkflowStatus])),
            click.option("--type", "type_", help="Only those of this definition."),
            click.option("--undone", type=click.Choice([each.value for each in Compensation])),
            click.option("--created-after", type=click.DateTime(), help="UTC."),
            click.option("--created-before", type=click.DateTime(), help="UTC."),
            click.option("--rate", default=50.0, show_default=True, type=click.FloatRange(0.1, 1000), help="A second."),
        ]
    ):
        command = option(command)
    return command


def wants_many(workflow_id: str | None, picked: Json) -> bool:
    """Whether `--all` was given; a usage error where that and the rest do not fit together."""
    filtered = any(
        picked[name] is not None for name in ("status", "type_", "undone", "created_after", "created_before")
    )
    if picked["every"] == (workflow_id is not None):
        raise click.UsageError("give either the id of a workflow, or --all with what picks them")
    if picked["every"] and not filtered:
        raise click.UsageError("--all needs --status, --type, --undone, --created-after or --created-before")
    if filtered and not picked["every"]:
        raise click.UsageError("what picks workflows goes with --all")
    return bool(picked["every"])


def order_all(action: str, actor: str, picked: Json, *, compensate: bool = True) -> int:
    """Order it for all of them, saying on standard error how far it is; how many refused."""
    from orchestrator.cli.opening import opened_ledger, sender
    from orchestrator.ledger.ordering import Bulk, order_many

    bulk = Bulk(action, _filters(picked), actor, picked["rate"], AT_A_TIME, compensate)
    ordered, refused, cursor = 0, 0, None
    send = sender()
    with opened_ledger(Settings.from_environment()) as ledger:
        while True:
            tally = order_many(ledger, bulk, send, cursor)
            ordered, refused, cursor = ordered + tally.ordered, refused + len(tally.refused), tally.cursor
            _tell(bulk, tally, ordered, refused)
            if cursor is None:
                return refused


def _tell(bulk: "Bulk", tally: "Tally", ordered: int, refused: int) -> None:
    for workflow_id, copy in tally.copies.items():
        click.echo(f"{workflow_id} {copy}")
    for workflow_id, reason in tally.refused.items():
        click.echo(f"{workflow_id}: {reason}", err=True)
    click.echo(f"{bulk.action}: {ordered} ordered, {refused} refused", err=True)


def _filters(picked: Json) -> "Filters":
    from datetime import UTC

    from orchestrator.ledger.views import Filters

    after, before = picked["created_after"], picked["created_before"]
    return Filters(
        status=None if picked["status"] is None else WorkflowStatus(picked["status"]),
        type=picked["type_"],
        compensation=None if picked["undone"] is None else Compensation(picked["undone"]),
        created_after=None if after is None else after.replace(tzinfo=UTC).timestamp(),
        created_before=None if before is None else before.replace(tzinfo=UTC).timestamp(),
    )
