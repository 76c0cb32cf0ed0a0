"""Child workflows and Celery tasks of a workflow that is played: they are answered as the case says, like services."""

from orchestrator.jsontype import Json
from orchestrator.ledger.materials import Materials
from orchestrator.outcome import Completed, Failed, Outcome, StepError
from orchestrator.request import Surroundings, idempotency_key, scope_of
from orchestrator.sealing import without
from orchestrator.states import Effect
from orchestrator.testkit.services import Services


class Others:
    """Whoever does what is no request. A status from 400 on, or no answer, stands for a failure."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def outcome(self, materials: Materials, around: Surroundings) -> Outcome | None:
        """What comes of the step's child or task; None for a step that has neither."""
        own = materials.own
        if own.child is None and own.task is None:
            return None
        step = materials.step
        method, url = ("WORKFLOW", own.child.type) if own.child is not None else ("TASK", _task(materials))
        key = idempotency_key(materials.workflow_id, step.name, step.key_round)
        headers = {"X-Step": step.name, "Idempotency-Key": key}
        answered = self._services.begin(step.name, method, url, headers, _sent(materials, around))
        if answered.silence is None and answered.status < 400:
            return Completed(answered.body)
        kind = method.lower()
        reason = StepError(kind, f"the {kind} {url} failed, as the case says")
        return Failed(reason, Effect.UNKNOWN if answered.silence else Effect.NONE, retryable=False)


def _task(materials: Materials) -> str:
    assert materials.own.task is not None, "a step with neither child nor task makes a request"
    return materials.own.task.name


def _sent(materials: Materials, around: Surroundings) -> Json:
    """The child's context, or the task's `args` and `kwargs`; nothing is said to an undo."""
    if materials.undone is not None:
        return None
    scope = scope_of(materials, around)
    child, task = materials.own.child, materials.own.task
    if child is not None:
        return (
            without(materials.context, materials.definition.sensitive)
            if child.context is None
            else (child.context.render(scope))
        )
    parts = {} if task is None else {"args": task.args, "kwargs": task.kwargs}
    return {name: part.render(scope) for name, part in parts.items() if part is not None}
