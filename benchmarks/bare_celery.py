"""The yardstick: Celery's canvas alone, no ledger. What it loses, it loses."""

from benchmarks.children import PYTHON
from benchmarks.peer import Crew, Peer


class BareCelery(Peer):
    """One `celery worker`: prefork, as Celery comes; threads where one process is to have many calls under way."""

    name = "bare"
    title = "bare Celery"
    uses_redis = True
    module = "benchmarks.bare_celery_app"

    def set_up(self, crew: Crew) -> None:
        """A worker and a client."""
        self.place.redis.empty()
        environment = self.environment(crew)
        pool = f"--pool=threads --concurrency={crew.concurrency}" if crew.processes == 1 else ""
        pool = pool or f"--pool=prefork --concurrency={crew.processes}"
        command = [*PYTHON, "celery", "-A", self.module, "worker", "--loglevel=INFO", *pool.split()]
        worker = self.add_worker(command, environment)
        worker.wait_ready(lambda: " ready." in worker.said(), "the Celery worker")
        self.add_client(self.module, environment)

    def environment(self, crew: Crew) -> dict[str, str]:
        """What worker and client are told."""
        return {"BENCH_REDIS_URL": self.place.redis.url, "BENCH_CONCURRENCY": str(_calls_of_a_process(crew))}

    def recorded(self) -> bool:
        """There is no record; the queue is empty."""
        return self.place.redis.client.llen(self.name) == 0


def _calls_of_a_process(crew: Crew) -> int:
    return crew.concurrency if crew.processes == 1 else 1
