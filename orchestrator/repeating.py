"""Whether a failure is worth another attempt, where a definition says so itself (`retry.on`). Pure."""

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.definition import RetryOn
from orchestrator.errors import ExpressionError
from orchestrator.jsontype import Json
from orchestrator.outcome import Failed

_THE_SAME_AGAIN = frozenset({"blocked", "request", "expression"})
"""Kinds of failures that are the definition's own: whatever it says, another attempt would end like the first."""


def reconsidered(failed: Failed, on: RetryOn, scope: Mapping[str, Json]) -> Failed:
    """The failure with `retryable` as `on` has it; `scope` holds what its conditions read besides `error`.

    A condition that cannot be evaluated, or that is neither true nor false, is worth no attempt, and the message says
    so.
    """
    error = failed.error
    if error.kind in _THE_SAME_AGAIN:
        return failed
    if error.kind in on.kinds or error.status in on.statuses:
        return replace(failed, retryable=True)
    try:
        return replace(failed, retryable=_any_holds(on, {**scope, "error": error.as_json()}))
    except ExpressionError as wrong:
        told = replace(error, message=f"{error.message}; `retry.on` cannot be evaluated: {wrong}")
        return replace(failed, error=told, retryable=False)


def _any_holds(on: RetryOn, scope: Mapping[str, Json]) -> bool:
    for condition in on.conditions:
        held = condition.evaluate(scope)
        if not isinstance(held, bool):
            raise ExpressionError(f"${{{condition.source}}} must come out true or false")
        if held:
            return True
    return False
