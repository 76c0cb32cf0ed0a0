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
        child, task, step = materials.own.child, materials.call.task, materials.step
        if child is None and task is None:
            return None
        method, url = ("TASK", task.name) if task is not None else ("WORKFLOW", child.type if child is not None else "")
        key = idempotency_key(materials.workflow_id, step.name, step.key_round)
        headers = {"X-Step": step.name, "Idempotency-Key": key}
        answered = self._services.begin(step.name, method, url, headers, _sent(materials, around))
        if answered.silence is None and answered.status < 400:
            return Completed(answered.body)
        kind = method.lower()
        reason = StepError(kind, f"the {kind} {url} failed, as the case says")
        return Failed(reason, Effect.UNKNOWN if answered.silence else Effect.NONE, retryable=False)


def _sent(materials: Materials, around: Surroundings) -> Json:
    """The child's context, or the task's `args` and `kwargs`; nothing is said to an undo."""
    scope = scope_of(materials, around)
    child, task = materials.own.child, materials.call.task
    if child is not None and task is None:
        if materials.undone is not None:
            return None
        return (
            without(materials.context, materials.definition.sensitive)
            if child.context is None
            else (child.context.render(scope))
        )
    parts = {} if task is None else {"args": task.args, "kwargs": task.kwargs}
    return {name: part.render(scope) for name, part in parts.items() if part is not None}
