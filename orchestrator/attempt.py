"""The life of one attempt: claim, call, settle."""

import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.call import Caller
from orchestrator.errors import Unavailable
from orchestrator.jsontype import Json
from orchestrator.ledger import Made
from orchestrator.ledger.clerk import Clerk, Went
from orchestrator.ledger.limiting import Limiter
from orchestrator.ledger.materials import Materials
from orchestrator.ledger.presence import SILENCE, STEADY
from orchestrator.limits import speaks_for
from orchestrator.making import Delegate, outcome_of
from orchestrator.moves.claiming import LEASE_MARGIN, Refusal
from orchestrator.moves.move import Proceed, Settle
from orchestrator.moves.settling import NO_CALL, Settled
from orchestrator.outcome import Failed, Outcome, StepError
from orchestrator.request import Surroundings
from orchestrator.standing import Holds, Standing
from orchestrator.states import Effect
from orchestrator.workflow import Kind, Publication

log = logging.getLogger("orchestrator")

SETTLE_PATIENCE = 60.0
"""Seconds that an outcome is kept in hand while the database is away. Later the step counts as lost: called again."""

Publish = Callable[[Publication], None]


class Beside(Protocol):
    """Who makes attempts beside the one at hand, in the same process."""

    def room(self, wanted: int) -> int:
        """Room for so many steps, the one that the asking thread goes on with included: threads are set aside for the
        others. 1 where there are not enough of them, 0 where none at all may be kept."""

    def give_back(self, threads: int) -> None:
        """So many of those that were set aside are not needed."""

    def run(self, job: Callable[[], object]) -> None:
        """Have it done at once, in a thread that was set aside; never twice."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker process makes attempts with.

    `publish` sends messages and never raises for a broker that is away; `parked` is told that something waits;
    `standing` knows whether the worker was taken for dead; `beside` makes the attempts of steps that were kept beside
    another one; `limiter` gives slots to steps that are limited.
    """

    name: str
    clerk: Clerk
    caller: Caller
    around: Surroundings
    publish: Publish
    parked: Callable[[], None] = lambda: None
    beside: Beside | None = None
    standing: Standing = field(default_factory=lambda: Standing(SILENCE, STEADY))
    limiter: Limiter | None = None
    delegates: Sequence[Delegate] = ()


@dataclass(slots=True)
class Canvas:
    """What brought a step, and would bring what follows it.

    `may_be_left`: its worker may keep what follows. `left`: it did, so that nothing more of the canvas is sent.
    `last` is the step that was attempted last.
    """

    may_be_left: bool = False
    left: bool = False
    last: str = ""


def attempt(bench: Bench, workflow_id: str, step: str, canvas: Canvas | None = None) -> Settled | Refusal:
    """Make one attempt of the step, if it may be made now; what follows from it is recorded and sent.

    Then the same with what the worker keeps, one step after another here, others beside it. The reply is that of the
    last attempt made here.
    """
    canvas = canvas or Canvas()
    still_ours = within_its_lease(bench.standing.from_now())
    taken = _taken(bench, workflow_id, step)
    if isinstance(taken.reply, Materials):
        return _carry_on(bench, taken.reply, still_ours, canvas)
    bench.publish(taken.publication)
    return taken.reply or Refusal.UNKNOWN


def _carry_on(bench: Bench, materials: Materials, still_ours: Holds, canvas: Canvas) -> Settled:
    """Attempt the step, which is claimed, and then what is kept."""
    while True:
        canvas.last = materials.step.name
        outcome, called = _safely(bench, materials, still_ours)
        share = random.random()  # noqa: S311 - jitter, not a secret
        settle = Settle(materials.workflow_id, canvas.last, materials.attempt, outcome, share, called)
        still_ours = within_its_lease(bench.standing.from_now())
        made = _settle(bench, settle, canvas, _branches(materials))
        for other in made.reply.kept[1:]:
            _set_beside(bench, other, still_ours)
        _tell(bench, materials, outcome, made)
        if not made.reply.kept:
            return made.reply.settled
        canvas.left = True
        materials = made.reply.kept[0]


def _set_beside(bench: Bench, materials: Materials, still_ours: Holds) -> None:
    assert bench.beside is not None, "who has no room beside keeps no second step"
    bench.beside.run(lambda: _carry_on(bench, materials, still_ours, Canvas(may_be_left=True)))


def within_its_lease(holds: Holds) -> Holds:
    """Whether what is claimed from now on is still the worker's own, and its call would end within its lease."""
    until = time.monotonic() + LEASE_MARGIN
    return lambda: holds() and time.monotonic() < until


def _branches(materials: Materials) -> int:
    """How many steps the outcome may let go on, as a rule; where it is more they are not kept."""
    step = materials.step
    return len(materials.definition.successors(step.name) if step.kind is Kind.CALL else step.following or ())


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An outcome that is committed: what came of it, and what is to be sent."""

    reply: Went
    publication: Publication


def _settle(bench: Bench, settle: Settle, canvas: Canvas, branches: int) -> _Recorded:
    """Record the outcome; keep what follows with the same commit, if that may be.

    The call was made: its outcome is worth waiting for a database that is away for a while.
    """
    room = bench.beside.room(branches) if canvas.may_be_left and bench.beside is not None else 0
    if not room or bench.beside is None:
        made = bench.clerk.settle(settle, patience=SETTLE_PATIENCE)
        return _Recorded(Went(made.reply or Settled.LATE), made.publication)
    used = 1
    try:
        proceeded = bench.clerk.proceed(Proceed(settle, bench.name, room), patience=SETTLE_PATIENCE)
        went = proceeded.reply or Went(Settled.LATE)
        used = max(1, len(went.kept))
        return _Recorded(went, proceeded.publication)
    finally:
        bench.beside.give_back(room - used)


def _tell(bench: Bench, materials: Materials, outcome: Outcome, made: _Recorded) -> None:
    """What follows a commit, and is found out anyway a little later: none of it may cost kept steps their calls."""
    try:
        bench.publish(made.publication)
        _give_back(bench, materials, outcome)
        # Where that was the last step of a child, the one that had started it is due.
        if made.reply.settled is Settled.PARKED or materials.parent is not None:
            bench.parked()
    except Exception as error:
        log.error("what follows %s was not told: %s", materials.step.name, type(error).__name__)


def _taken(bench: Bench, workflow_id: str, step: str) -> Made[Materials | Refusal]:
    """The step, taken if it may be; one that is limited through the limiter, which knows whose turn it is."""
    taken = bench.clerk.claim(workflow_id, step, bench.name)
    if taken.reply is Refusal.LIMITED and bench.limiter is not None:
        taken = bench.limiter.claim(workflow_id, step)
        if isinstance(taken.reply, Materials):
            bench.clerk.hold(taken.reply)
    return taken


def _give_back(bench: Bench, materials: Materials, outcome: Outcome) -> None:
    """The slot of an attempt that is over. Where that cannot be said now, it is found out soon: nothing is lost."""
    if bench.limiter is None:
        return
    if materials.slot is None:
        bench.limiter.forget(materials)
        return
    try:
        bench.limiter.give_back(materials, speaks_for(outcome))
    except Unavailable as error:
        log.warning("the slot of %s is given back later: %s", materials.step.name, error)


def _safely(bench: Bench, materials: Materials, still_ours: Holds) -> tuple[Outcome, Mapping[str, Json]]:
    """The outcome, whatever happens: a step that is claimed must be settled, or it waits for its lease to end."""
    try:
        return outcome_of(materials, bench, still_ours)
    except Exception as error:
        # Its kind and its place only: the text of an error may hold what a field or a secret held.
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {place.name}, line {place.lineno}"
        log.error("an attempt of %s ended unexpectedly: %s", materials.step.name, what)
        reason = StepError("internal", f"the worker could not make the call, or not understand it: {what}")
        return Failed(reason, Effect.UNKNOWN, retryable=materials.call.idempotent), NO_CALL
