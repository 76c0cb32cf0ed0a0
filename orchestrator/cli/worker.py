"""`orchestrator worker`: Celery workers, started again when they crash, stopped warmly."""

import dataclasses

import click

from orchestrator.settings import Settings


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
    from orchestrator.cli.opening import bring_up_tables
    from orchestrator.cli.programs import workers
    from orchestrator.cli.running import run

    settings = Settings.from_environment()
    changes = {"concurrency": concurrency, "processes": processes}
    settings = dataclasses.replace(settings, **{name: value for name, value in changes.items() if value is not None})
    bring_up_tables(settings)
    run([workers(settings, celery_options)])
