"""What clients do: start workflows at a steady rate, some twice at the same moment, and order some to stop or wait.

Who gets no answer asks again with the same start key, as long as it takes: a start that was answered once is accepted,
one that was not may or may not be.
"""

import contextlib
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from orchestrator.jsontype import Json

PATIENCE = 4.0
"""Seconds that a client waits for an answer before it asks again."""

CLIENTS = 32


@dataclass(frozen=True)
class Order:
    """What a client orders `after` so many seconds: `cancel`, or `pause` and after `lasts` seconds `resume`."""

    verb: str
    after: float
    lasts: float = 0.0
    compensate: bool = True


@dataclass(frozen=True)
class Planned:
    """A start, `at` seconds after the beginning; `twice`: by two clients at the same moment.

    It is put off by `delay` seconds (0: not at all).
    """

    at: float
    number: int
    type: str
    lucky: bool
    twice: bool
    order: Order | None
    delay: float = 0.0


@dataclass
class Start:
    """What a client was told: the ids of its 202s (more than one would be wrong), when it asked first.

    It wanted it put off by `delay` seconds.
    """

    number: int
    key: str
    type: str
    asked_at: float
    ids: set[str] = field(default_factory=set)
    delay: float = 0.0


def planned(seed: int, types: Sequence[str], *, seconds: float, rate: float) -> list[Planned]:
    """The starts of a run, by their time."""
    dice = random.Random(f"load {seed}")
    starts: list[Planned] = []
    at = 0.0
    while (at := at + dice.expovariate(rate)) < seconds:
        number = len(starts)
        starts.append(
            Planned(
                *(at, number, dice.choice(types), dice.random() < 0.7, dice.random() < 0.08, _any_order(dice)),
                delay=round(dice.uniform(0.5, 4.0), 1) if dice.random() < 0.07 else 0.0,
            )
        )
    return starts


def _any_order(dice: random.Random) -> Order | None:
    verb = dice.choices([None, "cancel", "pause"], [90, 5, 5])[0]
    if verb is None:
        return None
    after, lasts = dice.uniform(0, 2), dice.uniform(0.5, 6)
    return Order(verb, after, lasts, compensate=dice.random() < 0.8)


class Load:
    """The clients. What they were told is in `starts`."""

    def __init__(self, url: str, seed: int, plan: Sequence[Planned]) -> None:
        self.starts: list[Start] = []
        self._url = url
        self._seed = seed
        self._plan = plan
        self._clients = ThreadPoolExecutor(CLIENTS, thread_name_prefix="client")
        self._lead = threading.Thread(target=self._run, name="load", daemon=True)
        self._local = threading.local()
        self._under_way: list[Future[None]] = []
        self._give_up = threading.Event()

    def begin(self) -> None:
        """Start to start."""
        self._lead.start()

    def end(self, seconds: float) -> None:
        """Return when every client has its answer; after `seconds` they give up."""
        deadline = time.monotonic() + seconds
        self._lead.join(seconds)
        for future in self._under_way:
            with contextlib.suppress(TimeoutError):
                future.exception(max(0.0, deadline - time.monotonic()))
        self.stop()

    def stop(self) -> None:
        """Nobody asks any more."""
        self._give_up.set()
        self._clients.shutdown(wait=True, cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether a client still has something to do."""
        return self._lead.is_alive() or not all(future.done() for future in self._under_way)

    def _run(self) -> None:
        began = time.monotonic()
        for one in self._plan:
            if self._give_up.wait(max(0.0, began + one.at - time.monotonic())):
                return
            start = Start(one.number, f"{self._seed}-{one.number}", one.type, time.time(), delay=one.delay)
            self.starts.append(start)
            for _ in range(2 if one.twice else 1):
                self._under_way.append(self._clients.submit(self._start, one, start))

    def _start(self, one: Planned, start: Start) -> None:
        body = {"type": one.type, "context": {"n": one.number, "lucky": one.lucky}}
        body |= {"delay": one.delay} if one.delay else {}
        answer = self._insist("/api/workflows", (202,), json=body, headers={"Idempotency-Key": start.key})
        if answer is not None:
            start.ids.add(answer.json()["workflowId"])
        for workflow_id in list(start.ids) if one.order else ():
            assert one.order is not None
            self._obey(workflow_id, one.order)

    def _obey(self, workflow_id: str, order: Order) -> None:
        self._give_up.wait(order.after)
        if order.verb == "cancel":
            self._say(workflow_id, f"cancel?compensate={str(order.compensate).lower()}")
            return
        self._say(workflow_id, "pause")
        self._give_up.wait(order.lasts)
        self._say(workflow_id, "resume")

    def _say(self, workflow_id: str, what: str) -> None:
        """Until it was done, or is refused because the workflow has ended."""
        self._insist(f"/api/workflows/{workflow_id}/{what}", (202, 404, 409))

    def _insist(self, path: str, wanted: Sequence[int], **options: Json) -> requests.Response | None:
        """POST again and again, a little later each time, until such an answer comes; None where all give up before."""
        pause = 0.2
        while not self._give_up.is_set():
            with contextlib.suppress(requests.RequestException):
                answer = self._session().post(f"{self._url}{path}", timeout=PATIENCE, **options)
                if answer.status_code in wanted:
                    return answer
            self._give_up.wait(pause)
            pause = min(pause * 1.5, 2.0)
        return None

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session
