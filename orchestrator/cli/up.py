"""`orchestrator up`: the whole installation in one terminal, with nothing else to install."""

import dataclasses
import os
import re
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from orchestrator.setting_texts import allow_hosts
from orchestrator.settings import PREFIX, Settings, child_environment
from orchestrator.supervisor import check_port, console
from orchestrator.urls import masked

if TYPE_CHECKING:
    from orchestrator.definition import Definition

HOST = "127.0.0.1"
LOOPBACK = "127.0.0.1,::1,localhost"
"""What steps may call besides public addresses where nothing is configured: on one machine services are beside us."""


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65_535), help="Port of the API.")
@click.option("--processes", type=click.IntRange(1, 256), help="Worker processes.")
def up(port: int, processes: int | None) -> None:
    """Run everything: the API, workers, and a Redis of their own.

    A Redis or a database that is configured is used instead; else the ledger is a SQLite file in the data folder
    (.orchestrator, or ORCHESTRATOR_DATA). Missing migrations are applied first. Steps may call services on this machine
    unless ORCHESTRATOR_ALLOW_HOSTS says otherwise. Ctrl-C stops all of it.
    """
    from orchestrator.cli import programs
    from orchestrator.cli.attendance import at_work
    from orchestrator.cli.opening import bring_up_tables, opened_ledger
    from orchestrator.cli.running import run
    from orchestrator.embedded import EmbeddedRedis
    from orchestrator.reading import read_folder

    settings = Settings.from_environment()
    settings = dataclasses.replace(settings, processes=processes or settings.processes)
    definitions = read_folder(settings.definitions)
    check_port(HOST, port)
    bring_up_tables(settings)
    allowed = os.environ.get(f"{PREFIX}ALLOW_HOSTS", "").strip() or LOOPBACK
    public = settings.public_url or f"http://{HOST}:{port}"
    environment = child_environment(ALLOW_HOSTS=allowed, PUBLIC_URL=public)
    server = EmbeddedRedis(settings.data) if settings.redis_url is None else None
    with opened_ledger(settings) as ledger, server.claimed() if server else nullcontext():
        ready = at_work(ledger, settings.processes, within=20)
        stages = [[programs.redis(server)]] if server else []
        stages.append([programs.web(HOST, port, environment), *programs.workers(settings, environment, ready)])
        told = dataclasses.replace(
            settings, public_url=public, allow_hosts=settings.allow_hosts or allow_hosts(LOOPBACK)
        )
        run(stages, lambda: _tell(told, port, definitions), show=_show)


def _show(name: str, line: str) -> None:
    """A child's line, but for what Redis tells of its daily life; why it did not start is in its last words."""
    if name != "redis" or not re.match(r"\d+:\S", line):
        console(name, line)


def _tell(settings: Settings, port: int, definitions: Mapping[str, "Definition"]) -> None:
    """Where it listens, what can be started, and what the environment does not say yet."""
    from orchestrator.cli import printing
    from orchestrator.wants import told_of_addresses, unset_variables, withheld_addresses

    out = printing.console()
    url = f"http://{HOST}:{port}"
    out.print(f"\n  orchestrator is up: {url}", style="bold green")
    out.print(f"  calls  {url}/api/docs")
    out.print(f"  ledger {masked(settings.database_url)}")
    out.print(f"  redis  {masked(settings.redis_url) if settings.redis_url else 'embedded'}")
    out.print(f"  definitions from {settings.definitions}:\n")
    lines = [(f"  POST {each.entry or '/api/workflows'}", name, each.description) for name, each in definitions.items()]
    out.print(printing.table(("  START WITH", "TYPE", ""), lines))
    for variable, types in unset_variables(definitions.values(), settings).items():
        out.print(f"\n  {variable} is not set; without it these cannot run: {', '.join(types)}", style="yellow")
    for said, types in withheld_addresses(definitions.values(), settings).items():
        out.print(f"\n  {told_of_addresses(said, types)}", style="yellow")
    out.print("\n  Ctrl-C stops everything; workflows that are under way go on at the next start.\n")
