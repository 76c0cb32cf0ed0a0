"""Whether the worker processes that were just started are at work, by the signs of life in the ledger."""

import socket
import time
from collections.abc import Callable

from orchestrator.errors import Unavailable
from orchestrator.ledger import Ledger
from orchestrator.ledger.views.workers import workers_alive


def at_work(ledger: Ledger, processes: int, *, within: float) -> Callable[[], bool]:
    """A question to be asked again and again: are that many more workers of this host alive than are now?

    After `within` seconds it says yes all the same: a worker that is running but waits for a server that is away is no
    failed start.
    """
    patience_ends = time.monotonic() + within
    before = _names(ledger)

    def answer() -> bool:
        return len(_names(ledger) - before) >= processes or time.monotonic() > patience_ends

    return answer


def _names(ledger: Ledger) -> set[str]:
    try:
        return {worker["name"] for worker in workers_alive(ledger) if worker["host"] == socket.gethostname()}
    except Unavailable:
        return set()
