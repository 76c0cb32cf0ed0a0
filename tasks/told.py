"""What a foreign task's worker tells of its end: by `link` with its result, by `link_error` with its id only.

Celery calls an errback of another application with nothing but the task's id: why it failed is read where its result
is stored, if that is where ours are. Each may come twice, or for an attempt that is long over: the ledger knows.
"""

import random

from celery import Task

from orchestrator.jsontype import Json
from orchestrator.moves.answering import Answer
from orchestrator.outcome import Ending
from orchestrator.states import Waiting
from tasks.app import app
from tasks.bench import held
from tasks.foreign import ended, failed, succeeded


@app.task(name="orchestrator.task_succeeded", ignore_result=True, shared=False)
def task_succeeded(result: Json, workflow_id: str, step: str, attempt: int, key_round: int) -> None:
    """The task of this attempt has returned."""
    _answer(workflow_id, step, attempt, key_round, succeeded(result))


@app.task(name="orchestrator.task_failed", bind=True, ignore_result=True, shared=False)
def task_failed(
    self: Task, task_id: str, workflow_id: str, step: str, attempt: int, key_round: int, idempotent: bool
) -> None:
    """The task of this attempt has raised."""
    outcome = ended(self.app.backend, task_id, idempotent=idempotent)
    outcome = outcome or failed("the task failed; its worker's log says why", idempotent=idempotent)
    _answer(workflow_id, step, attempt, key_round, outcome)


def _answer(workflow_id: str, step: str, attempt: int, key_round: int, outcome: Ending) -> None:
    share = random.random()  # noqa: S311 - jitter, not a secret
    answer = Answer(workflow_id, step, Waiting.TASK, outcome, attempt, key_round, share)
    [made] = held().ledger.make([answer], patience=30.0)
    held().bench.publish(made.publication)
    held().bench.parked()
