"""`orchestrator cancel`, `pause`, `resume`, `retry`, `rerun`: what a person orders for a workflow."""

import getpass

import click

from orchestrator.cli.context import Context
from orchestrator.cli.workflows import as_json_option
from orchestrator.jsontype import Json
from orchestrator.settings import Settings


@click.command()
@click.argument("workflow_id")
@click.option("--keep", is_flag=True, help="Undo nothing.")
@as_json_option
def cancel(workflow_id: str, keep: bool, as_json: bool) -> None:
    """Start nothing more, undo what took effect, end as cancelled."""
    _order("cancel", workflow_id, as_json, compensate=not keep)


@click.command()
@click.argument("workflow_id")
@as_json_option
def pause(workflow_id: str, as_json: bool) -> None:
    """Start nothing new; what runs ends and is recorded."""
    _order("pause", workflow_id, as_json)


@click.command()
@click.argument("workflow_id")
@as_json_option
def resume(workflow_id: str, as_json: bool) -> None:
    """Go on where the pause stopped it."""
    _order("resume", workflow_id, as_json)


@click.command()
@click.argument("workflow_id")
@as_json_option
def retry(workflow_id: str, as_json: bool) -> None:
    """Run the failed steps again and keep the rest; where an undo failed, send that again instead."""
    _order("retry", workflow_id, as_json)


@click.command()
@click.argument("workflow_id")
@click.option("--from", "start_from", metavar="STEP", help="Run this step and what follows it; take over the rest.")
@click.option("--context", type=Context(), help="Another context: a file, JSON, or - for standard input.")
@as_json_option
def rerun(workflow_id: str, start_from: str | None, context: Json, as_json: bool) -> None:
    """Start a fresh copy of a workflow that is over; without --context with the context it had."""
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


def _order(verb: str, workflow_id: str, as_json: bool, *, compensate: bool = True) -> None:
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
