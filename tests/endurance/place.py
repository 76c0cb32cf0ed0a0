"""All processes of one measurement: database, Redis, services, web, workers that count."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import requests
import yaml
from sqlalchemy import text

from orchestrator.jsontype import Json
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from tests.chaos.processes import Kept
from tests.endurance.watched import Tally, read
from tests.servers import PostgresServer, RedisServer, free_port
from tests.system.services import Services

Kind = Literal["postgresql", "sqlite"]
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
LOOPBACK = "127.0.0.1"


class Place:
    """One installation. Web and workers are started when they are asked for; all ends with the block."""

    def __init__(self, folder: Path, kind: Kind, steps: Mapping[str, Mapping[str, Json]], **settings: str) -> None:
        self.folder = folder
        self.kind = kind
        self.redis = RedisServer(_made(folder / "redis"))
        self.postgres = PostgresServer(folder / "postgres", synchronous_commit="on") if kind == "postgresql" else None
        self.services = Services()
        self.workers: list[Kept] = []
        self.web: Kept | None = None
        self._steps = steps
        self._settings = settings
        self._port = free_port()

    def __enter__(self) -> "Place":
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for kept in [*self.workers, *([self.web] if self.web else [])]:
            kept.stop(3)
        if hasattr(self, "database"):
            self.database.close()
        self.services.__exit__()
        if self.postgres is not None:
            self.postgres.stop()
        self.redis.kill()

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{LOOPBACK}:{self._port}"

    def add_web(self) -> Kept:
        """The web, ready to answer."""
        command = [sys.executable, "-m", "orchestrator.cli", "web", "--host", LOOPBACK, "--port", str(self._port)]
        self.web = Kept("web", command, self._environment(), self.folder)
        self.web.start()
        until(lambda: _answers(f"{self.url}/healthz"), 40, "the web to answer")
        return self.web

    def add_worker(self) -> Kept:
        """One more worker, ready to work."""
        name = f"worker-{len(self.workers) + 1}"
        options = (str(self.folder), "--loglevel=WARNING", f"--hostname={name}@%h")
        command = [sys.executable, "-m", "tests.endurance.watched", *options]
        worker = Kept(name, command, self._environment(), self.folder)
        worker.start()
        self.workers.append(worker)
        until(lambda: self.number("SELECT count(*) FROM workers") >= len(self.workers), 40, f"{name} to be ready")
        until(lambda: read(self.folder, worker.pid) is not None, 10, f"{name} to count")
        return worker

    def tally(self, worker: Kept) -> Tally:
        """What it has counted until now."""
        found = read(self.folder, worker.pid)
        assert found is not None, f"{worker.name} has counted nothing"
        return found

    def start(self, context: Json = None, type_: str = "measured") -> requests.Response:
        """Start a workflow over HTTP."""
        body = {"type": type_, "context": context or {}}
        return requests.post(f"{self.url}/api/workflows", json=body, timeout=30)

    def number(self, query: str, **values: Json) -> int:
        """What a query of one number finds."""
        with self.database.reading() as connection:
            return int(connection.execute(text(query), values).scalar_one() or 0)

    def redis_bytes(self) -> int:
        """What Redis holds in memory."""
        with self.redis.client() as client:
            return int(client.info("memory")["used_memory"])

    def _set_up(self) -> None:
        self.services.__enter__()
        definitions = _made(self.folder / "definitions")
        document = {
            "type": "measured",
            "steps": {name: self._with_url(name, step) for name, step in self._steps.items()},
        }
        (definitions / "measured.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        self.redis.start()
        self.database = Database(self._database_url())
        migrate(self.database)

    def _with_url(self, name: str, step: Mapping[str, Json]) -> dict[str, Json]:
        return dict(step) if {"wait", "targetUrl"} & set(step) else {"targetUrl": f"{self.services.url}/{name}", **step}

    def _database_url(self) -> str:
        if self.postgres is None:
            return f"sqlite:///{self.folder / 'ledger.sqlite3'}"
        self.postgres.start()
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE endurance")
        parts = urlsplit(self.postgres.admin_url)
        return urlunsplit(parts._replace(scheme="postgresql+psycopg", path="/endurance"))

    def _environment(self) -> dict[str, str]:
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        return {
            **foreign,
            "ORCHESTRATOR_DATABASE_URL": self.database.engine.url.render_as_string(hide_password=False),
            "ORCHESTRATOR_REDIS_URL": self.redis.url,
            "ORCHESTRATOR_DATA": str(self.folder / "data"),
            "ORCHESTRATOR_DEFINITIONS": str(self.folder / "definitions"),
            "ORCHESTRATOR_ENCRYPTION_KEY": KEY,
            "ORCHESTRATOR_ALLOW_HOSTS": "localhost,127.0.0.0/8",
            "ORCHESTRATOR_LOG_LEVEL": "WARNING",
            **self._settings,
        }


def footprint(pid: int) -> dict[str, float]:
    """Of a process with its children: resident MiB, threads, open files (sockets too), CPU seconds."""
    one = psutil.Process(pid)
    all_ = [one, *one.children(recursive=True)]
    return {
        "rss": sum(each.memory_info().rss for each in all_) / 2**20,
        "threads": sum(each.num_threads() for each in all_),
        "files": sum(each.num_fds() for each in all_),
        "cpu": sum(sum(each.cpu_times()[:2]) for each in all_),
    }


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.1)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest one; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def load() -> str:
    """How busy the machine was, for whoever reads the numbers."""
    averages = " ".join(f"{each:.1f}" for each in psutil.getloadavg())
    return f"machine: {psutil.cpu_count()} cores, load averages {averages}"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
