"""An answer, or its absence, → what it means for the step: a result, or a failure with its effect and its retry. Pure.

| what came | outcome | effect | retried |
|---|---|---|---|
| 2xx | completed; the body, or what `result` makes of the answer | | |
| any status, where `success` holds | completed, likewise | | |
| 2xx, but `success` says no | failed: `rejected` | none: the service says that it did not do it | no |
| 2xx, but `success` or `result` cannot be evaluated, or `success` is no boolean | failed: `expression` | done | no |
| another status, and `success` says no or cannot be evaluated | failed, likewise | as its status | as its status |
| 408, 425, 429 | failed: `http` | none | yes |
| other 4xx; 101; 300 to 308 that were not followed | failed: `http` | none (303: unknown) | no |
| 501, 505 | failed: `http` | none | no |
| 503 | failed: `http` | none: the service says that it did not begin | yes |
| other 5xx | failed: `http` | unknown: it may have broken after the work was done, or a gateway answered | yes |
| a status that HTTP does not have (600 to 999) | failed: `http` | unknown | no |
| `dns`, `refused`, `connect`, `tls`, `auth` (no token, no certificate): nothing was sent | failed | none | yes |
| the same at an address that a redirect named | failed | as the redirect: none (303: unknown) | yes |
| `blocked`, `request` | failed | none (after a 303: unknown) | no |
| `timeout`, `dropped` | failed | unknown | yes |
| `answer` (it cannot be kept) with 2xx | failed | done | no |
| `answer` with another status | failed | as its status | as its status |
| `answer` without a status (not HTTP) | failed | unknown | yes |

`idempotent=False` (the service does not honour the `Idempotency-Key`): retried only where nothing was sent, on 429, and
on 503 with `Retry-After`. Where a definition says `retry.on`, that alone decides what is retried, of a call that is not
idempotent too; only `blocked`, `request` and `expression` never are. `Retry-After` counts on 429 and 503 alone.

A 409 under the key of an attempt whose outcome is unknown says that this one may still be under way: the settle makes
it worth another attempt (`moves.settling`).

Status codes: RFC 9110, RFC 8470 (425), RFC 6585 (429).
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from orchestrator.definition import RetryOn
from orchestrator.errors import ExpressionError
from orchestrator.expressions import Expression
from orchestrator.jsontype import Json, kind_of
from orchestrator.outcome import Answer, Completed, Failed, NoAnswer, StepError
from orchestrator.repeating import reconsidered
from orchestrator.retrying import parse_retry_after
from orchestrator.states import Effect

_RETRYABLE_4XX = frozenset({408, 425, 429})
_FINAL_5XX = frozenset({501, 505})
_NOT_BEGUN = _FINAL_5XX | {503}
_SEE_OTHER = 303
_OVERLOADED = frozenset({429, 503})
_UNSENT = frozenset({"dns", "refused", "connect", "tls", "auth"})
_REFUSED_HERE = frozenset({"blocked", "request"})


_NOTHING: Mapping[str, Json] = MappingProxyType({})


def judge(
    answer: Answer | NoAnswer,
    *,
    success: Expression | None,
    result: Expression | None,
    idempotent: bool,
    now: float,
    on: RetryOn | None = None,
    scope: Mapping[str, Json] = _NOTHING,
) -> Completed | Failed:
    """What `answer` means, by the table above. `now` is seconds since the epoch, for dates in `Retry-After`.

    `scope` holds what the expressions read besides `response` (null where there is no answer) and `error`.
    """
    if isinstance(answer, NoAnswer):
        seen: dict[str, Json] = {**scope, "response": None}
        outcome: Completed | Failed = _without_answer(answer, idempotent)
    else:
        response = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        seen = {**scope, "response": response}
        outcome = _answered(answer, success, result, seen, idempotent, now)
    return reconsidered(outcome, on, seen) if isinstance(outcome, Failed) and on is not None else outcome


def _answered(
    answer: Answer,
    success: Expression | None,
    result: Expression | None,
    scope: Mapping[str, Json],
    idempotent: bool,
    now: float,
) -> Completed | Failed:
    refusal = _refusal(answer, success, scope)
    if refusal is not None:
        return _failed(answer, refusal, idempotent, now)
    if result is None:
        return Completed(answer.body, answer.status)
    try:
        return Completed(result.evaluate(scope), answer.status)
    except ExpressionError as error:
        reason = StepError("expression", f"`result` cannot be evaluated: {error}", answer.status)
        return Failed(reason, Effect.DONE, retryable=False)


def effect_of(status: int) -> Effect:
    """What a service did that answered with `status`."""
    if 200 <= status < 300:
        return Effect.DONE
    if 100 <= status < 500:
        return Effect.UNKNOWN if status == _SEE_OTHER else Effect.NONE
    return Effect.NONE if status in _NOT_BEGUN else Effect.UNKNOWN


def is_worth_a_retry(status: int) -> bool:
    """Whether the same request may be answered otherwise a little later."""
    return status in _RETRYABLE_4XX or (500 <= status < 600 and status not in _FINAL_5XX)


def _refusal(answer: Answer, success: Expression | None, scope: Mapping[str, Json]) -> StepError | None:
    """Why the answer is no success, or None where it is one."""
    if success is None:
        if 200 <= answer.status < 300:
            return None
        return StepError("http", f"answered {_spelled(answer.status)}", answer.status)
    try:
        verdict = success.evaluate(scope)
    except ExpressionError as error:
        return StepError("expression", f"`success` cannot be evaluated: {error}", answer.status)
    if not isinstance(verdict, bool):
        message = f"`success` must be true or false; it is {kind_of(verdict)}"
        return StepError("expression", message, answer.status)
    if verdict:
        return None
    message = f"answered {_spelled(answer.status)}, and `success` does not hold"
    return StepError("rejected", message, answer.status)


def _failed(answer: Answer, error: StepError, idempotent: bool, now: float) -> Failed:
    asked = answer.headers.get("retry-after") if answer.status in _OVERLOADED else None
    retry_after = parse_retry_after(asked, now) if asked is not None else None
    retryable = is_worth_a_retry(answer.status)
    if not idempotent:
        retryable = answer.status == 429 or (answer.status == 503 and asked is not None)
    # Where the service answers 2xx and `success` says no, the service says that it did not do it.
    effect = Effect.NONE if error.kind == "rejected" and 200 <= answer.status < 300 else effect_of(answer.status)
    return Failed(error, effect, retryable, retry_after)


def _without_answer(answer: NoAnswer, idempotent: bool) -> Failed:
    error = StepError(answer.kind, answer.message, answer.status)
    if not answer.sent:
        return Failed(error, Effect.NONE, retryable=answer.kind in _UNSENT)
    if answer.kind in _UNSENT | _REFUSED_HERE:
        # A redirect was followed, and the address that it names was not reached.
        effect = Effect.UNKNOWN if answer.status is None else effect_of(answer.status)
        return Failed(error, effect, retryable=idempotent and answer.kind in _UNSENT)
    if answer.kind == "answer" and answer.status is not None:
        retryable = is_worth_a_retry(answer.status) and (idempotent or answer.status == 429)
        return Failed(error, effect_of(answer.status), retryable)
    return Failed(error, Effect.UNKNOWN, retryable=idempotent)


def _spelled(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
