"""The outcome of an attempt is recorded, and what follows from it: success, another attempt, or a failure for good."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from orchestrator.jsontype import Json
from orchestrator.moves.advancing import is_ready, leave_canvas, make_ready, pass_on
from orchestrator.moves.ending import end_by
from orchestrator.moves.failing import begin_failing, cut_short, doom, drain, drained
from orchestrator.moves.fanning_out import expand, is_on_the_way, item_settled
from orchestrator.moves.items import Over, item_is_last, stronger
from orchestrator.moves.replacing import after_undo, call_fallback, go_on_without
from orchestrator.moves.timing import deadline_at, earliest, overdue, too_late
from orchestrator.outcome import Completed, Expanded, Failed, Outcome, Parked, Skipped, StepError
from orchestrator.retrying import wait_before
from orchestrator.states import UNDER_WAY, Effect, StepStatus, Waiting, WorkflowStatus
from orchestrator.workflow import OF_ITEMS, Kind, StepState, Workflow, undone_by

_CONFLICT = 409

SOON = 2.0
"""Seconds after which a child of a failing workflow is looked at, to be cancelled, or to have been."""

NO_CALL: Mapping[str, Json] = MappingProxyType({})


class Settled(StrEnum):
    """How an attempt ended, for the Celery task that made it.

    `completed`, `skipped` and `tolerated` let a canvas go on; `failed` makes the task a FAILURE; `parked` and `late`
    end it without effect.
    """

    COMPLETED = "completed"
    SKIPPED = "skipped"
    TOLERATED = "tolerated"
    PARKED = "parked"
    FAILED = "failed"
    LATE = "late"


GOES_ON = frozenset({Settled.COMPLETED, Settled.SKIPPED, Settled.TOLERATED})
"""After these a canvas brings what follows."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that ended: its number, its outcome, and for the audit log what was called (method, url, key).

    `again`: this may have been recorded before.
    """

    attempt: int
    outcome: Outcome
    call: Mapping[str, Json] = field(default_factory=dict)
    again: bool = False


def settle(workflow: Workflow, name: str, ended: Ended, *, now: float, share: float) -> Settled:
    """Record what came of the attempt. `share` in [0, 1) is the random share of the retry delay that is waited.

    An answer that comes for a step that somebody else has settled or taken over changes nothing but the audit log.
    """
    step = workflow.find(name)
    outcome = ended.outcome
    if step is not None and ended.again and (before := _recorded(step, ended)) is not None:
        _send_again(workflow, step, now)
        return before
    if step is not None and isinstance(outcome, Parked) and _ended_meanwhile(step, ended):
        return Settled.PARKED
    if step is None or step.status is not StepStatus.RUNNING or step.attempts != ended.attempt:
        workflow.record("step.late", name, attempt=ended.attempt, outcome=type(outcome).__name__.lower(), **ended.call)
        return Settled.LATE
    workflow.change(name)
    in_flight = workflow.head.draining > 0
    match outcome:
        case Completed():
            settled = complete(workflow, step, outcome, ended.call, now)
        case Skipped():
            workflow.close(step, StepStatus.SKIPPED, now)
            workflow.record("step.skipped", name, reason=outcome.reason)
            pass_on(workflow, step, now)
            settled = Settled.SKIPPED
        case Failed():
            settled = fail(workflow, step, outcome, ended.call, now, share)
        case Parked():
            settled = _wait(workflow, step, outcome, ended.call, now)
        case Expanded():
            settled = _expand(workflow, step, outcome, now)
    if in_flight and not step.under_way:
        drained(workflow, now)
    return settled


def _ended_meanwhile(step: StepState, ended: Ended) -> bool:
    """Whether the attempt is over that its service has just accepted: the answer was faster than the 2xx."""
    return step.attempts == ended.attempt and (step.settled or step.status is StepStatus.WAITING)


def _recorded(step: StepState, ended: Ended) -> Settled | None:
    """As what this very outcome was recorded, None where it was not."""
    if step.attempts != ended.attempt:
        return None
    match ended.outcome, step.status:
        case ((Completed() | Expanded()), StepStatus.COMPLETED):
            return Settled.COMPLETED
        case Skipped(), StepStatus.SKIPPED:
            return Settled.SKIPPED
        case ((Failed() | Parked() | Expanded()), StepStatus.FAILED):
            return Settled.FAILED
        case ((Failed() | Parked() | Expanded()), StepStatus.WAITING):
            return Settled.PARKED
    return None


def _send_again(workflow: Workflow, step: StepState, now: float) -> None:
    """What was to be sent when the outcome was recorded may not have been; of two messages one has no effect.

    Undos and items are left to the reconciler.
    """
    if step.kind is not Kind.CALL:
        return
    for name in workflow.definition.successors(step.name):
        following = workflow.step(name)
        if following.status is StepStatus.PENDING and following.wake_at is not None and is_ready(workflow, following):
            make_ready(workflow, workflow.change(name), now)


def complete(workflow: Workflow, step: StepState, outcome: Completed, call: Mapping[str, Json], now: float) -> Settled:
    """The step has its result, and what follows it goes on. `call` is what more the audit log says."""
    step.result = outcome.result
    if workflow.acts(step):
        step.effect = Effect.DONE
    workflow.close(step, StepStatus.COMPLETED, now)
    workflow.record(
        "step.completed", step.name, attempt=step.attempts, durationMs=_took(step, now), status=outcome.status, **call
    )
    return _completed(workflow, step, now)


def _completed(workflow: Workflow, step: StepState, now: float) -> Settled:
    if step.kind.of_item:
        _item_settled(workflow, step, now)
    elif step.kind is Kind.UNDO:
        after_undo(workflow, step, now)
    elif workflow.definition.steps[step.name].end is not None and workflow.head.ending is None:
        end_by(workflow, step, now)
    else:
        pass_on(workflow, step, now)
    return Settled.COMPLETED


def fail(
    workflow: Workflow, step: StepState, outcome: Failed, call: Mapping[str, Json], now: float, share: float
) -> Settled:
    """The attempt has failed: the step is parked until its next attempt, or it has failed for good."""
    step.failures += 1
    retryable = _may_be_repeated(workflow, step, outcome)
    if not workflow.fans_out(step):
        step.effect = stronger(step.effect, outcome.effect)
    policy = workflow.call_of(step).retry
    late = overdue(workflow, step, now, outcome.error)
    if late is None and retryable and step.failures <= policy.retries and _may_try_again(workflow, step):
        delay = wait_before(policy, step.failures - 1, outcome.retry_after, share)
        late = too_late(workflow, step, outcome, now + delay)
        if late is None:
            return _park(workflow, step, outcome, call, delay, now)
    error = late or outcome.error
    if late is None and retryable and step.failures <= policy.retries:
        error = cut_short(error, workflow.head)
    step.error = error.as_json()
    return fail_for_good(workflow, step, error, now, call)


def _may_be_repeated(workflow: Workflow, step: StepState, outcome: Failed) -> bool:
    """Whether another attempt is worth it; what was accepted is not made again because a question failed."""
    if step.waiting_for == Waiting.POLL:
        return False
    return outcome.retryable or _may_be_under_way(workflow, step, outcome)


def _may_be_under_way(workflow: Workflow, step: StepState, outcome: Failed) -> bool:
    """Whether the service refuses this attempt because an earlier one, of unknown outcome, is not over there yet."""
    unknown = step.effect is Effect.UNKNOWN and workflow.call_of(step).idempotent
    return unknown and outcome.error.status == _CONFLICT


def _may_try_again(workflow: Workflow, step: StepState) -> bool:
    """Not a step of a workflow that began to fail, nor an item whose step did; a compensation always may."""
    if step.kind.undoes:
        return True
    return workflow.head.ending is None and not item_is_last(workflow, step)


def _park(
    workflow: Workflow, step: StepState, outcome: Failed, call: Mapping[str, Json], delay: float, now: float
) -> Settled:
    if step.status is not StepStatus.WAITING:
        step.move(StepStatus.WAITING)
    step.error = outcome.error.as_json()
    step.waiting_for = Waiting.RETRY
    step.worker = step.memo = None
    step.wake_at = now + delay
    leave_canvas(workflow, step)
    workflow.record(
        "step.retrying",
        step.name,
        attempt=step.attempts,
        durationMs=_took(step, now),
        error=outcome.error.as_json(),
        effect=outcome.effect.value,
        delayMs=round(delay * 1000),
        **call,
    )
    return Settled.PARKED


def _wait(workflow: Workflow, step: StepState, outcome: Parked, call: Mapping[str, Json], now: float) -> Settled:
    """The attempt goes on without a worker. What its canvas would have brought after it, the ledger brings."""
    first = step.waiting_for is None
    if workflow.head.ending is not None and outcome.waiting_for not in UNDER_WAY:
        error = StepError("cancelled", "the workflow began to end before it could wait")
        step.error = error.as_json()
        return fail_for_good(workflow, step, error, now, call)
    step.move(StepStatus.WAITING)
    step.waiting_for = outcome.waiting_for
    step.worker = None
    step.memo = outcome.memo
    step.wake_at = earliest(outcome.wakes_at(now), deadline_at(workflow, step))
    if workflow.head.failing and outcome.waiting_for is Waiting.CHILD:
        step.wake_at = min(step.wake_at or now, now + SOON)  # it may have been begun before that was known
    leave_canvas(workflow, step)
    if first:
        waiting_for, took = outcome.waiting_for.value, _took(step, now)
        workflow.record(
            "step.waiting",
            step.name,
            attempt=step.attempts,
            waitingFor=waiting_for,
            until=step.wake_at,
            durationMs=took,
            **call,
        )
    return Settled.PARKED


def fail_for_good(
    workflow: Workflow, step: StepState, error: StepError, now: float, call: Mapping[str, Json] = NO_CALL
) -> Settled:
    """No further attempt: go on without the step, call its fallback, or fail the workflow."""
    took = _took(step, now)
    workflow.close(step, StepStatus.FAILED, now)
    workflow.record(
        "step.failed",
        step.name,
        attempt=step.attempts,
        durationMs=took,
        error=error.as_json(),
        effect=step.effect.value,
        **call,
    )
    if step.kind is Kind.ITEM:
        _item_settled(workflow, step, now)
        return Settled.TOLERATED if step.tolerated else Settled.FAILED
    if step.kind is Kind.ITEM_UNDO:
        return _item_undo_failed(workflow, step, error, now)
    if step.kind is Kind.UNDO:
        return _undo_failed(workflow, step, error, now)
    definition = workflow.definition.steps[step.name]
    if definition.fallback is not None and workflow.head.ending is None:
        call_fallback(workflow, step, definition.fallback, now)
        return Settled.FAILED
    if definition.optional or workflow.head.completing:
        went_on = go_on_without(workflow, step, now)
        return Settled.TOLERATED if went_on else Settled.FAILED
    begin_failing(workflow, WorkflowStatus.FAILED, {"step": step.name, **error.as_json()}, now)
    return Settled.FAILED


def fail_without_call(workflow: Workflow, step: StepState, error: StepError, now: float) -> None:
    """The step's time was over before its next attempt was begun, or before the present one was answered."""
    workflow.change(step.name)
    under_way = step.under_way and workflow.head.draining > 0
    if step.under_way:
        step.effect = stronger(step.effect, Effect.UNKNOWN)
    step.error = error.as_json()
    fail_for_good(workflow, step, error, now)
    if under_way:
        drained(workflow, now)


def _undo_failed(workflow: Workflow, undo: StepState, error: StepError, now: float) -> Settled:
    head = workflow.head
    head.undo_failures += 1
    if not head.failing:
        head.ending = None  # a workflow that was to complete does not, with this left undone
        head.unsettled -= 1
        message = f"{undone_by(undo.name)} may have taken effect and could not be undone: {error.message}"
        begin_failing(workflow, WorkflowStatus.FAILED, {"step": undo.name, "kind": "undo", "message": message}, now)
    else:
        leave_canvas(workflow, undo)
        after_undo(workflow, undo, now)
    return Settled.FAILED


def _item_undo_failed(workflow: Workflow, undo: StepState, error: StepError, now: float) -> Settled:
    """Under its step's undo the others go on. Where the item was tolerated it ends the workflow, like any such undo."""
    head, begins = workflow.head, False
    if is_on_the_way(workflow, undo):
        head.undo_failures += 1
        if not head.failing:
            head.ending = None  # a workflow that was to complete does not, with this left undone
            message = f"{undone_by(undo.name)} may have taken effect and could not be undone: {error.message}"
            begins = doom(workflow, WorkflowStatus.FAILED, {"step": undo.name, "kind": "undo", "message": message})
    _item_settled(workflow, undo, now)
    if begins and head.status is WorkflowStatus.RUNNING:
        drain(workflow, now)
    return Settled.FAILED


def _expand(workflow: Workflow, step: StepState, outcome: Expanded, now: float) -> Settled:
    """The step waits for its items from now on, or ends at once where there is none."""
    over = expand(workflow, step, outcome.items, now)
    if over is not None:
        return conclude(workflow, step, over, now)
    leave_canvas(workflow, step)
    return Settled.PARKED


def _item_settled(workflow: Workflow, item: StepState, now: float) -> None:
    last = item_settled(workflow, item, now)
    if last is not None:
        step, over = last
        conclude(workflow, step, over, now)


def conclude(workflow: Workflow, step: StepState, over: Over, now: float) -> Settled:
    """Nothing of the step (or of its undo) is under way any more: it has ended as its items have."""
    workflow.change(step.name)
    if over.error is not None:
        step.error = over.error.as_json()
        return fail_for_good(workflow, step, over.error, now)
    if step.kind is Kind.CALL:
        step.result = OF_ITEMS
    workflow.close(step, StepStatus.COMPLETED, now)
    counts = {} if step.items is None else {"items": step.items.total, "failed": step.items.failed}
    workflow.record("step.completed", step.name, attempt=step.attempts, durationMs=_took(step, now), **counts)
    return _completed(workflow, step, now)


def _took(step: StepState, now: float) -> int:
    return round((now - (step.attempt_at or now)) * 1000)
