"""Group commit: the moves of a worker's many threads, made in few transactions.

One transaction is under way at a time; who comes meanwhile waits for the next one, which takes all that wait. Alone, a
thread pays no delay for it; many pay for one commit, and those of one workflow for one lock.
"""

import threading
import time
from collections.abc import Sequence

from orchestrator.errors import Unavailable
from orchestrator.ledger.book import Ledger, Made, log_all
from orchestrator.ledger.materials import Gathering, Materials
from orchestrator.ledger.scopes import ReadSteps
from orchestrator.moves.claiming import Claimed, Refusal
from orchestrator.moves.move import Claim, Settle
from orchestrator.moves.settling import Settled

MOST = 100
"""Moves in one transaction at most: it must stay short for those who wait for its locks."""

Answered = Made[Materials | Refusal | Settled]


class _Ticket:
    """One thread's move, and what came of it."""

    def __init__(self, move: Claim | Settle) -> None:
        self.move = move
        self.made: Answered | None = None
        self.error: Exception | None = None

    @property
    def served(self) -> bool:
        """Whether its thread can go on."""
        return self.made is not None or self.error is not None


class Clerk:
    """Makes claims and settles for any number of threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[_Ticket] = []
        self._desk = threading.Lock()

    def claim(self, workflow_id: str, step: str, worker: str) -> Made[Materials | Refusal]:
        """Take the step for one attempt, with all that its request is made of, or say why it may not be taken."""
        made = self._make(Claim(workflow_id, step, worker))
        reply = made.reply if isinstance(made.reply, Materials | Refusal) else Refusal.UNKNOWN
        return Made(reply, made.publication)

    def settle(self, move: Settle, *, patience: float) -> Made[Settled]:
        """Record an outcome; while the database is away, try for `patience` seconds before raising Unavailable."""
        give_up_at = time.monotonic() + patience
        pause = 0.05
        while True:
            try:
                made = self._make(move)
            except Unavailable:
                if time.monotonic() + pause > give_up_at:
                    raise
            else:
                reply = made.reply if isinstance(made.reply, Settled) else Settled.LATE
                return Made(reply, made.publication)
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _make(self, move: Claim | Settle) -> Answered:
        ticket = _Ticket(move)
        self._waiting.append(ticket)
        with self._desk:
            # The thread before may have made this move with its own.
            while not ticket.served:
                self._serve_batch(self._next())
        if ticket.error is not None:
            raise ticket.error
        assert ticket.made is not None, "a served ticket has a reply or an error"
        return ticket.made

    def _next(self) -> list[_Ticket]:
        """Those who wait longest. Others may join the end of the queue at any moment, nobody else leaves it."""
        batch = self._waiting[:MOST]
        del self._waiting[: len(batch)]
        return batch

    def _serve_batch(self, batch: Sequence[_Ticket]) -> None:
        try:
            made = make_together(self._ledger, [ticket.move for ticket in batch])
        except Exception as error:
            # One move that cannot be made must not take the others with it.
            if len(batch) == 1 or isinstance(error, Unavailable):
                for ticket in batch:
                    ticket.error = error
                return
            for ticket in batch:
                self._serve_batch([ticket])
            return
        except BaseException:
            # This thread is told to end (SystemExit, KeyboardInterrupt). The others have left the queue: without an
            # answer they would look for themselves in it for ever.
            for ticket in batch:
                ticket.error = Unavailable("the thread that made the moves was told to end")
            raise
        for ticket, answer in zip(batch, made, strict=True):
            ticket.made = answer


def make_together(ledger: Ledger, moves: Sequence[Claim | Settle]) -> list[Answered]:
    """Claims and settles in one transaction; claimed steps come with their materials, all read with one query."""
    claims = any(isinstance(move, Claim) for move in moves)
    with ledger.database.transaction() as connection:
        made, workflows = ledger.make_in(connection, moves, context=claims)
        gatherings = {
            place: Gathering(workflows[move.workflow_id], one.reply)
            for place, (move, one) in enumerate(zip(moves, made, strict=True))
            if isinstance(one.reply, Claimed)
        }
        read = ReadSteps(connection, {key for gathering in gatherings.values() for key in gathering.keys})
        answers: list[Answered] = [
            Made(gatherings[place].with_steps(read) if place in gatherings else _plain(one.reply), one.publication)
            for place, one in enumerate(made)
        ]
    log_all(workflows)
    return answers


def _plain(reply: Claimed | Refusal | Settled | None) -> Refusal | Settled | None:
    assert not isinstance(reply, Claimed), "a claimed step comes with its materials"
    return reply
