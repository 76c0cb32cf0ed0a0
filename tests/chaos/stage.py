"""All processes of one run: database, Redis, services, web, workers, each of its own and each to be hurt."""

import contextlib
import os
import signal
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import yaml
from celery import Celery

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from tasks.dispatch import Dispatch
from tests.chaos import foreign
from tests.chaos.clocks import FILE, Clock
from tests.chaos.disk import SmallDisk
from tests.chaos.drawing import read
from tests.chaos.hooks import SECRET
from tests.chaos.hosts import TwoHosts
from tests.chaos.points import FOLDER, TAKEN
from tests.chaos.processes import Kept
from tests.servers import PostgresServer, RedisServer, free_port

Kind = Literal["postgresql", "sqlite"]
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
QUEUE = "orchestrator"
LOOPBACK = "127.0.0.1"
OPEN_REDIS = ("--bind", "0.0.0.0", "--protected-mode", "no")


class Stage:
    """One installation on one database. To be entered, and hurt, by one thread.

    With a `network` every other worker runs on its far host; all else is here. With a `disk` the database is on that.
    """

    def __init__(
        self,
        folder: Path,
        kind: Kind,
        documents: Sequence[dict[str, Json]],
        *,
        seed: int,
        workers: int,
        network: TwoHosts | None = None,
        disk: SmallDisk | None = None,
    ) -> None:
        self.folder = folder
        self.disk = disk
        self.clocks: dict[str, Clock] = {}
        self._ledger = (disk.folder if disk else folder) / "ledger.sqlite3"
        self.kind = kind
        self.network = network
        self.definitions: dict[str, Definition] = read(list(documents))
        self.redis = RedisServer(_made(folder / "redis"), *(OPEN_REDIS if network else ()))
        # An immediate stop must lose nothing that was committed; a crash of the whole machine is not played here.
        settings = {"synchronous_commit": "on", "listen_addresses": "*" if network else LOOPBACK}
        self.postgres = (
            PostgresServer((disk.folder if disk else folder) / "postgres", **settings) if kind == "postgresql" else None
        )
        self.points = _made(folder / "points")
        self.books = folder / "books.jsonl"
        self.foreign_books = folder / "foreign.jsonl"
        self._seed = seed
        self._workers = workers
        self._documents = documents
        self._services_port, self._web_port = free_port(), free_port()

    def __enter__(self) -> "Stage":
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.postgres is not None and self.postgres.child is not None:
            self.thaw_postgres()
        if (team := self._get("foreign")) is not None:
            team.send(signal.SIGKILL)  # nobody waits for its tasks any more
        for kept in self.everything():
            kept.stop(12)
        if self.postgres is not None:
            self.postgres.stop()
        self.redis.kill()

    @property
    def database_url(self) -> str:
        """As SQLAlchemy reads it."""
        if self.postgres is None:
            return f"sqlite:///{self._ledger}"
        parts = urlsplit(self.postgres.admin_url)
        reached = parts.netloc.replace(LOOPBACK, self.address)
        return urlunsplit(parts._replace(scheme="postgresql+psycopg", netloc=reached, path="/chaos"))

    @property
    def address(self) -> str:
        """Where workers reach this host."""
        return self.network.here if self.network else LOOPBACK

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{LOOPBACK}:{self._web_port}"

    def everything(self) -> list[Kept]:
        """The processes that are kept running, in the order in which they are to be stopped."""
        others = (self._get("web"), self._get("foreign"), self._get("services"))
        return [*getattr(self, "workers", []), *(kept for kept in others if kept)]

    def tend(self) -> None:
        """Start again what has died; to be called again and again."""
        for kept in self.everything():
            kept.tend()

    def halt(self) -> None:
        """Nothing happens any more: what is read from now on, ledger and books, is of one moment."""
        for kept in self.everything():
            kept.send(signal.SIGKILL)

    def order(self, point: str, how: signal.Signals) -> None:
        """Have the next process that passes the point get the signal."""
        draft = self.points / f".{point}"
        draft.write_text(how.name)
        draft.rename(self.points / point)

    def obeyed(self, point: str) -> int | None:
        """The process that has obeyed the order, None as long as none has. The order is forgotten by that."""
        for taken in self.points.glob(f"{point}.{TAKEN}.*"):
            pid = int(taken.name.rsplit(".", 1)[1])
            taken.unlink()
            return pid
        return None

    def take_back(self, point: str) -> None:
        """Nobody has to obey any more."""
        (self.points / point).unlink(missing_ok=True)

    # PostgreSQL

    def cut_connections(self) -> None:
        """Every connection to the ledger is ended by the server."""
        assert self.postgres is not None
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'chaos'")

    def freeze_postgres(self) -> None:
        """No process of the server does anything any more; connections stay open."""
        self._signal_postgres(signal.SIGSTOP)

    def thaw_postgres(self) -> None:
        """They go on."""
        self._signal_postgres(signal.SIGCONT)

    def _signal_postgres(self, how: signal.Signals) -> None:
        assert self.postgres is not None
        assert self.postgres.child is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(self.postgres.child.pid)
            for process in [leader, *leader.children()]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(how)

    def relaunch_postgres(self) -> None:
        """Start the server again where it has given up, as a supervisor would."""
        assert self.postgres is not None
        if self.postgres.child is None or self.postgres.child.poll() is not None:
            self.postgres.launch_again()

    # SQLite

    def hold_write_lock(self) -> sqlite3.Connection:
        """A foreign program writes, and does not end; closing the connection ends it."""
        connection = sqlite3.connect(self._ledger, timeout=30, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    # Redis

    def sender(self) -> Dispatch:
        """A hand that sends messages of its own to the workers."""
        app = Celery("chaos", broker=self.redis.url, set_as_current=False)
        app.conf.update(task_default_queue=QUEUE, task_ignore_result=True, task_publish_retry=False)
        app.conf.result_backend = f"tasks.backend:QuietRedisBackend+{self.redis.url}"
        app.conf.broker_transport_options = {"socket_timeout": 3, "socket_connect_timeout": 3, "max_retries": 0}
        return Dispatch(app.task(_never_here, name="orchestrator.step", shared=False))

    # Setting up

    def _get(self, name: str) -> Kept | None:
        kept: Kept | None = getattr(self, name, None)
        return kept

    def _set_up(self) -> None:
        self._write_definitions()
        self.redis.start()
        if self.postgres is not None:
            self.postgres.start()
            self._let_in(self.postgres)
            with psycopg.connect(self.postgres.admin_url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE chaos")
        database = Database(self.database_url)
        migrate(database)
        database.close()
        listens = "0.0.0.0" if self.network else LOOPBACK
        books = (listens, str(self._services_port), str(self.books), str(self._seed))
        self.services = self._kept("services", "tests.chaos.services", *books)
        self.web = self._kept("web", "tests.chaos.points", "web", LOOPBACK, str(self._web_port))
        of_a_team = ("-A", foreign.__name__, "worker", "-P", "threads", "-c", "16", "--loglevel=WARNING")
        self.foreign = self._kept("foreign", "celery", *of_a_team, "--hostname=foreign@%h")
        self.workers = [self._worker(number) for number in range(1, self._workers + 1)]
        for kept in self.everything():
            kept.start()
        _until(lambda: _answers(f"http://{LOOPBACK}:{self._services_port}/"), "the services to answer")
        _until(lambda: _answers(f"{self.url}/healthz"), "the web to answer")

    def _worker(self, number: int) -> Kept:
        options = ("--loglevel=WARNING", f"--hostname=chaos-{number}@%h")
        host = self.network.far if self.network and number % 2 == 0 else ()
        return self._kept(f"worker-{number}", "tests.chaos.points", "worker", *options, host=host)

    def _kept(self, name: str, module: str, *arguments: str, host: Sequence[str] = ()) -> Kept:
        clock = self.clocks[name] = Clock(self.folder / f"{name}.clock")
        environment = {**self._environment(), FILE: str(clock.file)}
        return Kept(name, [*host, sys.executable, "-m", module, *arguments], environment, self.folder)

    def _let_in(self, postgres: PostgresServer) -> None:
        """Whoever knows the password, from the far host too."""
        if self.network is not None:
            with (postgres.folder / "cluster" / "pg_hba.conf").open("a") as rules:
                rules.write("\nhost all all 10.0.0.0/8 password\n")
            with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
                connection.execute("SELECT pg_reload_conf()")

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        return {
            **inherited,
            "ORCHESTRATOR_DATABASE_URL": self.database_url,
            "ORCHESTRATOR_REDIS_URL": self.redis.url.replace(LOOPBACK, self.address),
            "ORCHESTRATOR_DATA": str(self.folder / "data"),
            "ORCHESTRATOR_DEFINITIONS": str(self.folder / "definitions"),
            "ORCHESTRATOR_ENCRYPTION_KEY": KEY,
            "ORCHESTRATOR_ALLOW_HOSTS": self.address,
            "ORCHESTRATOR_CONCURRENCY": "20",
            "ORCHESTRATOR_LOG_LEVEL": "WARNING",
            "ORCHESTRATOR_PUBLIC_URL": self.url,
            "ORCHESTRATOR_WEBHOOK_SECRET": SECRET,
            foreign.BROKER: self.redis.url,
            foreign.BOOKS: str(self.foreign_books),
            "ORCHESTRATOR_VAR_SERVICES_URL": f"http://{self.address}:{self._services_port}",
            FOLDER: str(self.points),
            "PYTHONUNBUFFERED": "1",
        }

    def _write_definitions(self) -> None:
        folder = _made(self.folder / "definitions")
        for document in self._documents:
            (folder / f"{document['type']}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _never_here(workflow_id: str, name: str) -> None:
    """Stands for the workers' task where messages are only sent."""


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _until(holds: Callable[[], bool], what: str, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.05)
