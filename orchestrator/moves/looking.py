"""What the reconciler does with a row that is due: wake it, send it again, or take it over from a lost worker."""

from orchestrator.moves.advancing import is_ready, leave_canvas, make_ready
from orchestrator.moves.failing import begin_failing, drained
from orchestrator.moves.items import awaits_items, is_over, item_is_last, stop
from orchestrator.moves.settling import conclude, fail_for_good, fail_without_call
from orchestrator.moves.starting import begin
from orchestrator.moves.timing import may_act_until, overdue
from orchestrator.moves.waiting import waited
from orchestrator.outcome import StepError
from orchestrator.states import BEGUN, Effect, StepStatus, WorkflowStatus
from orchestrator.workflow import START, StepState, Workflow

MOST_LOSSES = 3
"""How many workers a step may take with it before it is failed: a call that kills workers must not go on for ever."""


def look(workflow: Workflow, name: str, now: float) -> None:
    """Look at a step whose `wake_at` has come. Another worker may have looked first: then nothing is due any more."""
    step = workflow.find(name)
    if step is None or step.wake_at is None or step.wake_at > now:
        return
    workflow.change(name)
    late = overdue(workflow, step, now)
    match step.status:
        case StepStatus.WAITING if awaits_items(step):
            _end_waiting(workflow, step, late, now)
        case StepStatus.WAITING | StepStatus.PENDING if late is not None:
            fail_without_call(workflow, step, late, now)
        case StepStatus.WAITING if step.waiting_for == START:
            begin(workflow, now)
        case StepStatus.WAITING if step.waiting_for in BEGUN:
            waited(workflow, step, now)
        case StepStatus.WAITING:
            step.move(StepStatus.PENDING)
            step.waiting_for = None
            make_ready(workflow, step, now)
        case StepStatus.PENDING if is_ready(workflow, step):
            leave_canvas(workflow, step)
            make_ready(workflow, step, now)
            if step.wake_at is not None:
                workflow.record("step.resent", name)
        case StepStatus.RUNNING:
            lose(workflow, step, now)
        case _:
            step.wake_at = None


def _end_waiting(workflow: Workflow, step: StepState, late: StepError | None, now: float) -> None:
    """A step that waits for its items is due at its deadline: no more of them are sent."""
    step.wake_at = None
    if late is None:
        return
    stop(workflow, step, late, now)
    if (over := is_over(step)) is not None:
        conclude(workflow, step, over, now)


def lose(workflow: Workflow, step: StepState, now: float) -> None:
    """The worker that had the step is gone; whether the service was reached is unknown.

    The step is called again with the same idempotency key: it costs no retry. Not so a call that is not idempotent, one
    that took several workers with it, or one of a workflow that began to fail: that one has failed, outcome unknown.
    But the lost call may still act until its time-out, so it is not failed, and thereby undone, before that; and what
    may have accepted it, to answer later, until the time for that answer is over.
    """
    workflow.change(step.name)
    asking = step.waiting_for is not None
    again = _may_be_repeated(workflow, step, now)
    if not (again or workflow.fans_out(step)) and now < (silent_until := may_act_until(workflow, step, now)):
        step.wake_at = silent_until
        workflow.record("step.outwaited", step.name, attempt=step.attempts, worker=step.worker, until=silent_until)
        return
    step.losses += 1
    if step.effect is Effect.NONE and not workflow.fans_out(step):
        step.effect = Effect.UNKNOWN
    error = StepError("lost", f"worker {step.worker} was lost during attempt {step.attempts}")
    step.error = error.as_json()
    workflow.record("step.lost", step.name, attempt=step.attempts, worker=step.worker)
    leave_canvas(workflow, step)
    in_flight = workflow.head.draining > 0 and not (again and asking)
    if again:
        step.move(StepStatus.PENDING)
        step.worker = None
        make_ready(workflow, step, now)
    else:
        error = overdue(workflow, step, now, error) or error
        step.error = error.as_json()
        fail_for_good(workflow, step, error, now)
    if in_flight:
        drained(workflow, now)


def _may_be_repeated(workflow: Workflow, step: StepState, now: float) -> bool:
    """To ask how an attempt stands does no harm, whether or not the attempt itself may be made again."""
    ending = workflow.head.ending is not None or item_is_last(workflow, step)
    if not step.kind.undoes and ending and step.waiting_for is None:
        return False
    harmless = workflow.fans_out(step) or workflow.call_of(step).idempotent or step.waiting_for is not None
    repeatable = harmless and step.losses < MOST_LOSSES
    return repeatable and overdue(workflow, step, now) is None


def expire(workflow: Workflow, now: float) -> None:
    """Look at a workflow whose `wake_at` has come: its deadline has passed."""
    head = workflow.head
    if head.wake_at is None or head.wake_at > now:
        return
    head.wake_at = None
    if head.status in (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED):
        message = f"the workflow did not end within its deadline of {workflow.definition.deadline:g} s"
        begin_failing(workflow, WorkflowStatus.FAILED, {"kind": "deadline", "message": message}, now)
