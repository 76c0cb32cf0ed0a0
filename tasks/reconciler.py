"""The thread that finds what should be moving and is not: in every worker process, with no leader to lose."""

import logging
import random
import threading
import time
from collections.abc import Callable

from orchestrator import meters
from orchestrator.errors import Unavailable
from orchestrator.ledger import Ledger
from orchestrator.ledger.due import next_due, recall
from orchestrator.ledger.presence import STEADY, bury
from orchestrator.moves.advancing import GRACE
from orchestrator.reconciling import Left, reconcile
from orchestrator.standing import Standing
from orchestrator.workflow import Publication
from tasks.queue import RedisQueue

log = logging.getLogger("orchestrator")

IDLE = 1.0
"""Seconds between two rounds where nothing is known to be due sooner."""

LEAST, LEAST_BESIDE_OTHERS = 0.01, 0.25
"""Seconds between two rounds at least: as a rule, and while something is due that this worker cannot look at, or that
merely queues. In a long queue that is always so: without a rest the rounds would cost more than the work."""


class Reconciler(threading.Thread):
    """Looks at what is due. What `standing` says of its own worker decides whether it may say that others are lost."""

    def __init__(
        self, ledger: Ledger, queue: RedisQueue, publish: Callable[[Publication], None], standing: Standing
    ) -> None:
        super().__init__(name="reconciler", daemon=True)
        self._ledger = ledger
        self._queue = queue
        self._publish = publish
        self._standing = standing
        self._left = Left()
        self._wake = threading.Event()
        self._stopped = False

    def hurry(self) -> None:
        """Something was parked: look again when the next thing is due."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._wake.set()
        self.join(timeout=10)

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
        if self._standing.steady_for() >= STEADY:
            for name in bury(self._ledger):
                log.warning("worker %s is lost; its steps are taken over", name)
        if self._queue.was_emptied():
            log.warning("Redis has lost its messages; %d steps are sent again", recall(self._ledger, GRACE))
        began = time.monotonic()
        looked = reconcile(self._ledger, self._queue, self._publish, self._left)
        meters.looked(looked.rows, time.monotonic() - began)
        soonest = next_due(self._ledger)
        # What is left to others stays due until they have looked.
        least = LEAST_BESIDE_OTHERS if self._left or looked.queued else LEAST
        return IDLE if soonest is None else min(IDLE, max(soonest, least))
