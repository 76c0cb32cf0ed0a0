"""The workflow stops starting steps, and waits for those in flight before anything is undone."""

from dataclasses import replace

from orchestrator.jsontype import Json
from orchestrator.moves.items import awaits_items, halt
from orchestrator.moves.timing import may_act_until
from orchestrator.moves.undoing import begin_undo
from orchestrator.outcome import StepError
from orchestrator.states import StepStatus, Waiting, WorkflowStatus
from orchestrator.workflow import START, Head, Kind, StepState, Workflow, step_of


def begin_failing(workflow: Workflow, ending: WorkflowStatus, error: Json, now: float) -> None:
    """From now on no step is started; the workflow will end as `ending` once everything is settled and undone.

    A paused workflow keeps its pause: it goes on to the undoing when it is resumed.
    """
    if doom(workflow, ending, error) and workflow.head.status is WorkflowStatus.RUNNING:
        drain(workflow, now)


def doom(workflow: Workflow, ending: WorkflowStatus, error: Json) -> bool:
    """Say how the workflow will end, and why; false where that was said before: the first reason stays."""
    head = workflow.head
    if head.ending is not None:
        return False
    head.ending = ending
    head.error = error
    workflow.record("workflow.failing", ending=ending.value, error=error)
    return True


def drain(workflow: Workflow, now: float) -> None:
    """Count what is under way and give up what only waits; with nothing under way the undoing begins at once."""
    head = workflow.head
    head.move(WorkflowStatus.COMPENSATING)
    head.wake_at = None
    in_flight = 0
    expanded: list[StepState] = []
    for step in workflow.all():
        if awaits_items(step):
            expanded.append(step)
        elif _is_waited_for(workflow, step, now):
            in_flight += 1
        elif not step.kind.undoes and step.status is StepStatus.WAITING:
            _give_up(workflow, step, now)
        elif step.status is StepStatus.PENDING and step.wake_at is not None:
            workflow.change(step.name).wake_at = None
    for step in expanded:
        if step.kind is Kind.CALL:
            halt(workflow, step, now)
    head.draining = in_flight
    if in_flight == 0:
        begin_undo(workflow, now)


def _is_waited_for(workflow: Workflow, step: StepState, now: float) -> bool:
    """Whether what the step has called may yet act."""
    if step.under_way:
        if step.status is StepStatus.WAITING and step.waiting_for == Waiting.CHILD:
            workflow.change(step.name).wake_at = now  # it is cancelled with its parent
        return True
    until = _lost_until(workflow, step, now)
    if until is not None:
        _leave_to_its_call(workflow, step, until)
    return until is not None


def _lost_until(workflow: Workflow, step: StepState, now: float) -> float | None:
    """Until when a call may act whose worker was lost before it could be made again; None where none may.

    A child that may have been started is found, and cancelled, by the undoing.
    """
    if step.losses == 0 or step.settled or step.kind.undoes or not workflow.acts(step):
        return None
    if workflow.definition.steps[step_of(step.name)].child is not None:
        return None
    until = may_act_until(workflow, step, now)
    return until if now < until else None


def _leave_to_its_call(workflow: Workflow, step: StepState, until: float) -> None:
    """It was to be called again, which it is not any more: as if it had not been taken over, it is waited for."""
    workflow.change(step.name)
    if step.status is StepStatus.WAITING:
        step.move(StepStatus.PENDING)
    step.move(StepStatus.RUNNING)
    step.waiting_for = step.memo = None
    step.wake_at = until
    workflow.record("step.outwaited", step.name, attempt=step.attempts, worker=step.worker, until=until)


def drained(workflow: Workflow, now: float) -> None:
    """One step that was in flight when the workflow began to fail has settled; the last one starts the undoing."""
    head = workflow.head
    head.draining -= 1
    if head.draining == 0:
        begin_undo(workflow, now)


def _give_up(workflow: Workflow, step: StepState, now: float) -> None:
    """What a step waits for will not come any more; one that was never attempted is as it was."""
    if step.waiting_for == START or step.attempts == 0:
        workflow.change(step.name).move(StepStatus.PENDING)
        step.waiting_for = step.wake_at = None
        return
    waiting_for = step.waiting_for
    workflow.close(step, StepStatus.FAILED, now)
    again = f"attempt {step.attempts} failed, and the next one was not made"
    happened = again if waiting_for == Waiting.RETRY else f"its {waiting_for} was given up"
    message = f"{happened}: {_why(workflow.head)}"
    step.error = StepError("cancelled", message).as_json()
    workflow.record("step.failed", step.name, error=step.error, effect=step.effect.value)


def cut_short(error: StepError, head: Head) -> StepError:
    """The error of an attempt after which another one would have been made, had the workflow not been ending."""
    return replace(error, message=f"{error.message}; not tried again: {_why(head)}")


def _why(head: Head) -> str:
    if head.ending is not WorkflowStatus.FAILED:
        return f"the workflow was to end as {head.ending}"
    culprit = head.error.get("step") if isinstance(head.error, dict) else None
    return f"the workflow began to fail (at {culprit})" if culprit else "the workflow began to fail"
