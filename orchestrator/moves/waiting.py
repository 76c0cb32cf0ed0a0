"""The time of a parked step has come: a timer is over, an answer did not come, a service is asked again."""

from orchestrator.durations import span
from orchestrator.moves.advancing import make_ready
from orchestrator.moves.failing import drained
from orchestrator.moves.settling import NO_CALL, complete, fail
from orchestrator.outcome import Completed, Failed, StepError
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.workflow import StepState, Workflow, step_of

ALL_OF_IT = 1.0
"""The share of a retry delay that is waited where no dice were thrown."""


def waited(workflow: Workflow, step: StepState, now: float) -> None:
    """What becomes of a waiting step for which nobody has answered until now."""
    if step.waiting_for == Waiting.TIMER:
        complete(workflow, step, Completed(None), NO_CALL, now)
        return
    if step.waiting_for in (Waiting.CHILD, Waiting.TASK) or (
        step.waiting_for == Waiting.POLL and now < polls_until(workflow, step)
    ):
        step.move(StepStatus.PENDING)
        make_ready(workflow, step, now)
        return
    under_way = step.under_way and workflow.head.draining > 0
    fail(workflow, step, _unanswered(workflow, step), NO_CALL, now, ALL_OF_IT)
    if under_way:
        drained(workflow, now)


def polls_until(workflow: Workflow, step: StepState) -> float:
    """When the step gives up to ask how its attempt stands, in seconds since 1970."""
    poll = workflow.definition.steps[step_of(step.name)].poll
    assert poll is not None, f"{step.name} has no poll in its definition"
    return (step.attempt_at or 0.0) + poll.timeout


def _unanswered(workflow: Workflow, step: StepState) -> Failed:
    """An approval that nobody gave did nothing; of what a service has accepted nobody knows how far it came.

    A call that may be repeated is, under its key; but not where the service has been asked how it stands all the time.
    """
    own = workflow.definition.steps[step_of(step.name)]
    match step.waiting_for:
        case Waiting.APPROVAL:
            error = StepError("timeout", f"nobody decided within {span(own.approval.timeout if own.approval else 0)}")
            return Failed(error, Effect.NONE, retryable=False)
        case Waiting.POLL:
            error = StepError("timeout", f"it was not done within {span(own.poll.timeout if own.poll else 0)}")
            return Failed(error, Effect.UNKNOWN, retryable=False)
        case _:
            error = StepError("timeout", f"it was accepted, and no answer came in time ({step.waiting_for})")
            return Failed(error, Effect.UNKNOWN, retryable=own.call.idempotent)
