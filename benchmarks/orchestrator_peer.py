"""This project: `orchestrator worker` on PostgreSQL, the same on SQLite, and with Celery's events for Flower on."""

import shutil
import sqlite3
from pathlib import Path

from benchmarks.children import PYTHON
from benchmarks.peer import Crew, Peer

UNDER_WAY = "SELECT count(*) FROM workflows WHERE status IN ('running', 'paused', 'compensating')"


class Orchestrator(Peer):
    """On PostgreSQL."""

    name = "orchestrator"
    title = "celery-orchestrator"
    uses_redis = True
    uses_postgres = True
    options: tuple[str, ...] = ()

    def set_up(self, crew: Crew) -> None:
        """The tables, the workers, a client."""
        self.place.redis.empty()
        shutil.rmtree(self.data, ignore_errors=True)
        self.make_database()
        environment = self.environment(crew)
        command = [*PYTHON, "orchestrator.cli", "worker", "--processes", str(crew.processes), *self.options]
        worker = self.add_worker(command, environment)
        worker.wait_ready(lambda: self.present() == crew.processes, "the orchestrator's workers")
        self.add_client("benchmarks.orchestrator_app", environment)

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.place.folder / self.name

    def environment(self, crew: Crew) -> dict[str, str]:
        """What worker, client and web are told."""
        return {
            "ORCHESTRATOR_DATABASE_URL": self.database_url,
            "ORCHESTRATOR_REDIS_URL": self.place.redis.url,
            "ORCHESTRATOR_DATA": str(self.data),
            "ORCHESTRATOR_ALLOW_HOSTS": "127.0.0.1",
            "ORCHESTRATOR_CONCURRENCY": str(crew.concurrency),
            "ORCHESTRATOR_VAR_SERVICES_URL": self.place.services.url,
        }

    @property
    def database_url(self) -> str:
        """As SQLAlchemy reads it."""
        return self.place.postgres.url(self.name, "postgresql+psycopg")

    def make_database(self) -> None:
        """An empty one; the worker makes the tables."""
        self.place.postgres.make(self.name)

    def count(self, query: str) -> int:
        """What a query of one number finds; -1 while there are no tables."""
        return self.place.postgres.number(self.name, query)

    def present(self) -> int:
        """How many workers have said that they live."""
        return self.count("SELECT count(*) FROM workers")

    def recorded(self) -> bool:
        """Whether every workflow is over."""
        return self.under_way() == 0

    def under_way(self) -> int:
        """How many workflows are not over."""
        return self.count(UNDER_WAY)

    def tear_down(self) -> None:
        """And drop the database."""
        super().tear_down()
        self.place.postgres.drop(self.name)


class WithEvents(Orchestrator):
    """As one runs it beside Flower."""

    name = "orchestrator_events"
    title = "… with events for Flower"
    options = ("--", "-E")


class OnSqlite(Orchestrator):
    """As a newcomer runs it."""

    name = "orchestrator_sqlite"
    title = "… on SQLite"
    uses_postgres = False

    @property
    def database_url(self) -> str:
        """A file."""
        return f"sqlite:///{self._file}"

    def make_database(self) -> None:
        """The worker makes it, in a folder that is there."""
        self.data.mkdir()

    def count(self, query: str) -> int:
        """Read without a lock."""
        if not self._file.exists():
            return -1
        connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)
        try:
            [number] = connection.execute(query).fetchone()
            return int(number)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return -1
            raise
        finally:
            connection.close()

    def tear_down(self) -> None:
        """And forget the file."""
        Peer.tear_down(self)
        shutil.rmtree(self.data, ignore_errors=True)

    @property
    def _file(self) -> Path:
        return self.data / "ledger.sqlite3"
