"""`orchestrator demo`: a whole installation in a temporary folder, and the bundled workflows run on it."""

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.cli.exits import FAILED, OK
from orchestrator.demo.guarded import SECRETS
from orchestrator.errors import OrchestratorError, Unavailable
from orchestrator.keeper import Program
from orchestrator.settings import PREFIX, Settings, bundled
from orchestrator.supervisor import check_port

HOST = "127.0.0.1"
USUAL_PORT = 8000
START_SECONDS = 30.0


@dataclass(frozen=True)
class Site:
    """Where the demo's servers are, and whether they are to have the examples besides the two bundled workflows."""

    folder: Path
    web_port: int
    services_port: int
    examples: bool

    @property
    def web(self) -> str:
        """The API."""
        return f"http://{HOST}:{self.web_port}"

    @property
    def services(self) -> str:
        """The example services."""
        return f"http://{HOST}:{self.services_port}"

    @property
    def definitions(self) -> Path:
        """The folder of definitions."""
        return self.folder / "workflows" if self.examples else bundled("workflows")

    def lay_out(self) -> None:
        """Put the examples beside the bundled definitions: they start each other."""
        if self.examples:
            self.definitions.mkdir()
            for path in [*bundled("workflows").glob("*.yaml"), *(bundled("workflows") / "examples").glob("*.yaml")]:
                shutil.copy(path, self.definitions)

    def environment(self) -> dict[str, str]:
        """This process's environment, with the demo's settings in the place of any that were made for another use."""
        ours = {
            "DATA": str(self.folder),
            "DEFINITIONS": str(self.definitions),
            "PUBLIC_URL": self.web,
            "VAR_SERVICES_URL": self.services,
            **{f"SECRET_{name}": value for name, value in SECRETS.items()},
            "ALLOW_HOSTS": HOST,
            "CONCURRENCY": "20",
            "PROCESSES": "2",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "CELERY_"))}
        return {**others, "PYTHONUNBUFFERED": "1", **{PREFIX + name: value for name, value in ours.items()}}


@click.command()
@click.option("--serve", is_flag=True, help="Leave everything up afterwards, to be tried by hand.")
@click.option("--examples", is_flag=True, help="Run each of the examples as well; takes half a minute more.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of the API: 8000, or a free one where it is taken.")
def demo(serve: bool, examples: bool, port: int | None) -> None:
    """Run the two bundled workflows on real servers, here and now, and show what happens.

    A Redis, a web process, two workers and example services are started, with a ledger in a temporary folder; all of it
    is gone afterwards. Exit status 0 only if every workflow ended as it must. What is left up by --serve has the
    examples too, ready to be started: callbacks, approvals, lists, child workflows, a Celery task, a schedule and more.
    """
    from orchestrator.cli.demo_runs import invite, tell_stories
    from orchestrator.cli.printing import console
    from orchestrator.supervisor import Supervisor

    out = console(pipe_width=100)
    web_port, began = _web_port(port), time.monotonic()
    with (
        _folder() as folder,
        out.status("starting Redis, a web process, two workers and example services …") as spinner,
    ):
        site = Site(folder, web_port, _free_port(), examples or serve)
        site.lay_out()
        with _stages(site) as stages, Supervisor(stages, logs=folder / "logs") as supervisor:
            spinner.stop()
            sound = tell_stories(out, site.web, site.services, time.monotonic() - began, more=examples)
            if serve:
                invite(out, site.web, site.services)
                with suppress(KeyboardInterrupt):
                    supervisor.wait()
            spinner.update("stopping everything …")
            spinner.start()
    sys.exit(OK if sound else FAILED)


@contextmanager
def _stages(site: Site) -> Iterator[list[list[Program]]]:
    """The programs of the demo, on a ledger with its tables; they must run inside the block."""
    from orchestrator.cli import programs
    from orchestrator.cli.attendance import at_work
    from orchestrator.cli.opening import bring_up_tables, opened_ledger
    from orchestrator.embedded import EmbeddedRedis

    environment = site.environment()
    settings = Settings.from_environment(environment)
    bring_up_tables(settings)
    server = EmbeddedRedis(site.folder)
    with server.claimed(), opened_ledger(settings) as ledger:
        ready = at_work(ledger, settings.processes, within=START_SECONDS)
        yield [
            [programs.redis(server)],
            [
                programs.services(HOST, site.services_port, environment),
                programs.web(HOST, site.web_port, environment),
                *programs.workers(settings, environment, ready),
                *([programs.shop(environment)] if site.examples else []),
            ],
        ]


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is gone after the block, unless something did not start: then its logs are worth reading."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="orchestrator-demo-"))
    except OSError as error:
        raise Unavailable(f"no folder for temporary files ({error}); name one with TMPDIR") from None
    try:
        yield folder
    except OrchestratorError:
        click.echo(f"the logs are in {folder / 'logs'}", err=True)
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _web_port(wanted: int | None) -> int:
    """The port that was asked for, which must be free; else the usual one or any."""
    try:
        check_port(HOST, wanted or USUAL_PORT)
    except Unavailable:
        if wanted is not None:
            raise
        return _free_port()
    return wanted or USUAL_PORT


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
