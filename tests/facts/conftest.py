"""One Redis and one worker for most facts, and the hand that sends to it and reads what it wrote down."""

import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis
from celery import Celery

from orchestrator.graph import Graph
from orchestrator.plan import Fragment, plan
from tasks.canvas import canvas
from tests.facts.celery_app import made
from tests.servers import RedisServer, Server, until

ROOT = Path(__file__).parents[2]


class Worker(Server):
    """A Celery worker of threads in a process of its own."""

    def start(self, url: str, ledger: str, *settings: str) -> None:
        """Start it with these environment settings; it may not be ready yet."""
        worker = [sys.executable, "-m", "celery", "--workdir", str(ROOT), "-A", "tests.facts.celery_app", "worker"]
        worker += ["-P", "threads", "-c", "8", "-l", "WARNING", "--without-gossip", "--without-mingle"]
        self.launch(["env", f"FACTS_BROKER_URL={url}", f"FACTS_LEDGER_URL={ledger}", *settings, *worker])


class Run:
    """One run of some steps on the worker: publishes canvases, gives steps their orders, reads what was written."""

    def __init__(self, broker: str, ledger: redis.Redis) -> None:
        self.id = f"run-{uuid.uuid4()}"
        self.broker = redis.Redis.from_url(broker)
        self.ledger = ledger
        self.url = broker
        self.app, self.step = made(broker)

    def orders(self, orders: Mapping[str, str]) -> None:
        """Tell steps to `ignore`, `raise` or `wait` the next time that they run."""
        self.ledger.hset(f"{self.id}:orders", mapping=dict(orders))

    def obey_no_more(self) -> None:
        """From now on every step simply runs."""
        self.ledger.delete(f"{self.id}:orders")

    def publish(self, fragment: Fragment, app: Celery | None = None) -> None:
        """Publish a fragment as the settling worker would."""
        task = (app or self.app).tasks["facts.step"]
        canvas(fragment, workflow_id=self.id, workflow_type="facts", step_task=task).apply_async()

    def publish_all(self, after: Mapping[str, str]) -> None:
        """Publish a graph, given as `step: "its prerequisites"`, that must be one fragment."""
        self.publish(one_fragment(after))

    def drive(self, graph: Graph) -> None:
        """Run a whole graph: publish each fragment when its heads may start, as the ledger does. Returns at its end."""
        planned = plan(graph)
        missing = {name: len(before) for name, before in planned.order.predecessors.items()}
        for fragment in planned.fragments:
            if not missing[fragment.heads[0]]:
                self.publish(fragment)
        left = len(graph)
        deadline = time.monotonic() + 60
        while left:
            assert time.monotonic() < deadline, f"{left} steps are left of {self.lines}"
            line = self.ledger.blmove(self.id, f"{self.id}:read", 1, "LEFT", "RIGHT")
            word, name = (line or b"nothing yet").decode().split()
            if word != "ended":
                continue
            left -= 1
            for following in planned.order.successors[name]:
                missing[following] -= 1
                fragment_ = planned.headed_by(following)
                if not missing[following] and fragment_ is not None and fragment_.heads[0] == following:
                    self.publish(fragment_)
        self.ledger.rename(f"{self.id}:read", self.id)

    def held(self, after: Mapping[str, str]) -> dict[str, bytes]:
        """Publish where no worker listens, and return the messages as they lie in Redis, by step."""
        queue = f"held-{self.id}"
        self.publish(one_fragment(after), made(self.url, queue)[0])
        messages = self.broker.lrange(queue, 0, -1)
        return {json.loads(message)["headers"]["argsrepr"].split("'")[3]: message for message in messages}

    def deliver(self, message: bytes) -> None:
        """Put a raw message into the worker's queue; each copy under a tag of its own, as kombu would."""
        copy = json.loads(message)
        copy["properties"]["delivery_tag"] = str(uuid.uuid4())
        copy["properties"]["delivery_info"]["routing_key"] = "celery"
        self.broker.lpush("celery", json.dumps(copy))

    @property
    def lines(self) -> list[str]:
        """All that was written down so far."""
        return [line.decode() for line in self.ledger.lrange(self.id, 0, -1)]

    def count(self, line: str) -> int:
        """How often this was written down."""
        return self.lines.count(line)

    def until_left(self, *steps: str) -> None:
        """Return when these steps are over and all that follows them has been published."""
        until(lambda: all(f"left {step}" in self.lines for step in steps), f"{steps} are over; there is {self.lines}")

    def until_quiet(self) -> None:
        """Return when the worker has done all that was published before this call."""
        mark = f"mark-{uuid.uuid4()}"
        # The queue is first in, first out: when the mark has come, so has everything before it.
        self.step.apply_async((self.id, mark))
        self.until_left(mark)
        until(lambda: not self.broker.hlen("unacked"), "the last message is acknowledged")


def one_fragment(after: Mapping[str, str]) -> Fragment:
    """The only fragment of a graph, given as `step: "its prerequisites"`."""
    (fragment,) = plan(Graph({step: before.split() for step, before in after.items()})).fragments
    return fragment


@pytest.fixture(scope="package")
def broker(server_folder: Path) -> Iterator[RedisServer]:
    """A Redis for the facts alone."""
    folder = server_folder / "facts"
    folder.mkdir(exist_ok=True)  # packages are begun more than once where tests are spread over processes
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="package")
def worker(broker: RedisServer) -> Iterator[Worker]:
    """A worker that most facts share."""
    worker = Worker(broker.folder / "worker.log")
    worker.start(broker.url, broker.url)
    try:
        yield worker
    finally:
        worker.end(15)  # SIGTERM


@pytest.fixture
def run(broker: RedisServer, worker: Worker) -> Iterator[Run]:
    """A run on the shared worker, which must have outlived it."""
    with broker.client() as ledger:
        yield Run(broker.url, ledger)
    assert worker.child is not None
    assert worker.child.poll() is None, worker.log.read_text()
