"""No host may take all of a worker: which hosts its calls go to, and whose turn it is not, in memory only.

A worker has threads for its places and a few spare ones. As long as calls end, the spare ones do nothing. Once half of
the places have been held for long, they begin to work too, and from then on a host's step is sent aside where its own
long calls are as many as its share. Shares are those of a buffer with dynamic thresholds (Choudhury and Hahne, 1998), a
multiple of what is still free: one host that hangs has all places and no spare one, and several of them, each with
less, still leave something to the others.

Who is sent aside waits in a line of this worker, and is called back when there is room; the ledger has it parked with a
time of its own, for a worker may die with its lines.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from orchestrator.definition import Call

LONG = 3.0
"""Seconds after which a call holds others up, if there are many such: so long may they wait at first."""

LOOKS_EVERY = 0.25
"""Seconds after which a thread that waits for a place looks whether it may have a spare one."""

LONGEST_LINE = 10_000
"""Steps of one host that are called back; those behind them come by their own time."""

COMES_BACK_AFTER, COME_BACK_A_SECOND = 60.0, 20.0
"""Seconds after which a step comes back that nobody has called, and how many of a long line do in a second."""

ON_ITS_WAY = 5.0
"""Seconds for which a step that was called back counts as if it had a place: its message is in the queue."""

EXPECTED = 300.0
"""Seconds within which a step that was called back is let in whoever else is there: the queue may be long."""

Key = tuple[str, str]
"""A workflow's id and the name of a step."""


@dataclass(frozen=True, slots=True)
class Aside:
    """The step may not be called now: its `host` has its share. It comes back after so many `seconds` at the latest."""

    host: str
    seconds: float


def threads_for(places: int) -> int:
    """How many threads a worker of so many calls at once has: a tenth more, but where calls are made one by one."""
    return places + (0 if places == 1 else max(1, places // 10))


def _spare_of(threads: int) -> int:
    return 0 if threads == 1 else max(1, threads // 11)


class Shares:
    """One worker's places, and who has them. Safe to use from any thread.

    `host_of` names the host that a call goes to, None for one that goes nowhere.
    """

    def __init__(
        self, threads: int, host_of: Callable[[Call], str | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host_of = host_of
        self._clock = clock
        self._room = threading.Condition()
        self._inside = 0
        self._since: dict[Key, float] = {}
        self._hosts: dict[Key, str] = {}
        self._calls: dict[str, dict[Key, float]] = {}
        self._lines: dict[str, dict[Key, None]] = {}
        self._called: dict[Key, tuple[float, str]] = {}
        self._ended: Counter[str] = Counter()
        self.fit(threads)

    def fit(self, threads: int) -> None:
        """So many threads the worker has."""
        self._threads, self._spare = threads, _spare_of(threads)
        self._places = threads - self._spare

    @contextmanager
    def place(self) -> Iterator[None]:
        """A thread works on a message. Waits while all places are taken, unless it may have a spare one."""
        with self._room:
            while self._inside >= self._places and not self._held_up():
                self._room.wait(LOOKS_EVERY)
            self._inside += 1
        try:
            yield
        finally:
            with self._room:
                self._inside -= 1
                self._room.notify()

    def aside(self, key: Key, call: Call) -> Aside | None:
        """Whether the step, which is about to be claimed, must be parked instead. If so, it stands in the line."""
        if self._inside <= self._places or (host := self._host_of(call)) is None:
            return None
        with self._room:
            if key in self._called:
                return None
            free = max(0, self._threads - self._inside)
            share = max(self._spare, free * self._places // self._spare)
            if not self._long(self._calls.get(host, {}), share):
                return None
            line = self._lines.setdefault(host, {})
            if len(line) < LONGEST_LINE:
                line[key] = None
            return Aside(host, COMES_BACK_AFTER + len(line) / COME_BACK_A_SECOND)

    def take(self, key: Key, call: Call) -> None:
        """The step is claimed: its call is under way until `drop`."""
        host = self._host_of(call)
        if host is None:
            return
        with self._room:
            self._forget(key)
            now = self._clock()
            self._since[key] = now
            self._hosts[key] = host
            self._calls.setdefault(host, {})[key] = now
            self._called.pop(key, None)
            self._lines.get(host, {}).pop(key, None)

    def drop(self, key: Key) -> None:
        """It is over."""
        with self._room:
            self._forget(key)

    @property
    def has_lines(self) -> bool:
        """Whether anybody waits to be called back."""
        return bool(self._lines)

    def call_back(self) -> list[Key]:
        """Of those in the lines, who has to come now: as many as there are places, each line its part of them.

        And where there are none, as others take each that becomes free: as many as every host may have, and one for
        every two calls to the host that have ended.
        """
        with self._room:
            if not self._lines:
                return []
            now = self._clock()
            self._called = {key: one for key, one in self._called.items() if now - one[0] < EXPECTED}
            coming = Counter(host for at, host in self._called.values() if now - at < ON_ITS_WAY)
            room = max(0, self._places - self._inside - coming.total())
            part = -(-room // len(self._lines))
            return [key for host in list(self._lines) for key in self._next_of(host, part, coming[host], now)]

    def _next_of(self, host: str, part: int, coming: int, now: float) -> list[Key]:
        line = self._lines[host]
        held = len(self._calls.get(host, ())) + coming
        keys = list(islice(line, max(part, self._spare - held, -(-self._ended.pop(host, 0) // 2))))
        for key in keys:
            del line[key]
            self._called[key] = (now, host)
        if not line:
            del self._lines[host]
        return keys

    def _forget(self, key: Key) -> None:
        host = self._hosts.pop(key, None)
        if host is None:
            return
        if host in self._lines:
            self._ended[host] += 1
        del self._since[key]
        calls = self._calls[host]
        del calls[key]
        if not calls:
            del self._calls[host]

    def _held_up(self) -> bool:
        """Whether half of the places have been held for long."""
        return self._long(self._since, max(1, self._places // 2))

    def _long(self, calls: dict[Key, float], share: int) -> bool:
        """Whether so many of the calls last long. They are in the order in which they began."""
        if len(calls) < share:
            return False
        return next(islice(calls.values(), share - 1, None)) <= self._clock() - LONG
