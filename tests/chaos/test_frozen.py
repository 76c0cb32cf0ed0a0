"""A worker that is frozen holds nobody up for long, and does no harm when it goes on."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.chaos.drawing import SERVICES
from tests.chaos.processes import Kept
from tests.chaos.record import read_books
from tests.chaos.stage import Stage

DOCUMENT = {
    "type": "frozen",
    "steps": {
        "a": {
            "targetUrl": f"{SERVICES}/careless/a",
            "query": {"n": "${context.n}"},
            "retry": {"delay": 0.1, "maxDelay": 0.1},
        }
    },
}
SEED = 5
"""With which the service says yes both times."""


class Client:
    """Starts workflows and looks at them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def start(self) -> str:
        """A workflow; gives back its address."""
        body = {"type": "frozen", "context": {"n": 1}}
        answer = requests.post(f"{self.stage.url}/api/workflows", json=body, timeout=10)
        return f"{self.stage.url}{answer.headers['Location']}"

    def completed(self, url: str) -> bool:
        """Whether it is."""
        return bool(requests.get(url, timeout=10).json()["status"] == "completed")

    def frozen_at(self, point: str, url: str) -> Kept:
        """The worker that has frozen at the point, on its way to that workflow's end."""
        frozen: list[int] = []

        def look() -> bool:
            pid = self.stage.obeyed(point)
            frozen.extend([pid] if pid else [])
            return bool(frozen)

        until(self.stage, look, 20, f"a worker to freeze at {point}; there is {requests.get(url, timeout=10).text}")
        return next(worker for worker in self.stage.workers if worker.pid == frozen[0])


def until(stage: Stage, holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Keep the stage's processes running until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        stage.tend()
        time.sleep(0.05)


@pytest.mark.slow
def test_a_worker_frozen_before_its_call_does_not_make_it_after_another_one_did(folder: Path) -> None:
    """By then the step may have been undone: a service that does not honour keys would do it again, for good."""
    with Stage(folder, "sqlite", [DOCUMENT], seed=SEED, workers=2) as stage:
        client = Client(stage)
        stage.order("claimed", signal.SIGSTOP)
        url = client.start()
        worker = client.frozen_at("claimed", url)
        until(stage, lambda: client.completed(url), 25, "another worker to take over")
        worker.send(signal.SIGCONT)
        until(stage, lambda: "step.late" in requests.get(f"{url}/events", timeout=10).text, 15, "the late settle")
        assert len(read_books(stage.books).calls) == 1


@pytest.mark.slow
def test_a_worker_frozen_in_a_transaction_holds_up_nobody_for_long(folder: Path) -> None:
    """PostgreSQL ends the transaction: the workflow that it had locked goes on while the worker is still frozen."""
    with Stage(folder, "postgresql", [DOCUMENT], seed=SEED, workers=2) as stage:
        client = Client(stage)
        stage.order("locked", signal.SIGSTOP)
        url = client.start()
        worker = client.frozen_at("locked", url)
        until(stage, lambda: client.completed(url), 25, "the workflow to go on without the frozen worker")
        worker.send(signal.SIGCONT)
        again = client.start()
        until(stage, lambda: client.completed(again), 25, "work to go on with it")
        assert worker.alive
        assert len(read_books(stage.books).calls) == 2
