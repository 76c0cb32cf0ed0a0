"""A whole installation for a test: a database, Redis, real worker processes, and a person who starts workflows."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import redis
from celery import Celery
from sqlalchemy import select

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from orchestrator.ledger.starting import Start, start
from orchestrator.ledger.tables import events, steps, workers, workflows
from orchestrator.moves.move import Control
from orchestrator.priority import Priority
from orchestrator.reading import read_document
from orchestrator.tether import tethered
from orchestrator.urls import client_url
from tasks.canvas import alone
from tasks.dispatch import Dispatch

ROOT = Path(__file__).resolve().parents[2]
FINAL = ("completed", "failed", "cancelled")
CELERY_WORKER = (sys.executable, "-m", "celery", "-A", "tasks", "worker", "-l", "WARNING")


class Installation:
    """Workers as child processes; starts and reads through the same ledger that they use."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, *, concurrency: int = 100) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")},
            "ORCHESTRATOR_DATABASE_URL": database_url,
            "ORCHESTRATOR_REDIS_URL": redis_url,
            "ORCHESTRATOR_DATA": str(folder / "data"),
            "ORCHESTRATOR_ALLOW_HOSTS": "127.0.0.1",
            "ORCHESTRATOR_CONCURRENCY": str(concurrency),
        }
        self.folder = folder
        self.database = Database(database_url)
        migrate(self.database)
        self.ledger = Ledger(self.database)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.app = Celery("test", broker=redis_url, set_as_current=False)
        self.app.conf.update(task_default_queue="orchestrator", task_ignore_result=True, task_publish_retry=False)
        self.app.conf.result_backend = f"tasks.backend:QuietRedisBackend+{redis_url}"
        self.step_task = self.app.task(_never_here, name="orchestrator.step", shared=False)
        self.publish = Dispatch(self.step_task)

    def add_worker(self, *command: str) -> subprocess.Popen[bytes]:
        """One more `celery -A tasks worker`, or what else is given, ready to work."""
        process = self._launch_worker(*(command or CELERY_WORKER))
        self._await_present(process)
        return process

    def add_workers(self, many: int) -> None:
        """So many more, which start side by side."""
        for process in [self._launch_worker(*CELERY_WORKER) for _ in range(many)]:
            self._await_present(process)

    def _launch_worker(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"worker-{len(self.workers)}.log").open("ab")
        process = subprocess.Popen(
            tethered(command), cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        self.workers.append(process)
        return process

    def _await_present(self, process: subprocess.Popen[bytes]) -> None:
        until(lambda: self._present(process.pid), 30, "the worker to be ready")

    def redis(self) -> redis.Redis:
        """A client of the installation's Redis."""
        return redis.Redis.from_url(client_url(self.environment["ORCHESTRATOR_REDIS_URL"]))

    def close(self) -> None:
        """End everything, warmly first."""
        for process in self.workers:
            process.send_signal(signal.SIGTERM)
        for process in self.workers:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self.app.close()
        self.database.close()

    def start(
        self,
        definition: Definition,
        context: Json = None,
        *,
        key: str | None = None,
        at_once: int | None = None,
        send: bool = True,
        priority: Priority | None = None,
    ) -> str:
        """Start a workflow as the web does, but for its messages where those are not to be sent; gives back its id."""
        started = start(
            self.ledger, definition, Start(context=context or {}, key=key, body_hashes=("same",), priority=priority)
        )
        if send:
            Dispatch(self.step_task, at_once=at_once)(started.publication)
        return started.workflow_id

    def control(self, workflow_id: str, verb: str, **options: bool) -> None:
        """What a person orders."""
        [made] = self.ledger.make([Control(workflow_id, verb, "test", **options)])
        self.publish(made.publication)

    def send_again(self, workflow_id: str, step: str) -> None:
        """A duplicate of a step's message."""
        alone(step, workflow_id=workflow_id, workflow_type="any", step_task=self.step_task).apply_async()

    def wait(self, workflow_id: str, *, seconds: float = 30) -> Mapping[str, Json]:
        """Until the workflow has ended; its row."""
        try:
            until(lambda: self.row(workflow_id)["status"] in FINAL, seconds, f"workflow {workflow_id} to end")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.standing(workflow_id)}") from None
        return self.row(workflow_id)

    def standing(self, workflow_id: str) -> str:
        """How the workflow stands, for a failed test's report."""
        now = time.time()
        rows = [dict(self.row(workflow_id)), *map(dict, self.steps(workflow_id).values())][:40]
        with self.database.reading() as connection:
            alive = [dict(row) for row in connection.execute(select(workers)).mappings()]
        lines = [*map(str, rows), f"now {now}", f"workers {alive}", *map(str, self.events(workflow_id)[-20:])]
        logs = [path.read_text()[-2000:] for path in self.folder.glob("worker-*.log")]
        return "\n".join([*lines, *logs])

    def log(self) -> str:
        """What the workers have said until now."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    def row(self, workflow_id: str) -> Mapping[str, Json]:
        """The workflow's row as it stands."""
        with self.database.reading() as connection:
            return connection.execute(select(workflows).where(workflows.c.id == workflow_id)).mappings().one()

    def steps(self, workflow_id: str) -> dict[str, Mapping[str, Json]]:
        """The steps' rows by name."""
        with self.database.reading() as connection:
            rows = connection.execute(select(steps).where(steps.c.workflow_id == workflow_id)).mappings()
            return {row["name"]: row for row in rows}

    def events(self, workflow_id: str) -> list[Mapping[str, Json]]:
        """The audit log."""
        with self.database.reading() as connection:
            query = select(events).where(events.c.workflow_id == workflow_id).order_by(events.c.id)
            return list(connection.execute(query).mappings())

    def _present(self, pid: int) -> bool:
        with self.database.reading() as connection:
            return connection.execute(select(workers).where(workers.c.pid == pid)).first() is not None


def _never_here(workflow_id: str, name: str) -> None:
    """Stands for the worker's task where messages are only sent."""


def definition(url: str, steps: Mapping[str, Json], **top: Json) -> Definition:
    """A definition whose steps without a `targetUrl` call the service of their own name."""
    whole = {
        name: {"targetUrl": f"{url}/{name}", "retry": {"delay": 0.1, "jitter": "none"}, **step}
        for name, step in steps.items()
    }
    return read_document({"type": "tested", "steps": whole, **top})


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `holds()` is true; say what was waited for where it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


@contextlib.contextmanager
def installed(
    database_url: str, redis_url: str, folder: Path, *, workers: int = 1, **settings: str
) -> Iterator[Installation]:
    """An installation with running workers, which have these settings too."""
    installation = Installation(database_url, redis_url, folder)
    installation.environment |= settings
    try:
        installation.add_workers(workers)
        yield installation
    finally:
        installation.close()
