"""Celery tasks of other people's workers as steps: sent by name, and what became of them brought back to the ledger.

A task is sent once for each attempt, under an id that follows from workflow, step and attempt. When it ends, its worker
sends a message to our queue (`link`, `link_error`: `tasks.told`). Any of that may be lost with Redis, or come twice. So
the step also looks by itself: whether a result is stored where ours would be, and whether the time-out is over. Then
nobody knows what the task did, and it is sent again as the next attempt, under a new id and the same key, unless the
step says `idempotent: false`. A task that was not begun by then expires: it must not act after it was undone.
"""

import uuid
from collections.abc import Mapping

from celery import Celery, states
from celery.backends.base import Backend
from kombu.exceptions import KombuError
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError

from orchestrator.definition import CeleryTask
from orchestrator.errors import ExpressionError
from orchestrator.expressions import Template
from orchestrator.jsontype import Json
from orchestrator.ledger.materials import Materials
from orchestrator.outcome import Completed, Ending, Failed, Outcome, Parked, StepError
from orchestrator.request import Surroundings, idempotency_key, scope_of
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.storable import NotStorable, check_storable

_IDS = uuid.UUID("0d7a1b7e-52a5-5c0e-8e0f-4c8b9c6a5c11")

LOOK_EVERY = 15.0
"""Seconds between two looks at a task of which nothing was heard."""

LONGEST_MESSAGE = 500


class Foreign:
    """Sends tasks and sees how they stand."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def outcome(self, materials: Materials, around: Surroundings) -> Outcome | None:
        """How the task of the step, or of its undo, stands, sent where it is not; None where there is none."""
        task = materials.call.task
        if task is None:
            return None
        memo = materials.step.memo
        if isinstance(memo, dict) and materials.step.waiting_for == Waiting.TASK:
            return self._stands(materials, memo)
        return self._send(materials, task, around)

    def _send(self, materials: Materials, task: CeleryTask, around: Surroundings) -> Outcome:
        scope = scope_of(materials, around)
        args, kwargs = _filled(task.args, scope, list, "args"), _filled(task.kwargs, scope, dict, "kwargs")
        step = materials.step
        place = (materials.workflow_id, step.name, materials.attempt, step.key_round)
        task_id = task_id_of(*place)
        try:
            self._app.send_task(
                task.name,
                args,
                kwargs,
                queue=task.queue,
                task_id=task_id,
                expires=materials.timeout,
                headers=_headers(materials),
                link=self._told("orchestrator.task_succeeded", place),
                link_error=self._told("orchestrator.task_failed", (*place, materials.call.idempotent)),
            )
        except (KombuError, RedisError, OSError) as error:
            if never_arrived(error):
                reason = StepError("connect", f"the task could not be sent: {error}"[:LONGEST_MESSAGE])
                return Failed(reason, Effect.NONE, retryable=True)
            # The connection that broke may have carried it: then it is done, and it is heard of. It is waited for.
        return parked(task_id, materials.timeout)

    def _told(self, name: str, place: tuple[Json, ...]) -> Json:
        return self._app.signature(name, args=place, queue=self._app.conf.task_default_queue)

    def _stands(self, materials: Materials, memo: Mapping[str, Json]) -> Outcome:
        found = ended(self._app.backend, str(memo["id"]), idempotent=materials.call.idempotent)
        if found is not None:
            return found
        left = float(memo["left"])
        if left <= 0:
            message = "the task was sent, and nothing was heard of it in time"
            return Failed(StepError("timeout", message), Effect.UNKNOWN, retryable=materials.call.idempotent)
        return parked(str(memo["id"]), left)


def _headers(materials: Materials) -> dict[str, Json]:
    """What the task finds in its request. An undo learns what it undoes, whose result may be unknown."""
    step, undone = materials.step, materials.undone
    headers = {
        "idempotency_key": idempotency_key(materials.workflow_id, step.name, step.key_round),
        "workflow_id": materials.workflow_id,
        "step": step.name,
    }
    if undone is None:
        return headers
    key = idempotency_key(materials.workflow_id, undone.name, undone.key_round)
    outcome = "completed" if undone.status is StepStatus.COMPLETED else "unknown"
    return {**headers, "original_idempotency_key": key, "original_outcome": outcome}


def parked(task_id: str, seconds: float) -> Parked:
    """Look again soon. What is left after that is counted down: the clocks of workers may differ by hours."""
    pause = min(seconds, LOOK_EVERY)
    return Parked(Waiting.TASK, seconds=pause, memo={"id": task_id, "left": seconds - pause})


def never_arrived(error: BaseException) -> bool:
    """Whether Redis refused the message, or every connection that was tried."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = _under(cause)
    connections = [one for one in causes if isinstance(one, Disconnected)]
    answered = any(isinstance(one, ResponseError) for one in causes)
    in_vain = all(isinstance(_under(one), ConnectionRefusedError) for one in connections)
    return in_vain and (answered or bool(connections))


def _under(error: BaseException) -> BaseException | None:
    return error.__cause__ or error.__context__


def task_id_of(workflow_id: str, step: str, attempt: int, key_round: int) -> str:
    """The id of the task of one attempt."""
    return str(uuid.uuid5(_IDS, f"{workflow_id}/{step}/{key_round}/{attempt}"))


def ended(backend: Backend, task_id: str, *, idempotent: bool) -> Ending | None:
    """What is stored of the task's end; None where nothing is, or nobody can be asked."""
    try:
        meta: Mapping[str, Json] = backend.get_task_meta(task_id, cache=False)
    except (RedisError, OSError, ValueError, KeyError, TypeError):
        return None  # what is stored there is the team's own: it need not be of a kind that we can read
    match meta.get("status"):
        case states.SUCCESS:
            return succeeded(meta.get("result"))
        case states.FAILURE:
            return failed(meta.get("result"), idempotent=idempotent)
    return None


def succeeded(result: Json) -> Ending:
    """The task's result as the step's, where it can be kept."""
    try:
        check_storable(result)
    except NotStorable as error:
        return Failed(StepError("answer", f"the task's result cannot be kept: {error}"), Effect.DONE, retryable=False)
    return Completed(result)


def failed(reason: object, *, idempotent: bool) -> Failed:
    """A task that raised may have done something before: like a 500."""
    told = f"{type(reason).__name__}: {reason}" if isinstance(reason, BaseException) else str(reason)
    printable = "".join(character if character.isprintable() else " " for character in told)
    return Failed(StepError("task", printable[:LONGEST_MESSAGE]), Effect.UNKNOWN, retryable=idempotent)


def _filled(template: Template | None, scope: Mapping[str, Json], kind: type, name: str) -> Json:
    if template is None:
        return kind()
    value = template.render(scope)
    if not isinstance(value, kind):
        raise ExpressionError(f"{name} must come out as {'a list' if kind is list else 'an object'}")
    return value
