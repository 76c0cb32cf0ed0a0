"""The one task: an attempt of a step. What it returns or raises is for Celery and Flower: the ledger has decided."""

import logging
from collections.abc import Mapping, Sequence

from celery import Task
from celery.exceptions import Ignore

from orchestrator.attempt import Canvas, attempt
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
    """Attempt the step, and what follows it as far as this worker keeps it.

    Returns where its canvas may go on, raises StepFailed (an expected failure: no traceback) where the step has
    failed, and Ignore where this message had no effect or the step will be brought again by the ledger.
    """
    chain = self.request.chain or []
    # What is not urgent gives way between its steps: each goes back to the end of its queue.
    gives_way = self.request.delivery_info.get("routing_key") == queue_of(Priority.LOW)
    canvas = Canvas(may_be_left=not gives_way and not _is_counted(self.request.chord, chain))
    try:
        with held().shares.place():
            reply = attempt(held().bench, workflow_id, name, canvas)
    except DefinitionError as error:
        log.warning("%s of workflow %s is left to a worker of a newer release: %s", name, workflow_id, error)
        raise Ignore from error
    if canvas.left:
        chain.clear()  # what Celery would bring next is on its way, or the ledger brings it
    match reply:
        case Settled.COMPLETED | Settled.SKIPPED | Settled.TOLERATED | Refusal.PASSED:
            return
        case Settled.FAILED:
            raise StepFailed(f"{canvas.last or name} failed: see workflow {workflow_id}")
        case _:
            raise Ignore


def _is_counted(chord: Json, chain: Sequence[Mapping[str, Mapping[str, Json]]]) -> bool:
    """Whether a chord counts the step, or the last one of its chain: that must return to it."""
    return chord is not None or any("chord" in signature["options"] for signature in chain)
