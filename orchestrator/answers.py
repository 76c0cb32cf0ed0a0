"""What comes from outside for a parked step: a service's answer, its heartbeat, a person's decision."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from orchestrator.call.masking import masked
from orchestrator.callbacks import Attempt
from orchestrator.definition import Step
from orchestrator.errors import NotFound
from orchestrator.expressions import References
from orchestrator.jsontype import Json
from orchestrator.judging import judge
from orchestrator.ledger.book import Ledger, log_all
from orchestrator.ledger.materials import Gathering, Materials
from orchestrator.ledger.rows import Rows
from orchestrator.ledger.scopes import ReadSteps
from orchestrator.moves.answering import Answer, Answered, Decide, Heartbeat
from orchestrator.moves.claiming import Claimed
from orchestrator.moves.move import Move
from orchestrator.outcome import Answer as Said
from orchestrator.outcome import Ending, Failed, StepError
from orchestrator.private import private_texts
from orchestrator.repeating import reconsidered
from orchestrator.request import Surroundings, scope_of
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.workflow import Publication, StepState, Workflow, step_of

LONGEST_MESSAGE = 2_000
"""Characters that are kept of what a service says about its failure."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A service says that it failed: with which effect, and whether another attempt could help."""

    error: Json
    effect: Effect = Effect.NONE
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Success:
    """A service says that it is done, with this body."""

    body: Json


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of an answer, the step's status now (None where there is no such step), and what is to be sent."""

    answered: Answered
    status: StepStatus | None
    publication: Publication


def answer_callback(
    ledger: Ledger, around: Surroundings, workflow_id: str, step: str, attempt: Attempt, said: Success | Failure
) -> Reply:
    """Record what the service says of the attempt whose token it has. Raises NotFound where there is no workflow."""
    with ledger.database.transaction() as connection:
        materials = _materials(ledger, connection, workflow_id, step)
        if materials is None:
            return Reply(Answered.UNEXPECTED, None, Publication(workflow_id, ""))
        share = random.random()  # noqa: S311 - jitter, not a secret
        outcome = meaning(materials, around, said)
        move = Answer(workflow_id, step, Waiting.CALLBACK, outcome, attempt.number, attempt.key_round, share)
        reply, workflow = _made(ledger, connection, move, step)
    log_all({workflow_id: workflow})
    return reply


def heartbeat(ledger: Ledger, workflow_id: str, step: str, attempt: Attempt) -> Reply:
    """The service is still at work. Raises NotFound where there is no workflow."""
    return _alone(ledger, Heartbeat(workflow_id, step, attempt.number, attempt.key_round), step)


def decide(ledger: Ledger, decision: Decide) -> Reply:
    """A person has decided. Raises NotFound where there is no workflow."""
    return _alone(ledger, decision, decision.step)


def _alone(ledger: Ledger, move: Heartbeat | Decide, step: str) -> Reply:
    with ledger.database.transaction() as connection:
        reply, workflow = _made(ledger, connection, move, step)
    log_all({move.workflow_id: workflow})
    return reply


def _made(ledger: Ledger, connection: Connection, move: Move[Answered], step: str) -> tuple[Reply, Workflow]:
    [made], found = ledger.make_in(connection, [move])
    if move.workflow_id not in found:
        raise NotFound(f"there is no workflow {move.workflow_id}")
    assert made.reply is not None, "a move on a workflow that is there has a reply"
    workflow = found[move.workflow_id]
    row = workflow.find(step)
    return Reply(made.reply, None if row is None else row.status, made.publication), workflow


def _materials(ledger: Ledger, connection: Connection, workflow_id: str, step: str) -> Materials | None:
    """What the expressions read that judge an answer; None where the step has none to wait for."""
    rows = Rows(connection)
    heads, _ = rows.lock([workflow_id], context=True)
    if not heads:
        raise NotFound(f"there is no workflow {workflow_id}")
    workflow = Workflow(heads[0], ledger.definitions.get(connection, heads[0].version), rows.loader(workflow_id))
    row: StepState | None = workflow.find(step)
    if row is None or row.kind.undoes or workflow.fans_out(row):
        return None
    own = workflow.definition.steps[step_of(step)]
    if own.callback is None:
        return None
    gathering = Gathering(workflow, Claimed(row, row.attempts, 0.0, own.call.timeout))
    return gathering.with_steps(ReadSteps(connection, gathering.keys))


def meaning(materials: Materials, around: Surroundings, said: Success | Failure) -> Ending:
    """What a service says later, judged as an answer to the request itself would be, with what is private masked."""
    fields = around.sealer.open(materials.sealed)
    private = private_texts(materials.definition, around.secrets, fields)
    own = materials.own
    scope = _scope(materials, around, own)
    call = own.call
    if isinstance(said, Success):
        body = masked(Said(200, {}, said.body), private)
        return judge(
            body, success=call.success, result=call.result, idempotent=call.idempotent, now=0.0, on=call.retry.on,
            scope=scope,
        )  # fmt: skip
    told = masked(Said(500, {}, _message(said.error)), private)
    assert isinstance(told, Said), "an answer that is masked is still one"
    repeatable = said.retryable and (call.idempotent or said.effect is Effect.NONE)
    failed = Failed(StepError("callback", str(told.body)), said.effect, repeatable)
    if call.retry.on is None or not said.retryable:
        return failed
    return reconsidered(failed, call.retry.on, {**scope, "response": None})


def _scope(materials: Materials, around: Surroundings, own: Step) -> Mapping[str, Json]:
    read = References.union(expression.references for expression in own.call.judging).roots
    return {} if read <= {"response", "error"} else scope_of(materials, around)


def _message(error: Json) -> str:
    message = error.get("message", error) if isinstance(error, dict) else error
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    return f"the service says that it failed: {text}"[:LONGEST_MESSAGE]
