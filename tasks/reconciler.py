"""The thread that finds what should be moving and is not: in every worker process, with no leader to lose."""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable

from orchestrator.errors import Unavailable
from orchestrator.ledger import Ledger
from orchestrator.ledger.due import next_due
from orchestrator.ledger.presence import BEAT, SILENCE, beat, leave
from orchestrator.reconciling import Queue, reconcile
from orchestrator.standing import Standing
from orchestrator.workflow import Publication

log = logging.getLogger("orchestrator")

IDLE = 1.0
"""Seconds between two rounds where nothing is known to be due sooner."""


class Reconciler(threading.Thread):
    """Says that its worker lives, and looks at what is due."""

    def __init__(self, ledger: Ledger, queue: Queue, publish: Callable[[Publication], None], worker: str) -> None:
        super().__init__(name="reconciler", daemon=True)
        self._ledger = ledger
        self._queue = queue
        self._publish = publish
        self._worker = worker
        self._wake = threading.Event()
        self._stopped = False
        self._last_beat = -BEAT
        self.standing = Standing(SILENCE)

    def hurry(self) -> None:
        """Something was parked: look again when the next thing is due."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread and sign off: what this worker still held is taken over at once."""
        self._stopped = True
        self._wake.set()
        self.join(timeout=10)
        try:
            leave(self._ledger, self._worker)
        except Unavailable as error:
            log.warning("could not sign off, the others will notice in a while: %s", error)

    def run(self) -> None:
        """Rounds until `stop`. A round that fails is logged and made again: this thread must outlive every server."""
        while not self._stopped:
            try:
                pause = self._round()
            except Unavailable as error:
                log.warning("the ledger cannot be reached: %s", error)
                pause = IDLE
            except Exception:
                log.exception("a round of the reconciler failed")
                pause = IDLE
            # Several workers that wake at the same moment would look at the same rows.
            self._wake.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreading, not a secret
            self._wake.clear()

    def _round(self) -> float:
        self._show_life()
        reconcile(self._ledger, self._queue, self._publish)
        soonest = next_due(self._ledger)
        return IDLE if soonest is None else min(IDLE, max(soonest, 0.01))

    def _show_life(self) -> None:
        began = time.monotonic()
        if began - self._last_beat < BEAT:
            return
        known = beat(self._ledger, self._worker, socket.gethostname(), os.getpid())
        self.standing.shown(began, known=known)
        self._last_beat = time.monotonic()
