"""How long a step may go on trying, all its attempts and the waits between them together.

The deadline of a step ends it: no call of it goes on any longer. The budget of its retries only begins no further
attempt.
"""

from dataclasses import replace

from orchestrator.durations import span
from orchestrator.outcome import Failed, StepError
from orchestrator.workflow import Kind, StepState, Workflow, step_of


def overdue(workflow: Workflow, step: StepState, now: float, last: StepError | None = None) -> StepError | None:
    """The error of a step whose deadline has passed, else None. `last` is how its last attempt failed."""
    ends_at = deadline_at(workflow, step)
    if ends_at is None or now < ends_at:
        return None
    error = last or StepError("deadline", "no attempt has succeeded")
    return replace(error, kind="deadline", message=f"{error.message}; {_deadline(workflow, step)} has passed")


def too_late(workflow: Workflow, step: StepState, outcome: Failed, at: float) -> StepError | None:
    """Why another attempt may not be begun at that time, after this one failed so; None where it may."""
    error, budget = outcome.error, workflow.call_of(step).retry.budget
    ends_at = deadline_at(workflow, step)
    if ends_at is not None and at >= ends_at:
        message = f"{error.message}; {_next(outcome)} would exceed {_deadline(workflow, step)}"
        return replace(error, kind="deadline", message=message)
    if budget is not None and step.trying_since is not None and at > step.trying_since + budget:
        limit = f"its `retry.budget` of {span(budget)}, counted from the first attempt"
        return replace(error, message=f"{error.message}; {_next(outcome)} would exceed {limit}")
    return None


def time_for(workflow: Workflow, step: StepState, now: float) -> float:
    """Seconds that a call of the step may take which begins now: its time-out, or what its deadline leaves."""
    ends_at = deadline_at(workflow, step)
    timeout = workflow.call_of(step).timeout
    return timeout if ends_at is None else min(timeout, ends_at - now)


def deadline_at(workflow: Workflow, step: StepState) -> float | None:
    """When the step's time is over, whatever it does or waits for; None where it has no deadline.

    An item has that of its step.
    """
    if step.kind.undoes:
        return None
    begun = workflow.step(step_of(step.name)).trying_since if step.kind is Kind.ITEM else step.trying_since
    deadline = workflow.definition.steps[step_of(step.name)].deadline
    return None if deadline is None or begun is None else begun + deadline


def may_act_until(workflow: Workflow, step: StepState, now: float) -> float:
    """Until when an attempt whose worker is lost may still take effect: as long as it would have been waited for."""
    begun, own = step.attempt_at or now, workflow.definition.steps[step_of(step.name)]
    called = begun + workflow.call_of(step).timeout
    later = own.callback or own.poll
    if later is None or step.kind.undoes:
        return called
    return max(called, earliest(called + later.timeout, deadline_at(workflow, step)) or called)


def earliest(*times: float | None) -> float | None:
    """The first of the times that there are."""
    return min((time for time in times if time is not None), default=None)


def _deadline(workflow: Workflow, step: StepState) -> str:
    return (
        f"its deadline of {span(workflow.definition.steps[step_of(step.name)].deadline or 0)}, "
        "counted from the first attempt,"
    )


def _next(outcome: Failed) -> str:
    if outcome.retry_after is None:
        return "another attempt"
    return f"the {round(outcome.retry_after)} s that the service asks to be left alone (Retry-After)"
