"""DBOS: durable functions in one's own processes, on PostgreSQL, without a broker."""

import importlib.util
import json

from benchmarks.children import PYTHON
from benchmarks.peer import Crew, Peer
from benchmarks.shapes import Shape


class Dbos(Peer):
    """Each process runs what it has started; half is started by each."""

    name = "dbos"
    title = "DBOS"
    uses_postgres = True

    @classmethod
    def missing(cls) -> str | None:
        """Its package."""
        return None if importlib.util.find_spec("dbos") else "pip install dbos"

    def set_up(self, crew: Crew) -> None:
        """The database and the processes; the first of them makes the tables."""
        self.place.postgres.make(self.name)
        for number in range(crew.processes):
            environment = {
                "BENCH_DATABASE_URL": self.place.postgres.url(self.name),
                "BENCH_EXECUTOR": f"bench-{number}",
                "BENCH_CONCURRENCY": str(crew.concurrency),
            }
            self.add_worker([*PYTHON, "benchmarks.dbos_app"], environment, talks=True).hear()

    def start(self, base: str, shape: Shape, count: int) -> None:
        """A share for each process."""
        shares = [len(range(number, count, len(self.workers))) for number in range(len(self.workers))]
        asked = [(worker, share) for worker, share in zip(self.workers, shares, strict=True) if share]
        for worker, share in asked:
            worker.tell(json.dumps({"base": base, "shape": shape.name, "count": share}))
        for worker, _ in asked:
            worker.hear()

    def recorded(self) -> bool:
        """Whether every workflow has succeeded."""
        query = "SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'"
        return self.place.postgres.number(self.name, query) == 0

    def tear_down(self) -> None:
        """And drop the database."""
        super().tear_down()
        self.place.postgres.drop(self.name)
