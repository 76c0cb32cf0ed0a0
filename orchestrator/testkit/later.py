"""What is said of a step once it waits, by its service or by a person: from what a case says to the move it makes."""

from orchestrator.answers import Failure, Success, meaning
from orchestrator.ledger.materials import Materials
from orchestrator.moves.answering import Answer, Answered, Decide
from orchestrator.moves.move import Move
from orchestrator.outcome import Outcome, Parked
from orchestrator.request import Surroundings
from orchestrator.states import Waiting
from orchestrator.testkit.case import UNSAID, Later

_ANSWERED = (Waiting.CALLBACK, Waiting.APPROVAL)


def awaits_an_answer(outcome: Outcome) -> bool:
    """Whether an attempt that ended so waits for what somebody says."""
    return isinstance(outcome, Parked) and outcome.waiting_for in _ANSWERED


def said_of(materials: Materials, later: Later, around: Surroundings, share: float) -> Move[Answered]:
    """The move of it. Nobody waits for it any more where the step has settled meanwhile: then it is late."""
    workflow_id, step = materials.workflow_id, materials.step
    if materials.own.approval is not None:
        return Decide(workflow_id, step.name, later.approve is not False, "test", later.comment)
    said = Success(later.body) if later.error is UNSAID else Failure(later.error, later.effect, later.retryable)
    outcome = meaning(materials, around, said)
    return Answer(workflow_id, step.name, Waiting.CALLBACK, outcome, materials.attempt, step.key_round, share)
