"""The life of one attempt: claim, call, settle."""

import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.awaiting import is_asking, rests, stands, taken
from orchestrator.call import Caller, Request
from orchestrator.definition import NO_CALL as DO_NOTHING
from orchestrator.definition import ForEach, Step
from orchestrator.errors import ExpressionError, SettingsError, Unavailable
from orchestrator.expanding import items_in
from orchestrator.expressions import References
from orchestrator.jsontype import Json, kind_of
from orchestrator.judging import judge
from orchestrator.ledger import Made
from orchestrator.ledger.clerk import Clerk, Went
from orchestrator.ledger.limiting import Limiter
from orchestrator.ledger.materials import Materials
from orchestrator.ledger.presence import SILENCE, STEADY
from orchestrator.limits import speaks_for
from orchestrator.moves.claiming import Refusal
from orchestrator.moves.move import Proceed, Settle
from orchestrator.moves.settling import NO_CALL, Settled
from orchestrator.outcome import Answer, Expanded, Failed, NoAnswer, Outcome, Skipped, StepError
from orchestrator.request import Surroundings, request_for, scope_of, shown
from orchestrator.standing import Holds, Standing
from orchestrator.states import Effect
from orchestrator.workflow import Kind, Publication

log = logging.getLogger("orchestrator")

SETTLE_PATIENCE = 60.0
"""Seconds that an outcome is kept in hand while the database is away. Later the step counts as lost: called again."""

Publish = Callable[[Publication], None]


class Calls(Protocol):
    """Whoever makes the calls: `orchestrator.call.Caller`, or services that only stand in a script."""

    def call(self, request: Request, may_send: Holds) -> Answer | NoAnswer:
        """What came of the request; `may_send` says whether it may yet go out."""


class Delegate(Protocol):
    """Whoever begins what is no request: a child workflow, a Celery task."""

    def outcome(self, materials: Materials, around: Surroundings) -> Outcome | None:
        """What came of it, `Parked` as a rule; asked again, how it stands. None where the step is none of its own.

        Raises ExpressionError and SettingsError as a request does.
        """


class Means(Protocol):
    """What an attempt that is claimed is made with."""

    @property
    def caller(self) -> Calls:
        """Who makes the call."""

    @property
    def around(self) -> Surroundings:
        """What the request reads besides the workflow."""

    @property
    def delegates(self) -> Sequence[Delegate]:
        """Who begins what is no request."""


class Beside(Protocol):
    """Who makes attempts beside the one at hand, in the same process."""

    def room(self) -> int:
        """How many steps may be kept now, the one that the asking thread goes on with included; 0: none at all."""

    def run(self, job: Callable[[], object]) -> None:
        """Have it done soon, in another thread."""


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
    still_ours = bench.standing.from_now()
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
        still_ours = bench.standing.from_now()
        settled, kept = _settle(bench, settle, canvas)
        _give_back(bench, materials, outcome)
        if materials.parent is not None:
            bench.parked()  # where that was the last of its steps, the one that had started it is due
        if not kept:
            return settled
        canvas.left = True
        materials, *others = kept
        for other in others:
            _set_beside(bench, other, still_ours)


def _set_beside(bench: Bench, materials: Materials, still_ours: Holds) -> None:
    assert bench.beside is not None, "who has no room beside keeps no second step"
    bench.beside.run(lambda: _carry_on(bench, materials, still_ours, Canvas(may_be_left=True)))


def _settle(bench: Bench, settle: Settle, canvas: Canvas) -> tuple[Settled, Sequence[Materials]]:
    """Record the outcome; keep what follows with the same commit, if that may be, and give its materials.

    The call was made: its outcome is worth waiting for a database that is away for a while.
    """
    room = bench.beside.room() if canvas.may_be_left and bench.beside is not None else 0
    if room:
        proceeded = bench.clerk.proceed(Proceed(settle, bench.name, room), patience=SETTLE_PATIENCE)
        went, publication = proceeded.reply or Went(Settled.LATE), proceeded.publication
    else:
        made = bench.clerk.settle(settle, patience=SETTLE_PATIENCE)
        went, publication = Went(made.reply or Settled.LATE), made.publication
    bench.publish(publication)
    if went.settled is Settled.PARKED:
        bench.parked()
    return went.settled, went.kept


def _taken(bench: Bench, workflow_id: str, step: str) -> Made[Materials | Refusal]:
    """The step, taken if it may be; one that is limited through the limiter, which knows whose turn it is."""
    taken = bench.clerk.claim(workflow_id, step, bench.name)
    if taken.reply is Refusal.LIMITED and bench.limiter is not None:
        return bench.limiter.claim(workflow_id, step)
    return taken


def _give_back(bench: Bench, materials: Materials, outcome: Outcome) -> None:
    """The slot of an attempt that is over. Where that cannot be said now, it is found out soon: nothing is lost."""
    if materials.slot is None or bench.limiter is None:
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


def outcome_of(materials: Materials, means: Means, still_ours: Holds) -> tuple[Outcome, Mapping[str, Json]]:
    """Everything between claim and settle: no transaction is open. Also what was called, for the audit log."""
    call, own = materials.call, _own(materials)
    if own is not None and is_asking(materials):
        return stands(materials, own, means.around, lambda request: means.caller.call(request, still_ours)), NO_CALL
    try:
        if (skipped := _condition(means, materials)) is not None:
            return skipped, NO_CALL
        if materials.for_each is not None:
            return _expanded(means, materials, materials.for_each), NO_CALL
        if (begun := _delegated(means, materials)) is not None:
            return begun, NO_CALL
        if own is not None and own.call is DO_NOTHING:
            return rests(materials, own, means.around), NO_CALL
        request = request_for(materials, means.around)
    except ExpressionError as error:
        return Failed(StepError("expression", str(error)), Effect.NONE, retryable=False), NO_CALL
    except SettingsError as error:
        # This worker cannot open the sensitive fields. Nothing was sent, and another worker may have the right key.
        return Failed(StepError("request", str(error)), Effect.NONE, retryable=True), NO_CALL
    answer = means.caller.call(request, still_ours)
    if own is not None:
        outcome = taken(answer, request, own, _known(means, materials, own), means.around.sealer)
        return outcome, shown(materials, request)
    outcome = judge(
        answer,
        success=call.success,
        result=call.result,
        idempotent=call.idempotent,
        now=time.time(),
        on=call.retry.on,
        scope=_known(means, materials),
    )
    return outcome, shown(materials, request)


def _delegated(means: Means, materials: Materials) -> Outcome | None:
    """What comes of a step that begins something else than a request; None where it makes one."""
    if not materials.own.delegated:
        return None
    outcomes = (delegate.outcome(materials, means.around) for delegate in means.delegates)
    return next((outcome for outcome in outcomes if outcome is not None), None)


def _expanded(means: Means, materials: Materials, own: ForEach) -> Expanded:
    """Its list, unless it has been expanded before: what is undone or retried are the items that it had."""
    known = materials.step.kind.undoes or materials.step.items is not None
    return Expanded() if known else items_in(scope_of(materials, means.around), own)


def _own(materials: Materials) -> Step | None:
    """The step of the definition where its outcome comes later; None for any other, and for what undoes one."""
    if materials.step.kind.undoes or materials.for_each is not None or materials.own.awaits is None:
        return None
    return materials.own


def _known(means: Means, materials: Materials, own: Step | None = None) -> dict[str, Json]:
    """What the expressions that judge the answer read besides the answer; most read nothing else."""
    parts = [*materials.call.judging, *(() if own is None or own.poll is None else own.poll.asking)]
    read = References.union(part.references for part in parts).roots
    return {} if read <= {"response", "error"} else scope_of(materials, means.around)


def _condition(means: Means, materials: Materials) -> Outcome | None:
    if materials.step.kind is not Kind.CALL or materials.step.items is not None or materials.step.waiting_for:
        return None
    when = materials.definition.steps[materials.step.name].when
    if when is None:
        return None
    held = when.evaluate(scope_of(materials, means.around))
    if not isinstance(held, bool):
        raise ExpressionError(f"`when` must come out true or false, but ${{{when.source}}} is {kind_of(held)}")
    return None if held else Skipped(f"its condition did not hold: {when.source}")
