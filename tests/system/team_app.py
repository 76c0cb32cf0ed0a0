"""The Celery application of a team that knows nothing of workflows: its own tasks, queue and worker (no tests here)."""

import os
import time
from pathlib import Path

from celery import Celery, Task

app = Celery("team", broker=os.environ["TEAM_BROKER"], backend=os.environ.get("TEAM_BACKEND"))
app.conf.worker_hijack_root_logger = False


@app.task(name="team.add", bind=True)
def add(self: Task, one: int, other: int, *, slowly: float = 0.0) -> dict[str, object]:
    """Adds, and notes who asked."""
    time.sleep(slowly)
    with Path(os.environ["TEAM_BOOKS"]).open("a") as books:
        books.write(f"{self.request.id} {self.request.get('idempotency_key')}\n")
    return {"sum": one + other}


@app.task(name="team.fail")
def fail() -> None:
    """Fails."""
    raise RuntimeError("no stock")
