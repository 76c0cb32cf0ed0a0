"""A process that dies or freezes at a named point of its work when told to: `python -m tests.chaos.points WHAT …`.

`WHAT` is `worker` (the rest are Celery's options) or `web` (host and port). Production code knows nothing of this: the
few methods at whose ends the points lie are wrapped here, in the process that is to be hurt.

An order is a file named after the point in the folder `CHAOS_POINTS`; it holds the signal's name. The first process
that passes the point takes the order by renaming it, so exactly one obeys.

received   a message has come, nothing is claimed
claimed    the claim is committed, the service is not called
called     the service has answered, nothing is recorded
settled    the outcome is committed, what follows is not published
locked     in the middle of a transaction that holds a workflow's lock
looked     the reconciler has committed, and not published
started    (web) a start is committed, not published and not answered
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from tests.chaos.clocks import follow

POINTS = ("received", "claimed", "called", "settled", "locked", "looked", "started")
FOLDER = "CHAOS_POINTS"
TAKEN = "taken"


def reached(point: str) -> None:
    """Obey the order for this point, if there is one."""
    order = Path(os.environ[FOLDER]) / point
    if not order.exists():
        return
    taken = order.with_name(f"{point}.{TAKEN}.{os.getpid()}")
    try:
        order.rename(taken)
    except FileNotFoundError:  # another process was first
        return
    os.kill(os.getpid(), getattr(signal, taken.read_text().strip()))


def around(owner: type, name: str, before: str | None = None, after: str | None = None) -> None:
    """Let a method pass the points before it begins and after it has ended well."""
    original: Callable[..., object] = getattr(owner, name)

    @wraps(original)
    def wrapped(*args: object, **kwargs: object) -> object:
        if before is not None:
            reached(before)
        made = original(*args, **kwargs)
        if after is not None:
            reached(after)
        return made

    setattr(owner, name, wrapped)


def mark_worker() -> None:
    """The points of a worker."""
    from orchestrator.ledger.clerk import Clerk
    from orchestrator.ledger.rows import Rows
    from tasks.dispatch import Dispatch

    around(Clerk, "claim", before="received", after="claimed")
    around(Clerk, "settle", before="called", after="settled")
    around(Rows, "lock", after="locked")
    mark_publishing(Dispatch, "looked", lambda: threading.current_thread().name == "reconciler")


def mark_publishing(publisher: type, point: str, here: Callable[[], bool]) -> None:
    """A point before publishing, where there is something to publish."""
    original = publisher.__call__

    @wraps(original)
    def wrapped(self: object, publication: object) -> None:
        if publication and here():
            reached(point)
        original(self, publication)

    publisher.__call__ = wrapped  # type: ignore[method-assign]  # to wrap it is the point


def main(what: str, *options: str) -> None:
    """Become a worker or the web, with its points and a clock that can be set."""
    follow()
    if what == "worker":
        from orchestrator.cli.celery_worker import main as work

        mark_worker()
        work(list(options))
        return
    from orchestrator.settings import Settings
    from tasks.posting import Posting
    from web.serving import serve

    mark_publishing(Posting, "started", lambda: True)
    serve(Settings.from_environment(), options[0], int(options[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
