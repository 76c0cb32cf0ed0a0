"""`orchestrator worker`: Celery workers, started again when they crash, stopped warmly."""

import dataclasses
from contextlib import suppress

import click

from orchestrator.settings import PREFIX, Settings, child_environment
from orchestrator.urls import masked

START_SECONDS = 10.0
"""A process that ends within this time is reported instead of being started again and again."""


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="Calls that one process makes at once.")
@click.option("--processes", type=click.IntRange(1, 256), help="Worker processes; one a core is best.")
@click.argument("celery_options", nargs=-1, type=click.UNPROCESSED)
def worker(concurrency: int | None, processes: int | None, celery_options: tuple[str, ...]) -> None:
    """Run Celery workers until a signal ends them.

    A process that crashes is started again. The first Ctrl-C or SIGTERM lets running calls end, a second one kills.
    Missing migrations are applied first; of several workers that start at once, one does it and the others wait.

    Options of Celery's own go behind two dashes: orchestrator worker -- -E
    """
    from orchestrator.cli.attendance import at_work
    from orchestrator.cli.opening import PATIENCE, bring_up_tables, opened_ledger, tell_if_no_redis
    from orchestrator.cli.programs import workers
    from orchestrator.cli.running import run

    settings = Settings.from_environment()
    settings = dataclasses.replace(
        settings, concurrency=concurrency or settings.concurrency, processes=processes or settings.processes
    )
    bring_up_tables(settings, PATIENCE)
    environment = child_environment(CONCURRENCY=str(settings.concurrency))
    tell_if_no_redis(settings)
    with opened_ledger(settings) as ledger:
        ready = at_work(ledger, settings.processes, within=START_SECONDS)
        run([workers(settings, environment, ready, celery_options)], lambda: _tell(settings))


def _tell(settings: Settings) -> None:
    from orchestrator.errors import DefinitionError
    from orchestrator.reading import read_folder
    from orchestrator.wants import told_of_addresses, unset_variables, withheld_addresses

    processes = "1 worker process" if settings.processes == 1 else f"{settings.processes} worker processes"
    click.echo(
        f"{processes}, each for {settings.concurrency} calls at once, on {masked(settings.database_url)}", err=True
    )
    with suppress(DefinitionError):  # a worker needs none of these files: workflows bring their own definitions
        definitions = read_folder(settings.definitions)
        for variable, types in unset_variables(definitions.values(), settings).items():
            if variable == f"{PREFIX}PUBLIC_URL":
                said = f"{variable} is not set: {', '.join(types)} cannot tell services where to call back"
                click.secho(said, fg="yellow", err=True)
        for said, types in withheld_addresses(definitions.values(), settings).items():
            click.secho(told_of_addresses(said, types), fg="yellow", err=True)
