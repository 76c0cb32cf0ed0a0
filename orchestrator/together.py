"""Group commit: what many threads want written at the same moment, written with one transaction.

One thread writes at a time. Who comes meanwhile waits for the next one, which writes for all that wait. Alone, a thread
pays no delay for it; many pay for one round trip and one commit.
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

    @property
    def served(self) -> bool:
        """Whether its thread can go on."""
        return bool(self.replies) or self.error is not None


class Together(Generic[Wanted, Reply]):
    """Has `write` called by one thread at a time, for up to `most` that wait; it answers each of them, in their order.

    Where it raises, each is written alone, so that one that cannot be written takes no other with it; but for
    Unavailable, which all of them get.
    """

    def __init__(self, write: Callable[[Sequence[Wanted]], Sequence[Reply]], most: int) -> None:
        self._write = write
        self._most = most
        self._waiting: list[_Ticket[Wanted, Reply]] = []
        self._desk = threading.Lock()

    def __call__(self, wanted: Wanted) -> Reply:
        """What came of it, once it is written; or what writing it raised."""
        ticket = _Ticket[Wanted, Reply](wanted)
        self._waiting.append(ticket)
        with self._desk:
            # The thread before may have written this with its own.
            while not ticket.served:
                self._serve(self._next())
        if ticket.error is not None:
            raise ticket.error
        return ticket.replies[0]

    def _next(self) -> list[_Ticket[Wanted, Reply]]:
        """Those who wait longest. Others may join the end of the queue at any moment, nobody else leaves it."""
        batch = self._waiting[: self._most]
        del self._waiting[: len(batch)]
        return batch

    def _serve(self, batch: Sequence[_Ticket[Wanted, Reply]]) -> None:
        try:
            replies = self._write([ticket.wanted for ticket in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                for ticket in batch:
                    ticket.error = error
                return
            for ticket in batch:
                self._serve([ticket])
            return
        except BaseException:
            # This thread is told to end. The others have left the queue: nobody else would answer them.
            for ticket in batch:
                ticket.error = Unavailable("the thread that wrote was told to end")
            raise
        for ticket, reply in zip(batch, replies, strict=True):
            ticket.replies.append(reply)
