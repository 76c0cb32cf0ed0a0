"""One attempt made: everything between claim and settle, while no transaction is open."""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.awaiting import is_asking, rests, stands, taken
from orchestrator.call import Request
from orchestrator.definition import NO_CALL as DO_NOTHING
from orchestrator.definition import ForEach, Step
from orchestrator.errors import ExpressionError, SettingsError
from orchestrator.expanding import items_in
from orchestrator.expressions import References
from orchestrator.jsontype import Json, kind_of
from orchestrator.judging import judge
from orchestrator.ledger.materials import Materials
from orchestrator.moves.settling import NO_CALL
from orchestrator.outcome import Answer, Expanded, Failed, NoAnswer, Outcome, Skipped, StepError
from orchestrator.request import Surroundings, request_for, scope_of, shown
from orchestrator.standing import Holds
from orchestrator.states import Effect
from orchestrator.workflow import Kind


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
