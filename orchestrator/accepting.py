"""An answer that accepts a request → what its step waits for; an answer to how it stands → whether it is done.

Pure. A 2xx to the request of a `callback` or `poll` step says that the service has it, not that it did it.

| what came to the question how it stands | then |
|---|---|
| `done` holds, whatever the status | completed; the body, or what `result` makes of the answer |
| `failed` holds, whatever the status | failed: `rejected`, effect none: the service says that it did not do it |
| another 2xx | asked again after `every`, or later where `Retry-After` says so |
| a failure worth a retry | asked again, as `retry` says, until as many in a row have failed as it has retries |
| any other failure; an expression that cannot be evaluated, or is neither true nor false | failed, effect unknown |

What was accepted is never asked for again because a question failed.
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from orchestrator.definition import Poll, Step
from orchestrator.errors import ExpressionError
from orchestrator.expressions import Expression
from orchestrator.jsontype import Json, kind_of
from orchestrator.judging import judge
from orchestrator.outcome import Answer, Completed, Failed, NoAnswer, Parked, Question, StepError
from orchestrator.rendering import text_of
from orchestrator.retrying import parse_retry_after, wait_before
from orchestrator.states import Effect, Waiting


def accepted_callback(
    answer: Answer | NoAnswer, step: Step, *, now: float, scope: Mapping[str, Json]
) -> Parked | Failed:
    """What the answer to the request means: the service will call back, or it did not take the order."""
    assert step.callback is not None, "only a step with a callback is called back"
    status = answer.status or 0
    if 200 <= status < 300:  # whatever stands in it
        return Parked(Waiting.CALLBACK, seconds=step.callback.timeout)
    outcome = _judged(answer, step, now, scope, idempotent=step.call.idempotent)
    assert isinstance(outcome, Failed), "only a 2xx is a success where nothing else is said"
    return outcome


def accepted_poll(
    answer: Answer | NoAnswer, step: Step, called: str, *, now: float, scope: Mapping[str, Json]
) -> tuple[Completed | Failed | Parked, Question | None]:
    """What the answer to the request at the URL `called` means; with a Parked, where to ask how it stands."""
    poll = _poll(step)
    outcome = _judged(answer, step, now, scope, idempotent=step.call.idempotent)
    if isinstance(outcome, Failed) or not isinstance(answer, Answer):
        return outcome, None
    seen = _with(scope, answer)
    if poll.done.evaluate(seen) is True:
        return _completed(answer, step, seen), None
    try:
        question = _question(answer, poll, called, seen)
    except ExpressionError as error:
        return Failed(StepError("expression", f"`poll.url` cannot be evaluated: {error}"), Effect.UNKNOWN, False), None
    if question is None:
        message = "it was accepted without a Location that says where to ask how it stands; give poll.url"
        return Failed(StepError("answer", message, answer.status), Effect.UNKNOWN, retryable=False), None
    return Parked(Waiting.POLL, seconds=_pause(poll, answer, now)), question


def asked(
    answer: Answer | NoAnswer, step: Step, question: Question, *, now: float, share: float, scope: Mapping[str, Json]
) -> tuple[Completed | Failed | Parked, Question]:
    """What the answer to the question means; `share` is the random share of the wait after one that failed."""
    poll = _poll(step)
    if isinstance(answer, Answer):
        outcome = _standing(answer, step, poll, now, _with(scope, answer))
        if outcome is not None:
            return outcome, replace(question, errors=0)
    failed = _judged(answer, step, now, scope, idempotent=True)  # to ask again does no harm, whatever was asked for
    assert isinstance(failed, Failed), "a success was looked at before"
    errors, policy = question.errors + 1, step.call.retry
    if not failed.retryable or errors > policy.retries:
        return replace(failed, effect=Effect.UNKNOWN, retryable=False), question
    wait = max(poll.every, wait_before(policy, errors - 1, failed.retry_after, share))
    return Parked(Waiting.POLL, seconds=wait), replace(question, errors=errors)


def _standing(
    answer: Answer, step: Step, poll: Poll, now: float, seen: Mapping[str, Json]
) -> Completed | Failed | Parked | None:
    """What the service says, None where its answer is one of a service that fails."""
    sound = 200 <= answer.status < 300
    try:
        done = _holds(poll.done, "done", seen, strict=sound)
        failed = not done and poll.failed is not None and _holds(poll.failed, "failed", seen, strict=sound)
    except ExpressionError as error:
        return Failed(StepError("expression", str(error), answer.status), Effect.UNKNOWN, retryable=False)
    if done:
        return _completed(answer, step, seen)
    if failed:
        return Failed(StepError("rejected", "`poll.failed` holds", answer.status), Effect.NONE, retryable=False)
    return Parked(Waiting.POLL, seconds=_pause(poll, answer, now)) if sound else None


def _holds(expression: Expression, name: str, scope: Mapping[str, Json], *, strict: bool) -> bool:
    try:
        held = expression.evaluate(scope)
    except ExpressionError as error:
        if not strict:
            return False
        raise ExpressionError(f"`poll.{name}` cannot be evaluated: {error}") from None
    if strict and not isinstance(held, bool):
        raise ExpressionError(f"`poll.{name}` must be true or false; it is {kind_of(held)}")
    return held is True


def _completed(answer: Answer, step: Step, scope: Mapping[str, Json]) -> Completed | Failed:
    if step.call.result is None:
        return Completed(answer.body, answer.status)
    try:
        return Completed(step.call.result.evaluate(scope), answer.status)
    except ExpressionError as error:
        reason = StepError("expression", f"`result` cannot be evaluated: {error}", answer.status)
        return Failed(reason, Effect.DONE, retryable=False)


def _judged(
    answer: Answer | NoAnswer, step: Step, now: float, scope: Mapping[str, Json], *, idempotent: bool
) -> Completed | Failed:
    """As any answer; but what was only accepted is not known to be done."""
    on = step.call.retry.on
    outcome = judge(answer, success=None, result=None, idempotent=idempotent, now=now, on=on, scope=scope)
    if isinstance(outcome, Failed) and outcome.effect is Effect.DONE:
        return replace(outcome, effect=Effect.UNKNOWN)
    return outcome


def _question(answer: Answer, poll: Poll, called: str, scope: Mapping[str, Json]) -> Question | None:
    if poll.url is not None:
        return Question(text_of(poll.url.render(scope), "poll.url"), ours=True)
    location = answer.headers.get("location")
    if not location:
        return None
    url = urljoin(called, location)
    return Question(url, ours=_origin(url) == _origin(called))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _pause(poll: Poll, answer: Answer, now: float) -> float:
    """Seconds until the next question: services say with their 202 when it is worth one."""
    said = answer.headers.get("retry-after")
    return max(poll.every, (parse_retry_after(said, now) or 0.0) if said is not None else 0.0)


def _with(scope: Mapping[str, Json], answer: Answer) -> dict[str, Json]:
    return {**scope, "response": {"status": answer.status, "headers": answer.headers, "body": answer.body}}


def _poll(step: Step) -> Poll:
    assert step.poll is not None, "only a step with a poll is asked how it stands"
    return step.poll
