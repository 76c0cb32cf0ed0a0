"""The one task: an attempt of a step. What it returns or raises is for Celery and Flower: the ledger has decided."""

from celery.exceptions import Ignore

from orchestrator.attempt import attempt
from orchestrator.moves.claiming import Refusal
from orchestrator.moves.settling import Settled
from tasks.app import app
from tasks.bench import held


class StepFailed(Exception):
    """The step failed for good. Carries no payload: Celery's tools show its text."""


@app.task(name="orchestrator.step", throws=(StepFailed,), ignore_result=True, shared=False)
def step(workflow_id: str, name: str) -> None:
    """Attempt the step.

    Returns where its canvas may go on, raises StepFailed (an expected failure: no traceback) where the step has
    failed, and Ignore where this message had no effect or the step will be brought again by the ledger.
    """
    match attempt(held().bench, workflow_id, name):
        case Settled.COMPLETED | Settled.SKIPPED | Settled.TOLERATED | Refusal.PASSED:
            return
        case Settled.FAILED:
            raise StepFailed(f"{name} failed: see workflow {workflow_id}")
        case _:
            raise Ignore
