"""The one task: an attempt of a step. What it returns or raises is for Celery and Flower: the ledger has decided."""

import logging
from collections.abc import Mapping, Sequence

from celery import Task
from celery.exceptions import Ignore

from orchestrator.attempt import Line, attempt
from orchestrator.errors import DefinitionError
from orchestrator.jsontype import Json
from orchestrator.moves.claiming import Refusal
from orchestrator.moves.settling import Settled
from orchestrator.priority import Priority
from tasks.app import app
from tasks.bench import held
from tasks.queues import queue_of

log = logging.getLogger("orchestrator")


class StepFailed(Exception):
    """The step failed for good. Carries no payload: Celery's tools show its text."""


NAME = "orchestrator.step"


@app.task(name=NAME, bind=True, throws=(StepFailed,), ignore_result=True, shared=False)
def step(self: Task, workflow_id: str, name: str) -> None:
    """Attempt the step, and those that follow it in its chain, as far as they may be attempted at once.

    Returns where its canvas may go on, raises StepFailed (an expected failure: no traceback) where the step has
    failed, and Ignore where this message had no effect or the step will be brought again by the ledger.
    """
    chain = self.request.chain or []
    # What is not urgent gives way between its steps: each goes back to the end of its queue.
    gives_way = self.request.delivery_info.get("routing_key") == queue_of(Priority.LOW)
    line = Line([] if gives_way else _names(chain, workflow_id))
    try:
        with held().shares.place():
            reply = attempt(held().bench, workflow_id, name, line)
    except DefinitionError as error:
        log.warning("%s of workflow %s is left to a worker of a newer release: %s", name, workflow_id, error)
        raise Ignore from error
    # Celery brings what is left of the chain, its last entry first.
    del chain[len(chain) - line.taken :]
    match reply:
        case Settled.COMPLETED | Settled.SKIPPED | Settled.TOLERATED | Refusal.PASSED:
            return
        case Settled.FAILED:
            raise StepFailed(f"{line.last or name} failed: see workflow {workflow_id}")
        case _:
            raise Ignore


def _names(chain: Sequence[Mapping[str, Json]], workflow_id: str) -> list[str]:
    """The steps that follow one by one, up to the first group or chord."""
    names = []
    for signature in reversed(chain):
        # What a chord counts must return to it.
        if signature["task"] != NAME or "chord" in signature["options"] or signature["args"][0] != workflow_id:
            break
        names.append(str(signature["args"][1]))
    return names
