"""Whether a worker may still act on what it claimed: only as long as it was not taken for dead meanwhile.

A worker that shows no sign of life for a while is taken for dead, and others take its steps over. One that was only
frozen (a paused virtual machine, a host that slept, SIGSTOP) does not know that: it goes on in the middle of what it
did, and would make a call which another worker made long ago, and which may even have been undone. So this is asked in
the very moment in which a request goes out.

Nor may one that was held up say of others that they are lost: what held it up may have held up all of them.
"""

import math
import time
from collections.abc import Callable

Holds = Callable[[], bool]
"""Whether what was claimed when this was asked for is still the worker's own."""


class Standing:
    """One worker's. Safe to use from any thread.

    `silence` is how long (seconds) others wait for a sign of life; after a gap of more than `gap` seconds between two
    signs the worker was held up by something, be it itself or the database.
    """

    def __init__(self, silence: float, gap: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._silence = silence
        self._gap = gap
        self._clock = clock
        # Whom nobody has seen yet nobody can take for dead.
        self._sure_until = math.inf
        self._deaths = 0
        self._steady_since = math.inf
        self._last_at = -math.inf

    def shown(self, began_at: float, *, known: bool) -> None:
        """A sign of life was recorded; `began_at` is the clock before that, `known` whether an earlier one was there.

        Who is not known any more was taken for dead: what it held then is not its own.
        """
        if not known and self._sure_until != math.inf:
            self._deaths += 1
        self._sure_until = began_at + self._silence
        now = self._clock()
        if now - self._last_at > self._gap:
            self._steady_since = now
        self._last_at = now

    def steady_for(self) -> float:
        """Seconds for which signs of life have been recorded without a gap; nothing where the last one is overdue."""
        now = self._clock()
        return 0.0 if now - self._last_at > self._gap else now - self._steady_since

    def from_now(self) -> Holds:
        """To be called before a claim; what it gives back is asked before acting on it."""
        deaths = self._deaths
        return lambda: self._deaths == deaths and self._clock() < self._sure_until
