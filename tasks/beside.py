"""Threads for the steps that a worker keeps beside one another: the branches of a workflow that it goes on with.

Only where it may go on at all, and as many beside Celery's own threads as there are of these. More branches than fit
are left to Celery, which spreads them over all workers.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tasks.going_on import may_go_on

log = logging.getLogger("orchestrator")

MOST = 16
"""Steps that are kept after one outcome: more are worth the way to other workers."""


class Beside:
    """`threads` is how many attempts there may be beside those of Celery's own threads."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._busy = 0
        self._lock = threading.Lock()
        # Who asks for room at the same moment as others may be given the same: nobody waits for a thread even so.
        self._pool = ThreadPoolExecutor(2 * threads, thread_name_prefix="beside")

    def room(self) -> int:
        """How many steps may be kept now, the one that the asking thread goes on with included; 0: none at all."""
        return min(MOST, 1 + max(0, self._threads - self._busy)) if may_go_on() else 0

    def run(self, job: Callable[[], object]) -> None:
        """Have it done in another thread; where the process is about to end, in this one."""
        with self._lock:
            self._busy += 1
        try:
            self._pool.submit(self._run, job)
        except RuntimeError:
            self._run(job)

    def _run(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:
            # As where Celery's own task fails: the step is taken over once its lease has ended.
            log.error("an attempt beside another ended unexpectedly: %s: %s", type(error).__name__, error)
        finally:
            with self._lock:
                self._busy -= 1
