"""A step ends the workflow when it completes, as its definition says (pattern 43, explicit termination)."""

from orchestrator.moves.advancing import complete_if_done
from orchestrator.moves.failing import begin_failing
from orchestrator.moves.items import awaits_items, is_over, stop
from orchestrator.moves.replacing import undo_first
from orchestrator.moves.undoing import must_be_undone
from orchestrator.outcome import StepError
from orchestrator.states import StepStatus, WorkflowStatus
from orchestrator.workflow import Kind, StepState, Workflow, undo_of


def end_by(workflow: Workflow, step: StepState, now: float) -> None:
    """Start nothing more and wait for what is in flight; then end, as completed without undoing anything."""
    ending = WorkflowStatus(workflow.definition.steps[step.name].end or WorkflowStatus.COMPLETED)
    if ending is not WorkflowStatus.COMPLETED:
        message = f"{step.name} completed, which ends the workflow as {ending}"
        begin_failing(workflow, ending, {"step": step.name, "kind": "ended", "message": message}, now)
        return
    workflow.head.ending = ending
    workflow.record("workflow.ending", step.name, ending=ending.value)
    for other in workflow.all():
        if other.kind is Kind.CALL and not other.settled:
            _leave_out(workflow, other, step, now)
    complete_if_done(workflow, now)


def _leave_out(workflow: Workflow, step: StepState, ended_by: StepState, now: float) -> None:
    if step.under_way or _awaits_undo(workflow, step) or _has_items_under_way(workflow, step, now):
        return
    if step.attempts == 0:
        workflow.close(step, StepStatus.SKIPPED, now)
        workflow.record("step.skipped", step.name, reason=f"{ended_by.name} ended the workflow")
    else:
        error = StepError("cancelled", f"{ended_by.name} ended the workflow while it waited")
        step.tolerated = True
        step.error = error.as_json()
        workflow.close(step, StepStatus.FAILED, now)
        workflow.record("step.failed", step.name, error=error.as_json(), effect=step.effect.value)
        if must_be_undone(workflow.definition, step):
            undo_first(workflow, step, [], now)


def _has_items_under_way(workflow: Workflow, step: StepState, now: float) -> bool:
    """A step that waits for its items sends no more of them, and ends with the last one under way."""
    if not awaits_items(step):
        return False
    stop(workflow, step, StepError("cancelled", "the workflow was ended before all items had been called"), now)
    return is_over(step) is None


def _awaits_undo(workflow: Workflow, step: StepState) -> bool:
    """Whether it is a fallback for which something is being undone: that goes on, and the workflow waits for it."""
    stood_for = workflow.definition.stands_in_for.get(step.name)
    undo = None if stood_for is None else workflow.find(undo_of(stood_for))
    return undo is not None and not undo.settled and step.name in (undo.following or ())
