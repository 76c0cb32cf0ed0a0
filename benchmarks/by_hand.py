"""Celery with a table of steps in PostgreSQL, as one writes it oneself."""

import os
import subprocess
import sys

from benchmarks.bare_celery import BareCelery
from benchmarks.children import ROOT
from benchmarks.peer import Crew


class ByHand(BareCelery):
    """The same worker as bare Celery's, other tasks."""

    name = "by_hand"
    title = "by hand: Celery + PostgreSQL"
    uses_postgres = True
    module = "benchmarks.by_hand_app"

    def set_up(self, crew: Crew) -> None:
        """The tables, a worker, a client."""
        self.place.postgres.make(self.name)
        self._make_tables(crew)
        super().set_up(crew)

    def environment(self, crew: Crew) -> dict[str, str]:
        """What worker and client are told."""
        url = self.place.postgres.url(self.name, "postgresql+psycopg")
        return {**super().environment(crew), "BENCH_DATABASE_URL": url}

    def _make_tables(self, crew: Crew) -> None:
        make = "from benchmarks.by_hand_app import engine, metadata; metadata.create_all(engine())"
        subprocess.run([sys.executable, "-c", make], env={**os.environ, **self.environment(crew)}, cwd=ROOT, check=True)

    def recorded(self) -> bool:
        """Whether every workflow's row says so."""
        return self.place.postgres.number(self.name, "SELECT count(*) FROM workflow WHERE status <> 'completed'") == 0

    def tear_down(self) -> None:
        """And drop the database."""
        super().tear_down()
        self.place.postgres.drop(self.name)
