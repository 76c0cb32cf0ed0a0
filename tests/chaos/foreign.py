"""A team's own Celery worker beside ours: `celery -A tests.chaos.foreign worker`, with books as the services have them.

It honours keys, also after it was killed: what it has done stands in its books. A task may raise before it acts, or
after that, and may take longer than its caller waits.
"""

import json
import os
import random
import threading
import time
from itertools import count
from pathlib import Path
from typing import TextIO

from celery import Celery, Task

from orchestrator.jsontype import Json
from tests.chaos.forms import TASK

FIRST = 10_000_000
"""What its entries are counted from: those of the services have the smaller numbers."""

QUEUE = "foreign"
BROKER, BOOKS = "FOREIGN_BROKER", "FOREIGN_BOOKS"
FATES = {"ok": 82, "raises": 6, "acts and raises": 6, "takes too long": 6}

app = Celery("foreign", broker=os.environ.get(BROKER))
app.conf.update(task_default_queue=QUEUE, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)
app.conf.broker_transport_options = {"socket_timeout": 5, "socket_connect_timeout": 3}


class Books:
    """What was asked and done, written down at once."""

    def __init__(self, file: Path) -> None:
        lines = file.read_text().splitlines() if file.exists() else []
        entries = [json.loads(line) for line in lines]
        asked = {one["number"]: (one["workflow"], one["step"], one["key"]) for one in entries if one["what"] == "asked"}
        self._done = {asked[one["number"]] for one in entries if one["what"] == "acted"}
        self._seen = [order[:2] for order in asked.values()]
        self._numbers = count(FIRST + len(asked))
        self._lock = threading.Lock()
        self._out: TextIO = file.open("a", buffering=1)

    def ask(self, order: tuple[str, str, str]) -> tuple[int, int]:
        """A task has begun; its number, and how many for the same step came before."""
        with self._lock:
            before = self._seen.count(order[:2])
            self._seen.append(order[:2])
            number = next(self._numbers)
            self.write("asked", number, workflow=order[0], step=order[1], key=order[2], kind="keyed")
            return number, before

    def act(self, number: int, order: tuple[str, str, str]) -> None:
        """It takes effect, unless it has."""
        with self._lock:
            if order not in self._done:
                self._done.add(order)
                self.write("acted", number)

    def write(self, what: str, number: int, **details: Json) -> None:
        """One entry."""
        self._out.write(json.dumps({"what": what, "number": number, "at": time.time(), **details}) + "\n")


books = Books(Path(os.environ[BOOKS])) if BOOKS in os.environ else None


@app.task(name="chaos.carry_out", bind=True, ignore_result=True)
def carry_out(self: Task, n: int) -> dict[str, Json]:
    """What a step of a workflow wants done."""
    assert books is not None, "the worker knows where its books are"
    order = tuple(str(self.request.get(name)) for name in ("workflow_id", "step", "idempotency_key"))
    number, before = books.ask((order[0], order[1], order[2]))
    dice = random.Random(f"{n}/{order[1]}/{before}")
    fate = dice.choices(list(FATES), list(FATES.values()))[0]
    if fate != "raises":
        books.act(number, (order[0], order[1], order[2]))
    time.sleep(TASK + 1 if fate == "takes too long" else dice.uniform(0.02, 0.5))
    books.write("answered", number, fate=fate)
    if "raises" in fate:
        raise RuntimeError(fate)
    return {"by": order[1], "number": number}
