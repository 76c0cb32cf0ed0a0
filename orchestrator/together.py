"""Group commit: what many threads want done at the same moment, done at once.

One thread at a time does it. Who comes meanwhile waits for the next turn, which is for all that wait. Alone, a thread
pays no delay for it; many pay for one round trip and one commit. Whoever is answered goes its way without a lock that
the others want too, and the next turn begins before that.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from orchestrator.errors import Unavailable

Wanted = TypeVar("Wanted")
Reply = TypeVar("Reply")


class _Ticket(Generic[Wanted, Reply]):
    """What one thread wants, and what came of it."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.replies: list[Reply] = []
        self.error: Exception | None = None
        self.leads = False
        self._called = threading.Lock()
        self._called.acquire()

    def wait(self) -> None:
        """Until it is answered, or leads."""
        self._called.acquire()

    def call(self) -> None:
        """End its wait."""
        self._called.release()


class Together(Generic[Wanted, Reply]):
    """Has `do` called by one thread at a time, for up to `most` that wait; it answers each of them, in their order.
    `most` may be changed at any time.

    Where it raises, it is called for each alone, so that one takes no other with it; but for Unavailable, which all of
    them get.
    """

    def __init__(self, do: Callable[[Sequence[Wanted]], Sequence[Reply]], most: int) -> None:
        self._do = do
        self.most = most
        self._waiting: list[_Ticket[Wanted, Reply]] = []
        self._led = False
        self._queue = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for the next turn."""
        return len(self._waiting)

    def __call__(self, wanted: Wanted) -> Reply:
        """What came of it, once it is done; or what doing it raised."""
        ticket = _Ticket[Wanted, Reply](wanted)
        with self._queue:
            self._waiting.append(ticket)
            ticket.leads, self._led = not self._led, True
        if not ticket.leads:
            ticket.wait()
        if ticket.leads:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.replies[0]

    def _lead(self, own: _Ticket[Wanted, Reply]) -> None:
        """A turn for those who wait longest, of whom this thread is the first; and the next one's turn begins."""
        with self._queue:
            batch = self._waiting[: self.most]
            del self._waiting[: len(batch)]
        try:
            self._serve(batch)
        finally:
            self._hand_over()
            for ticket in batch:
                if ticket is not own:
                    ticket.call()

    def _hand_over(self) -> None:
        with self._queue:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].leads = True
                self._waiting[0].call()

    def _serve(self, batch: Sequence[_Ticket[Wanted, Reply]]) -> None:
        try:
            replies = self._do([ticket.wanted for ticket in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                for ticket in batch:
                    ticket.error = error
                return
            for ticket in batch:
                self._serve([ticket])
            return
        except BaseException:
            # This thread is told to end. Nobody else would answer those who wait for it.
            for ticket in batch:
                ticket.error = Unavailable("the thread that did it for all was told to end")
            raise
        for ticket, reply in zip(batch, replies, strict=True):
            ticket.replies.append(reply)
