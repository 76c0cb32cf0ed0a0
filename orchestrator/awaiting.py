"""An attempt whose outcome comes later: what a worker does for it between claim and settle.

It makes the request and finds it accepted, or asks how it stands, or makes no request at all; then the step is parked.
"""

import random
import time
from collections.abc import Mapping
from typing import Protocol

from orchestrator.accepting import accepted_callback, accepted_poll, asked
from orchestrator.beginning import LONGEST, moment
from orchestrator.call import Request
from orchestrator.definition import Step
from orchestrator.durations import span
from orchestrator.errors import ExpressionError, SettingsError
from orchestrator.jsontype import Json
from orchestrator.ledger.materials import Materials
from orchestrator.outcome import Answer, Failed, NoAnswer, Outcome, Parked, Question, StepError
from orchestrator.request import Surroundings, question_for, scope_of
from orchestrator.sealing import Sealer
from orchestrator.states import Effect, Waiting


class Ask(Protocol):
    """Whoever sends a request once."""

    def __call__(self, request: Request) -> Answer | NoAnswer:
        """What came of it."""


def is_asking(materials: Materials) -> bool:
    """Whether the attempt was accepted before, and its service is to be asked how it stands."""
    return materials.step.waiting_for == Waiting.POLL


def rests(materials: Materials, own: Step, around: Surroundings) -> Parked:
    """A step that makes no request waits at once. Raises ExpressionError for a time that is none."""
    if own.approval is not None:
        # A person reads the message: what is sensitive stays masked in it, and no secret can be read.
        scope = scope_of(materials, around) | {"context": materials.context}
        message = None if own.approval.message is None else own.approval.message.render(scope)
        return Parked(Waiting.APPROVAL, seconds=own.approval.timeout, memo={"message": message})
    assert own.wait is not None, "a step without a request waits for a person or for a time"
    if own.wait.until is None:
        return Parked(Waiting.TIMER, seconds=own.wait.seconds)
    return Parked(Waiting.TIMER, until=_until(own.wait.until.render(scope_of(materials, around))))


def taken(answer: Answer | NoAnswer, request: Request, own: Step, scope: Mapping[str, Json], sealer: Sealer) -> Outcome:
    """What the answer to the request of a step means whose outcome comes later."""
    if own.callback is not None:
        return accepted_callback(answer, own, now=time.time(), scope=scope)
    outcome, question = accepted_poll(answer, own, request.url, now=time.time(), scope=scope)
    return _keeping(outcome, question, sealer)


def stands(materials: Materials, own: Step, around: Surroundings, ask: Ask) -> Outcome:
    """Ask how the accepted attempt stands. It is never taken back or made again by what goes wrong here."""
    assert own.poll is not None, "only a step with a poll is asked how it stands"
    try:
        question = _opened(materials.step.memo, around.sealer)
        scope = scope_of(materials, around)
        request = question_for(materials, around, question)
    except SettingsError:
        # This worker cannot open what was kept; another one may have the right key.
        return Parked(Waiting.POLL, seconds=own.poll.every, memo=materials.step.memo)
    except ExpressionError as error:
        return Failed(StepError("expression", str(error)), Effect.UNKNOWN, retryable=False)
    share = random.random()  # noqa: S311 - jitter, not a secret
    outcome, question = asked(ask(request), own, question, now=time.time(), share=share, scope=scope)
    return _keeping(outcome, question, around.sealer)


def _keeping(outcome: Outcome, question: Question | None, sealer: Sealer) -> Outcome:
    """A parked outcome with its question; the address may hold what is private, so it is encrypted."""
    if not isinstance(outcome, Parked) or question is None:
        return outcome
    kept = sealer.seal({"url": question.url, "ours": question.ours, "errors": question.errors})
    return Parked(outcome.waiting_for, outcome.seconds, outcome.until, kept)


def _opened(memo: Json, sealer: Sealer) -> Question:
    fields = sealer.open(memo)
    return Question(fields["url"], fields["ours"], fields["errors"])


def _until(value: Json) -> float:
    try:
        until = moment(value)
    except ValueError as error:
        raise ExpressionError(f"`wait.until` {error}") from None
    if until > time.time() + LONGEST:
        raise ExpressionError(f"`wait.until` is more than {span(LONGEST)} away")
    return until
