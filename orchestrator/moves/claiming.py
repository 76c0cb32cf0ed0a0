"""A worker takes a step for one attempt, or to ask how an attempt stands, if it may be started now."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.moves.advancing import is_ready, may_start
from orchestrator.moves.limiting import send_aside
from orchestrator.moves.settling import fail_without_call
from orchestrator.moves.timing import overdue, time_for
from orchestrator.states import StepStatus
from orchestrator.workflow import StepState, Workflow

LEASE_MARGIN = 75.0
"""Seconds that a lease lasts beyond the attempt's own time-out: longer than an outcome is kept in hand while the
database is away (`attempt.SETTLE_PATIENCE`). A dead worker is noticed much sooner (`presence`)."""


class Refusal(StrEnum):
    """Why a message does not lead to a call.

    `passed`: the step has settled, so its canvas may go on. `overdue`: its deadline has passed, so it has failed now.
    `limited`: it needs a slot first (`orchestrator.ledger.limiting`); of those that asked for one, `parked` has to wait
    for it and `unusable` has failed now, as its limit cannot be worked out. `parked` also where its host has its share
    of the worker (`orchestrator.shares`). All others change nothing.
    """

    PASSED = "passed"
    HELD = "held"
    EARLY = "early"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    OVERDUE = "overdue"
    LIMITED = "limited"
    PARKED = "parked"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Claimed:
    """The step is the worker's for this attempt (counted from 1) until `lease_until`; its call may take `timeout`."""

    step: StepState
    attempt: int
    lease_until: float
    timeout: float


def claim(
    workflow: Workflow, name: str, worker: str, now: float, *, again: bool = False, slot: bool = False
) -> Claimed | Refusal:
    """Take the step, or say why not. Two copies of a message meet here: the second finds the step running.

    `again`: the worker has tried before, and does not know whether it was given the step. `slot`: it may be called now,
    whatever its limit.
    """
    step = workflow.find(name)
    if step is None:
        return Refusal.UNKNOWN
    if step.settled:
        return Refusal.PASSED
    if again and step.status is StepStatus.RUNNING and step.worker == worker:
        return _given(workflow, step, now)
    if step.status is not StepStatus.PENDING:
        return Refusal.HELD
    if (refusal := _not_now(workflow, step)) is not None:
        return refusal
    if not (slot or step.under_way or workflow.fans_out(step)) and (held := _held_back(workflow, step, worker, now)):
        return held
    workflow.change(name)
    if (late := overdue(workflow, step, now)) is not None:
        fail_without_call(workflow, step, late, now)
        return Refusal.OVERDUE
    asking = step.under_way
    step.move(StepStatus.RUNNING)
    step.worker = worker
    if not asking:
        _begin(workflow, step, now)
    return _given(workflow, step, now)


def _held_back(workflow: Workflow, step: StepState, worker: str, now: float) -> Refusal | None:
    call = workflow.call_of(step)
    aside = workflow.aside((workflow.head.id, step.name), call)
    if aside is not None:
        send_aside(workflow, step, aside.host, worker, now + aside.seconds)
        return Refusal.PARKED
    return Refusal.LIMITED if workflow.limited(call) else None


def _begin(workflow: Workflow, step: StepState, now: float) -> None:
    step.attempts += 1
    if step.started_at is None:
        step.started_at = now
    if step.trying_since is None:
        step.trying_since = now
    workflow.record("step.started", step.name, attempt=step.attempts, worker=step.worker)


def _not_now(workflow: Workflow, step: StepState) -> Refusal | None:
    if not may_start(workflow.head, step):
        return Refusal.CLOSED
    return None if is_ready(workflow, step) else Refusal.EARLY


def _given(workflow: Workflow, step: StepState, now: float) -> Claimed:
    workflow.change(step.name)
    timeout = time_for(workflow, step, now)
    if step.waiting_for is None:
        step.attempt_at = now
    step.wake_at = now + timeout + LEASE_MARGIN
    return Claimed(step, step.attempts, step.wake_at, timeout)
