"""The thread that shows that this worker lives, whatever the others are busy with."""

import logging
import os
import socket
import threading
import time

from orchestrator.errors import Unavailable
from orchestrator.ledger import Ledger
from orchestrator.ledger.presence import BEAT, beat, leave
from orchestrator.standing import Standing

log = logging.getLogger("orchestrator")

AFTER_ERROR = 0.5
"""Seconds: when the ledger is back, the others must soon see that this worker is, too."""


class Heart(threading.Thread):
    """Beats until `stop`, and tells `standing`."""

    def __init__(self, ledger: Ledger, worker: str, standing: Standing) -> None:
        super().__init__(name="heart", daemon=True)
        self._ledger = ledger
        self._worker = worker
        self._standing = standing
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the thread and sign off: what this worker still held is taken over at once."""
        self._stopped.set()
        self.join(timeout=10)
        try:
            leave(self._ledger, self._worker)
        except Unavailable as error:
            log.warning("could not sign off, the others will notice in a while: %s", error)

    def run(self) -> None:
        """Until `stop`, whatever happens: a worker without a heart is taken for dead while it works."""
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                self._beat()
                pause = BEAT
            except Unavailable as error:
                log.warning("the ledger cannot be reached: %s", error)
                pause = AFTER_ERROR
            except Exception:
                log.exception("a sign of life could not be given")
                pause = AFTER_ERROR

    def _beat(self) -> None:
        began = time.monotonic()
        known = beat(self._ledger, self._worker, socket.gethostname(), os.getpid())
        self._standing.shown(began, known=known)
