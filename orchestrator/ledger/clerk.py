"""Group commit: the moves of a worker's many threads, made in few transactions.

One transaction is under way at a time; who comes meanwhile waits for the next one, which takes all that wait. Alone, a
thread pays no delay for it; many pay for one commit, and those of one workflow for one lock.

A commit whose answer is lost may have happened: such a move is made again, and says so. A claim that is made again
gives its step to one thread only, as the clerk knows which steps are in its threads' hands.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from orchestrator import meters
from orchestrator.errors import Unavailable
from orchestrator.ledger.book import Ledger, Made, log_all
from orchestrator.ledger.materials import Gathering, Materials
from orchestrator.ledger.scopes import Key, ReadSteps
from orchestrator.moves.claiming import Claimed, Refusal
from orchestrator.moves.move import Claim, Proceed, Proceeded, Settle
from orchestrator.moves.settling import Settled
from orchestrator.shares import Shares
from orchestrator.together import Together
from orchestrator.workflow import Publication

MOST = 100
"""Moves in one transaction at most: it must stay short for those who wait for its locks."""

SHORT = 0.25
"""Seconds that a transaction should take: after a longer one fewer moves share the next (one may change many rows)."""

CLAIM_PATIENCE = 15.0
"""Seconds for which a claim is made again while the database is away. Later the reconciler brings the step again."""

Reply = TypeVar("Reply")
Worked = Claim | Settle | Proceed
"""The moves of a worker's threads."""


@dataclass(frozen=True, slots=True)
class Went:
    """What came of a `Proceed`: the steps that were kept come with their materials."""

    settled: Settled
    kept: Sequence[Materials] = ()


Answered = Made[Materials | Refusal | Settled | Went]


class Clerk:
    """Makes claims and settles for any number of threads. `shares` is told which steps are in their hands."""

    def __init__(self, ledger: Ledger, shares: Shares | None = None) -> None:
        self._ledger = ledger
        self._shares = shares
        self._make = Together[Worked, Answered](self._serve, MOST)
        self._desk = threading.Lock()
        self._in_hand: dict[Key, int] = {}

    def close(self) -> None:
        """Close the database connections."""
        self._ledger.database.close()

    def claim(self, workflow_id: str, step: str, worker: str) -> Made[Materials | Refusal]:
        """Take the step for one attempt, with all that its request is made of, or say why it may not be taken.

        While the database is away it is tried for `CLAIM_PATIENCE` seconds before Unavailable is raised.
        """
        move = Claim(workflow_id, step, worker)
        again, until = replace(move, again=True), time.monotonic() + CLAIM_PATIENCE
        made = _patiently(lambda: self._make(move), lambda: self._claim_again(again, until), CLAIM_PATIENCE)
        reply = made.reply if isinstance(made.reply, Materials | Refusal) else Refusal.UNKNOWN
        return Made(reply, made.publication)

    def settle(self, move: Settle, *, patience: float) -> Made[Settled]:
        """Record an outcome; while the database is away, try for `patience` seconds before raising Unavailable."""
        try:
            made = _patiently(lambda: self._make(move), lambda: self._make(replace(move, again=True)), patience)
        finally:
            self._make_room(move)
        self._let_go(move)
        return Made(made.reply if isinstance(made.reply, Settled) else Settled.LATE, made.publication)

    def proceed(self, move: Proceed, *, patience: float) -> Made[Went]:
        """Record an outcome and keep what follows from it, with one commit; patient as `settle`.

        A commit whose answer was lost may have given the worker steps: those that no thread holds come with the next.
        """
        try:
            made = _patiently(lambda: self._make(move), lambda: self._proceed_again(move), patience)
        finally:
            self._make_room(move.settle)
        self._let_go(move.settle)
        return Made(made.reply if isinstance(made.reply, Went) else Went(Settled.LATE), made.publication)

    def _proceed_again(self, move: Proceed) -> Answered:
        """Alone, so that no other thread is given meanwhile what seems to be in nobody's hands."""
        with self._desk:
            held = frozenset(step for workflow_id, step in list(self._in_hand) if workflow_id == move.workflow_id)
            again = replace(move, settle=replace(move.settle, again=True), held=held)
            [made] = make_together(self._ledger, [again])
            self._hand_out([made])
            return made

    def _claim_again(self, move: Claim, until: float) -> Answered:
        """Alone, so that two threads with a message each are not both given what one of them had been given."""
        with self._desk:
            if (move.workflow_id, move.step) in self._in_hand:
                return Made(Refusal.HELD, Publication(move.workflow_id, ""))
            if time.monotonic() > until:
                raise Unavailable("the database has been away for too long to claim a step")
            [made] = make_together(self._ledger, [move])
            self._hand_out([made])
            return made

    def _serve(self, moves: Sequence[Worked]) -> Sequence[Answered]:
        with self._desk:
            began = time.monotonic()
            made = make_together(self._ledger, moves)
            self._learn(time.monotonic() - began, len(moves))
            self._hand_out(made)
            return made

    def _learn(self, seconds: float, moves: int) -> None:
        meters.batch(moves, seconds)
        most = self._make.most
        if seconds > SHORT:
            self._make.most = max(1, min(moves, most) // 2)
        elif most < MOST:
            self._make.most = most + 1

    def _hand_out(self, made: Sequence[Answered]) -> None:
        for answer in made:
            given = answer.reply.kept if isinstance(answer.reply, Went) else [answer.reply]
            for one in given:
                if isinstance(one, Materials):
                    self.hold(one)

    def hold(self, materials: Materials) -> None:
        """A thread has this attempt in its hands, until its outcome is recorded."""
        key = (materials.workflow_id, materials.step.name)
        self._in_hand[key] = materials.attempt
        if self._shares is not None:
            self._shares.take(key, materials.call)

    def _make_room(self, move: Settle) -> None:
        """The call is over, whether or not that could be recorded."""
        if self._shares is not None:
            self._shares.drop((move.workflow_id, move.step))

    def _let_go(self, move: Settle) -> None:
        """The outcome is recorded. A later attempt of the step may be in another thread's hands: that one stays."""
        key = (move.workflow_id, move.step)
        if self._in_hand.get(key) == move.attempt:
            self._in_hand.pop(key, None)


def _patiently(first: Callable[[], Reply], again: Callable[[], Reply], patience: float) -> Reply:
    """What `first` gives, or while the database is away, for `patience` seconds, what `again` gives."""
    give_up_at = time.monotonic() + patience
    attempt, pause = first, 0.05
    while True:
        try:
            return attempt()
        except Unavailable:
            if time.monotonic() + pause > give_up_at:
                raise
        attempt = again
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def make_together(ledger: Ledger, moves: Sequence[Worked]) -> list[Answered]:
    """Claims and settles in one transaction; claimed steps come with their materials, all read with one query."""
    claims = any(not isinstance(move, Settle) for move in moves)
    with ledger.database.transaction() as connection:
        made, workflows = ledger.make_in(connection, moves, context=claims)
        gatherings = [
            [Gathering(workflows[one.publication.workflow_id], claimed) for claimed in _claimed(one.reply)]
            for one in made
        ]
        read = ReadSteps(connection, {key for some in gatherings for gathering in some for key in gathering.keys})
        answers: list[Answered] = [
            Made(_with_materials(one.reply, [gathering.with_steps(read) for gathering in some]), one.publication)
            for one, some in zip(made, gatherings, strict=True)
        ]
    log_all(workflows)
    return answers


def _claimed(reply: Claimed | Refusal | Settled | Proceeded | None) -> Sequence[Claimed]:
    if isinstance(reply, Proceeded):
        return reply.kept
    return [reply] if isinstance(reply, Claimed) else []


def _with_materials(
    reply: Claimed | Refusal | Settled | Proceeded | None, materials: Sequence[Materials]
) -> Materials | Refusal | Settled | Went | None:
    """The reply, with the materials in place of what was claimed."""
    if isinstance(reply, Proceeded):
        return Went(reply.settled, materials)
    return materials[0] if isinstance(reply, Claimed) else reply
