"""`orchestrator start`: one workflow, begun as the API begins it, and followed if that is wanted."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import Context
from orchestrator.cli.exits import FAILED
from orchestrator.cli.known import complete_type, known_definition
from orchestrator.cli.orders import actor
from orchestrator.cli.workflows import as_json_option
from orchestrator.errors import ContextError, Fault
from orchestrator.jsontype import Json
from orchestrator.priority import WORDS, named
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.beginning import Beginning
    from orchestrator.definition import Definition
    from orchestrator.ledger import Ledger

LONELY_SECONDS = 3.0
"""How long a person waits without any worker before being told so."""


@click.command()
@click.argument("type_", metavar="TYPE", shell_complete=complete_type)
@click.option("--context", type=Context(), default="{}", help="The context: a file, JSON, or - for standard input.")
@click.option("--key", help="Start key: the same key gives the same workflow, not another one.")
@click.option("--delay", help="Put it off: seconds, or such as 15m or 30d.")
@click.option("--not-before", metavar="TIME", help="Put it off until a time, such as 2026-01-31T12:00:00Z.")
@click.option("--priority", type=click.Choice(WORDS), help="How urgent it is; left out: as its definition says.")
@click.option("--webhook-url", metavar="URL", help="Told how it ended, by a signed POST.")
@click.option("--wait", is_flag=True, help="Follow it to its end; exit status 1 where it does not complete.")
@as_json_option
def start(
    type_: str,
    context: Json,
    key: str | None,
    delay: str | None,
    not_before: str | None,
    priority: str | None,
    webhook_url: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Start a workflow of a type: one of the definitions in the folder ORCHESTRATOR_DEFINITIONS.

    \b
    orchestrator start order-processing --context '{"amount": 42.5}' --wait
    """
    from orchestrator.admission import Wish, admit
    from orchestrator.cli.opening import opened_ledger, sender
    from orchestrator.cli.printing import tell
    from orchestrator.ledger import starting
    from orchestrator.sealing import Sealer

    settings = Settings.from_environment()
    definition = known_definition(settings, type_)
    beside = (("delay", delay), ("notBefore", not_before), ("webhookUrl", webhook_url), ("priority", priority))
    given = {name: text for name, text in beside if text is not None}
    with opened_ledger(settings) as ledger:
        wish = Wish(
            context,
            actor(),
            key=key,
            body={"context": context, **given} if given else None,
            beginning=_beginning(given),
            webhook_url=webhook_url,
            priority=None if priority is None else named(priority),
        )
        wanted = admit(definition, wish, Sealer(settings.key().split(",")))
        send = sender()
        started = starting.start(ledger, definition, wanted)
        send(started.publication)
        if wait:
            sys.exit(_wait(ledger, definition, started.workflow_id, as_json))
    told = {"workflowId": started.workflow_id, "status": "processing"}
    tell(told, as_json=as_json, draw=lambda told: str(told["workflowId"]))


def _beginning(given: dict[str, Json]) -> "Beginning":
    from orchestrator.beginning import read_beginning

    faults: list[Fault] = []
    beginning = read_beginning(given, faults)
    if faults:
        raise ContextError(faults)
    return beginning


def _wait(ledger: "Ledger", definition: "Definition", workflow_id: str, as_json: bool) -> int:
    """Follow it on standard error, so that standard output holds the result only; gives back the exit status."""
    from orchestrator.cli.filling import filling
    from orchestrator.cli.following import follow, moving
    from orchestrator.cli.printing import console, tell
    from orchestrator.cli.rendering import summary
    from orchestrator.ledger.views import workflow_view

    try:
        out = console(stderr=True)
        with moving(out, filling(definition, out.height, out.width)) as show:
            complain = _lonely(ledger)

            def look() -> Json:
                complain()
                return workflow_view(ledger, workflow_id)

            workflow = follow(look, show)
    except KeyboardInterrupt:
        click.echo(f"\n{workflow_id} goes on without being watched: orchestrator show {workflow_id}", err=True)
        raise
    tell(workflow, as_json=as_json, draw=summary)
    return 0 if workflow["status"] == "completed" else FAILED


def _lonely(ledger: "Ledger") -> Callable[[], None]:
    """Says once, after a while, that there is no worker."""
    from orchestrator.ledger.views.workers import workers_alive

    ask_at = [time.monotonic() + LONELY_SECONDS]

    def complain() -> None:
        if ask_at and time.monotonic() > ask_at[0]:
            ask_at.clear()
            if not workers_alive(ledger):
                click.echo("no worker is alive; it will go on when one is: orchestrator worker", err=True)

    return complain
