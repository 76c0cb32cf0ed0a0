"""What only this project has: starts and status requests over HTTP, while workers run, with a full ledger."""

import contextlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from benchmarks.accounting import cpu_seconds
from benchmarks.children import PYTHON, Child, until
from benchmarks.figures import Figure, Measured
from benchmarks.load import Load, generate, request
from benchmarks.orchestrator_peer import Orchestrator
from benchmarks.prefill import copy_id, prefill
from benchmarks.servers import free_port
from benchmarks.shapes import SUBSCRIPTION
from benchmarks.workloads import STEADY, run

START = request("POST", "/api/subscribe", json.dumps({"email": "ada@example.com", "plan": "pro"}).encode())
STARTS = 50
READS = 100
"""Requests a second where the web is not asked for all that it can do."""

BACKLOG = 100
"""Workflows that always are under way at least while the workers are kept busy."""


@dataclass(frozen=True)
class WebScale:
    """How many finished workflows are in the ledger, and how long each load goes on, in seconds."""

    ledger: int
    seconds: float


class Web:
    """An installation with a full ledger and `orchestrator web` beside its workers."""

    def __init__(self, peer: Orchestrator, scale: WebScale) -> None:
        self.peer = peer
        self.scale = scale
        self.port = free_port()
        self._child: Child | None = None

    def set_up(self) -> float:
        """Everything, started; returns the seconds that it took to fill the ledger."""
        self.peer.set_up(STEADY)
        first = run(self.peer, SUBSCRIPTION, 20).calls[0].workflow
        took = prefill(self.peer.database_url, first, self.scale.ledger)
        command = [*PYTHON, "orchestrator.cli", "web", "--port", str(self.port)]
        self._child = Child(command, self.peer.log("web"), self.peer.environment(STEADY))
        self._child.wait_ready(self._answers, "the web")
        return took

    @property
    def pid(self) -> int:
        """Of the process that watches over those that serve."""
        assert self._child is not None, "set up first"
        return self._child.pid

    @property
    def processes(self) -> int:
        """How many serve."""
        return len(psutil.Process(self.pid).children(recursive=True))

    def start(self) -> Measured:
        """As many starts as come through 8 connections, then a steady pace of them, while workers run what comes."""
        cpu = cpu_seconds([self.pid])
        most = self._load(lambda _: START, 202)
        cpu = cpu_seconds([self.pid]) - cpu
        self._drain()
        paced = self._load(lambda _: START, 202, pace=STARTS)
        self._drain()
        return {
            "rate": most.rate / self.processes,
            "cpu": cpu / len(most.latencies) * 1000,
            "p99": most.p(99),
            "paced": paced.p(99),
        }

    def status(self) -> Measured:
        """Of any workflow in the ledger, while the workers have more than they can do."""
        choose = random.Random(1)
        paths = [f"/api/workflows/{copy_id(choose.randrange(self.scale.ledger))}" for _ in range(1000)]
        with self._busy():
            cpu = cpu_seconds([self.pid])
            found = self._load(lambda number: request("GET", paths[number % len(paths)]), 200, pace=READS)
            cpu = cpu_seconds([self.pid]) - cpu
        self._drain()
        return {"p50": found.p(50), "p99": found.p(99), "cpu": cpu / len(found.latencies) * 1000}

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        """Workflows are started again and again, so that the workers always have more than they can do."""
        over = threading.Event()

        def keep_busy() -> None:
            while not over.is_set():
                self.peer.start(self.peer.place.services.url, SUBSCRIPTION, BACKLOG)
                while self.peer.under_way() > BACKLOG and not over.wait(0.1):
                    pass

        starting = threading.Thread(target=keep_busy)
        starting.start()
        try:
            until(lambda: self.peer.under_way() > BACKLOG // 2, "the workers to be busy")
            yield
        finally:
            over.set()
            starting.join()

    def tear_down(self) -> None:
        """Stop it, and drop the ledger."""
        if self._child is not None:
            self._child.end()
        self.peer.tear_down()

    def _load(self, make: Callable[[int], bytes], status: int, pace: float | None = None) -> Load:
        load = generate(self.port, make, connections=8, seconds=self.scale.seconds, pace=pace)
        load.expect(status)
        return load

    def _drain(self) -> None:
        until(self.peer.recorded, "the workers to end what was started", seconds=600)

    def _answers(self) -> bool:
        try:
            return generate(self.port, lambda _: request("GET", "/healthz"), connections=1, seconds=0.01).rate > 0
        except (OSError, EOFError):
            return False


START_FIGURES = (
    Figure("rate", "starts a second and web process, 8 connections", "/s", "≥ 500", 0),
    Figure("cpu", "CPU of the web for a start", "ms", "", 2),
    Figure("p99", "p99 of these", "ms", "", 1),
    Figure("paced", f"p99 at {STARTS} starts a second", "ms", "≤ 20 ms", 1),
)
STATUS_FIGURES = (
    Figure("p50", f"p50 at {READS} requests a second", "ms", "", 1),
    Figure("p99", "p99", "ms", "≤ 20 ms", 1),
    Figure("cpu", "CPU of the web for a request", "ms", "", 2),
)
