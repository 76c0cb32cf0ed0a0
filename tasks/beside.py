"""Threads for the steps that a worker keeps beside one another: the branches of a workflow that it goes on with.

Only where it may go on at all, and as many beside Celery's own threads as there are of these. A step is kept only where
a thread is free for it at once: one that waited for a thread could be taken for lost, and undone, before it is called.
More branches than fit are left to Celery, which spreads them over all workers.
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
        self._free = threads
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="beside")

    def room(self, wanted: int) -> int:
        """Room for so many steps, the one that the asking thread goes on with included: threads are set aside for the
        others. 1 where there are not enough of them, 0 where none at all may be kept."""
        if not may_go_on():
            return 0
        with self._lock:
            if not 1 < wanted <= min(MOST, self._free + 1):
                return 1
            self._free -= wanted - 1
            return wanted

    def give_back(self, threads: int) -> None:
        """So many of those that were set aside are not needed."""
        with self._lock:
            self._free += threads

    def run(self, job: Callable[[], object]) -> None:
        """Have it done in a thread that was set aside; in this one where the process ends or may have no more threads.

        Never twice: the pool may have taken a job in although it says that it could not begin a thread for it.
        """
        taken = threading.Lock()
        try:
            self._pool.submit(self._run, job, taken)
        except RuntimeError:
            self._run(job, taken)

    def _run(self, job: Callable[[], object], taken: threading.Lock) -> None:
        if not taken.acquire(blocking=False):
            return
        try:
            job()
        except Exception as error:
            # As where Celery's own task fails: the step is taken over once its lease has ended.
            log.error("an attempt beside another ended unexpectedly: %s: %s", type(error).__name__, error)
        finally:
            self.give_back(1)
