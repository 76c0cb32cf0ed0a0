"""Sending after the answer: a thread of the web's sends what was committed, so that no client waits for Redis.

What it has not sent when its process is killed is ready in the ledger, where the reconciler finds it, as it finds what
was not sent because Redis was away. A process that ends in peace sends it first.
"""

import atexit
import logging
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from orchestrator.workflow import Publication

log = logging.getLogger("orchestrator")

MOST = 10_000
"""Publications that may wait: with more the broker is too slow, and the rest is left to the reconciler."""

AT_ONCE = 100
"""Publications that are sent together at most."""

GRACE = 5.0
"""Seconds that the end of the process waits for what is left."""


class Posting:
    """Has `send` called in a thread of its own, which begins with the first publication."""

    def __init__(self, send: Callable[[Sequence[Publication]], None]) -> None:
        self._send = send
        self._waiting: SimpleQueue[Publication | None] = SimpleQueue()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, publication: Publication) -> None:
        """Returns at once."""
        if publication and self._waiting.qsize() < MOST:
            self._waiting.put(publication)
            if self._thread is None:
                self._begin()

    def close(self) -> None:
        """Return when all is sent, or after `GRACE` seconds."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(GRACE)

    def _begin(self) -> None:
        with self._beginning:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="posting", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def _run(self) -> None:
        while True:
            batch = self._next()
            try:
                self._send([publication for publication in batch if publication is not None])
            except Exception:
                log.exception("messages could not be sent; they will be sent later")
            if None in batch:
                return

    def _next(self) -> list[Publication | None]:
        """Who waits longest, and with it whoever waits."""
        batch = [self._waiting.get()]
        while len(batch) < AT_ONCE:
            try:
                batch.append(self._waiting.get_nowait())
            except Empty:
                break
        return batch
