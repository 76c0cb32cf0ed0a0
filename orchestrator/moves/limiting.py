"""A step whose call may not be made yet is parked until it may be: it holds no worker, and no attempt is counted."""

from orchestrator.jsontype import Json
from orchestrator.moves.advancing import leave_canvas
from orchestrator.moves.timing import deadline_at, earliest
from orchestrator.states import StepStatus, Waiting
from orchestrator.workflow import StepState, Workflow

BACKSTOP = 300.0
"""Seconds after which a parked step asks again by itself. It is woken long before, unless its ticket got lost."""


def hold_back(workflow: Workflow, step: StepState, key: str, wake_at: float, *, circuit: bool, **details: Json) -> None:
    """Park a step that may not be called yet. `circuit`: because the service fails, not because others are called."""
    _park(workflow, step, Waiting.CIRCUIT if circuit else Waiting.LIMIT, wake_at)
    workflow.record("step.heldBack", step.name, key=key, waitingFor=step.waiting_for, **details)


def send_aside(workflow: Workflow, step: StepState, host: str, worker: str, wake_at: float) -> None:
    """Park a step whose host has its share of the worker, which calls it back: it is still the worker's."""
    _park(workflow, step, Waiting.SHARE, wake_at)
    step.worker = worker
    workflow.record("step.heldBack", step.name, key=host, waitingFor=step.waiting_for)


def _park(workflow: Workflow, step: StepState, waiting_for: Waiting, wake_at: float) -> None:
    workflow.change(step.name)
    step.move(StepStatus.WAITING)
    step.waiting_for = waiting_for
    step.wake_at = earliest(wake_at, deadline_at(workflow, step))
    leave_canvas(workflow, step)
