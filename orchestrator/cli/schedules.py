"""`orchestrator schedules`: what is started by the clock, paused, resumed, started now, and ended."""

import sys

import click

from orchestrator.cli.context import Context
from orchestrator.cli.exits import CONFLICT
from orchestrator.cli.orders import actor
from orchestrator.cli.workflows import as_json_option
from orchestrator.jsontype import Json
from orchestrator.settings import Settings


@click.group()
def schedules() -> None:
    """What is started by the clock."""


@schedules.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """List schedules with their next and last runs."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import schedules_table
    from orchestrator.ledger.views.schedules import schedules_view

    with opened_ledger(Settings.from_environment()) as ledger:
        told = schedules_view(ledger)
    tell(told, as_json=as_json, draw=schedules_table)


@schedules.command()
@click.argument("schedule_id", metavar="ID")
@click.argument("type_", metavar="TYPE")
@click.option("--cron", help="Minute, hour, day of the month, month, day of the week.")
@click.option("--every", help="An interval instead, such as 15m.")
@click.option("--timezone", help="The zone in which cron is meant; UTC where it is left out.")
@click.option("--catch-up", type=click.Choice(["skip", "one", "all"]), help="What becomes of ticks that were missed.")
@click.option("--context", type=Context(), help="The context: a file, JSON, or - for standard input.")
@as_json_option
def create(schedule_id: str, type_: str, context: Json, as_json: bool, **said: str | None) -> None:
    """Make a schedule.

    \b
    orchestrator schedules create nightly subscription --cron '30 2 * * *' --timezone Europe/London
    """
    from orchestrator.cli.known import known_definition
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.errors import ContextError
    from orchestrator.ledger import schedules as kept
    from orchestrator.reading.building import schedule_of
    from orchestrator.reading.place import Faults, Place
    from orchestrator.reading.schedule_kinds import ScheduleKind
    from orchestrator.scheduling import check_id, planned
    from orchestrator.sealing import Sealer

    settings = Settings.from_environment()
    at = Place(Faults(None))
    given = {"cron": said["cron"], "every": said["every"], "timezone": said["timezone"], "catchUp": said["catch_up"]}
    draft = ScheduleKind().read({name: text for name, text in given.items() if text is not None}, at)
    if found := at.faults.all():
        raise ContextError(found)
    schedule = schedule_of({**draft, "context": context or {}})
    sealer = Sealer(settings.key().split(","))
    with opened_ledger(settings) as ledger:
        definition = known_definition(settings, type_)
        kept.create(ledger, planned(check_id(schedule_id), definition, schedule, sealer))
    _tell(schedule_id, as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID")
@as_json_option
def show(schedule_id: str, as_json: bool) -> None:
    """Show one with its next runs."""
    _tell(schedule_id, as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID")
@as_json_option
def pause(schedule_id: str, as_json: bool) -> None:
    """Make no tick until it is resumed."""
    _order("pause", schedule_id, as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID")
@as_json_option
def resume(schedule_id: str, as_json: bool) -> None:
    """Go on with the next tick from now; what was missed is not caught up with."""
    _order("resume", schedule_id, as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID")
def delete(schedule_id: str) -> None:
    """Start nothing more for it; what it has started goes on."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.errors import Conflict
    from orchestrator.ledger.schedules import delete_schedule

    with opened_ledger(Settings.from_environment()) as ledger:
        try:
            delete_schedule(ledger, schedule_id)
        except Conflict as refusal:
            click.echo(f"{schedule_id}: {refusal}", err=True)
            sys.exit(CONFLICT)
    click.echo(f"{schedule_id} is deleted")


@schedules.command()
@click.argument("schedule_id", metavar="ID")
@as_json_option
def trigger(schedule_id: str, as_json: bool) -> None:
    """Start its workflow now, besides its ticks."""
    from orchestrator.cli.opening import opened_ledger, sender
    from orchestrator.cli.printing import tell
    from orchestrator.ledger import schedules as kept

    with opened_ledger(Settings.from_environment()) as ledger:
        started = kept.trigger(ledger, schedule_id, actor())
        sender()(started.publication)
    told = {"workflowId": started.workflow_id, "status": "processing"}
    tell(told, as_json=as_json, draw=lambda told: str(told["workflowId"]))


def _order(verb: str, schedule_id: str, as_json: bool) -> None:
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.ledger import schedules as kept

    with opened_ledger(Settings.from_environment()) as ledger:
        {"pause": kept.pause, "resume": kept.resume}[verb](ledger, schedule_id)
    _tell(schedule_id, as_json)


def _tell(schedule_id: str, as_json: bool) -> None:
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import schedule_text
    from orchestrator.ledger.views.schedules import schedule_view

    with opened_ledger(Settings.from_environment()) as ledger:
        told = schedule_view(ledger, schedule_id)
    tell(told, as_json=as_json, draw=schedule_text)
