"""Celery with a table of steps in PostgreSQL, as one writes it oneself."""

from benchmarks.bare_celery import BareCelery
from benchmarks.peer import Crew

TABLES = (
    "CREATE TABLE workflow (id text PRIMARY KEY, kind text NOT NULL, status text NOT NULL, base text NOT NULL)",
    "CREATE INDEX ON workflow (status)",
    "CREATE TABLE step (workflow_id text REFERENCES workflow, name text, stage integer NOT NULL, status text NOT NULL,"
    " attempts integer NOT NULL, result json, PRIMARY KEY (workflow_id, name))",
    "CREATE INDEX ON step (workflow_id, stage)",
)
"""Those of `by_hand_app`'s models."""


class ByHand(BareCelery):
    """The same worker as bare Celery's, other tasks."""

    name = "by_hand"
    title = "by hand: Celery + PostgreSQL"
    uses_postgres = True
    module = "benchmarks.by_hand_app"

    def set_up(self, crew: Crew) -> None:
        """The tables, a worker, a client."""
        self.place.postgres.make(self.name)
        self.place.postgres.run(self.name, *TABLES)
        super().set_up(crew)

    def environment(self, crew: Crew) -> dict[str, str]:
        """What worker and client are told."""
        url = self.place.postgres.url(self.name, "postgresql+psycopg")
        return {**super().environment(crew), "BENCH_DATABASE_URL": url}

    def recorded(self) -> bool:
        """Whether every workflow's row says so."""
        return self.place.postgres.number(self.name, "SELECT count(*) FROM workflow WHERE status <> 'completed'") == 0

    def tear_down(self) -> None:
        """And drop the database."""
        super().tear_down()
        self.place.postgres.drop(self.name)
