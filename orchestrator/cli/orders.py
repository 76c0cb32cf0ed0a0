"""`orchestrator cancel`, `pause`, `resume`, `retry`, `rerun`: what a person orders for a workflow."""

import getpass
import sys

import click

from orchestrator.cli.context import Context
from orchestrator.cli.exits import CONFLICT
from orchestrator.cli.many import many_options, order_all, wants_many
from orchestrator.cli.workflows import as_json_option
from orchestrator.jsontype import Json
from orchestrator.settings import Settings


@click.command()
@many_options
@click.option("--keep", is_flag=True, help="Undo nothing.")
@as_json_option
def cancel(workflow_id: str | None, keep: bool, as_json: bool, **picked: Json) -> None:
    """Start nothing more, undo what took effect, end as cancelled."""
    _order("cancel", workflow_id, as_json, picked, compensate=not keep)


@click.command()
@many_options
@as_json_option
def pause(workflow_id: str | None, as_json: bool, **picked: Json) -> None:
    """Start nothing new; what runs ends and is recorded."""
    _order("pause", workflow_id, as_json, picked)


@click.command()
@many_options
@as_json_option
def resume(workflow_id: str | None, as_json: bool, **picked: Json) -> None:
    """Go on where the pause stopped it."""
    _order("resume", workflow_id, as_json, picked)


@click.command()
@many_options
@as_json_option
def retry(workflow_id: str | None, as_json: bool, **picked: Json) -> None:
    """Run the failed steps again and keep the rest; where an undo failed, send that again instead.

    \b
    orchestrator retry --all --status failed --type subscription --rate 10
    """
    _order("retry", workflow_id, as_json, picked)


@click.command()
@many_options
@click.option("--from", "start_from", metavar="STEP", help="Run this step and what follows it; take over the rest.")
@click.option("--context", type=Context(), help="Another context: a file, JSON, or - for standard input.")
@as_json_option
def rerun(workflow_id: str | None, start_from: str | None, context: Json, as_json: bool, **picked: Json) -> None:
    """Start a fresh copy of a workflow that is over; without --context with the context it had."""
    if wants_many(workflow_id, picked):
        if start_from is not None or context is not None:
            raise click.UsageError("--from and --context are for one workflow")
        _order("rerun", None, as_json, picked)
    elif workflow_id is not None:
        _rerun(workflow_id, start_from, context, as_json)


def _rerun(workflow_id: str, start_from: str | None, context: Json, as_json: bool) -> None:
    from orchestrator.admission import Wish, admit_again
    from orchestrator.cli.opening import opened_ledger, sender
    from orchestrator.ledger.rerunning import origin_of
    from orchestrator.ledger.rerunning import rerun as copied
    from orchestrator.sealing import Sealer

    settings = Settings.from_environment()
    edited = None
    with opened_ledger(settings) as ledger:
        if context is not None:
            origin, sealer = origin_of(ledger, workflow_id), Sealer(settings.key().split(","))
            edited = admit_again(origin.definition, Wish(context, actor()), sealer, origin.sealed)
        copy = copied(ledger, workflow_id, actor(), start_from=start_from, edited=edited)
        sender()(copy.publication)
    _tell(copy.workflow_id, "running", as_json)


def actor() -> str:
    """Who orders, for the audit log."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a user id without a name, as in many containers
        return "command line"


def _order(verb: str, workflow_id: str | None, as_json: bool, picked: Json, *, compensate: bool = True) -> None:
    if wants_many(workflow_id, picked):
        sys.exit(CONFLICT if order_all(verb, actor(), picked, compensate=compensate) else 0)
    assert workflow_id is not None, "one or many"
    from orchestrator.cli.opening import opened_ledger, sender
    from orchestrator.ledger.orders import order
    from orchestrator.moves.move import Control

    with opened_ledger(Settings.from_environment()) as ledger:
        done = order(ledger, Control(workflow_id, verb, actor(), compensate))
        if done.publication:
            sender()(done.publication)
    _tell(done.workflow_id, done.status.value, as_json)


def _tell(workflow_id: str, status: str, as_json: bool) -> None:
    from orchestrator.cli.printing import tell

    tell(
        {"workflowId": workflow_id, "status": status},
        as_json=as_json,
        draw=lambda told: f"{told['workflowId']} is {told['status']}",
    )
