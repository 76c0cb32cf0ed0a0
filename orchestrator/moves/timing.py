"""How long a step may go on trying, all its attempts and the waits between them together."""

from dataclasses import replace

from orchestrator.durations import span
from orchestrator.outcome import Failed, StepError
from orchestrator.workflow import StepState, Workflow


def too_late_for(workflow: Workflow, step: StepState, outcome: Failed, at: float) -> StepError | None:
    """Why another attempt may not be begun at that time, after this one failed so; None where it may."""
    budget = workflow.call_of(step).retry.budget
    if budget is None or step.trying_since is None or at <= step.trying_since + budget:
        return None
    limit = f"`retry.budget` of {span(budget)}, counted from the first attempt"
    return replace(outcome.error, message=f"{outcome.error.message}; {_next(outcome)} would exceed its {limit}")


def _next(outcome: Failed) -> str:
    if outcome.retry_after is None:
        return "another attempt"
    return f"the {round(outcome.retry_after)} s that the service asks to be left alone (Retry-After)"
