"""Who is told, beside the log, what happens in this process: the metrics and the traces, where somebody wants them.

The domain tells in passing and knows nobody. With no listener (a worker without a metrics port, the command) telling
costs a look at an empty list. A listener that fails is logged and stops no work: what it is told of has happened.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from orchestrator.states import FINAL
from orchestrator.workflow import Event, Workflow

log = logging.getLogger("orchestrator")

ATTEMPT_ENDS = {f"step.{outcome}": outcome for outcome in ("completed", "retrying", "failed", "lost", "late")}
"""The events that may end an attempt, and what is said of it then."""

STEP_ENDS = {f"step.{status}": status for status in ("completed", "failed", "skipped")}
WORKFLOW_ENDS = frozenset(f"workflow.{status}" for status in FINAL)
_NO_ATTEMPT = frozenset({"deadline", "cancelled", "join", "lost"})
"""Why a step fails without an attempt that ends: it waited for its next one, or the one that it had was lost before."""


class Listener(Protocol):
    """What can be told. Every method must be quick and safe to call from any thread."""

    def started(self, workflow_type: str) -> None:
        """A new workflow of this type is committed."""

    def moved(self, workflow: Workflow) -> None:
        """Moves of this workflow are committed: its `events`, and its steps and head as they are now."""

    def batch(self, moves: int, seconds: float) -> None:
        """The clerk has made so many moves in one transaction."""

    def round(self, rows: int, seconds: float) -> None:
        """A round of the reconciler has looked at so many rows."""

    def connections(self, change: int) -> None:
        """A database connection was taken (1) or given back (-1)."""


_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have this listener told from now on; twice is once."""
    if listener not in _listeners:
        _listeners.append(listener)


def unlisten(listener: Listener) -> None:
    """Tell it no longer."""
    if listener in _listeners:
        _listeners.remove(listener)


def heard() -> bool:
    """Whether anybody listens."""
    return bool(_listeners)


def started(workflow_type: str) -> None:
    """A new workflow is committed."""
    _tell(lambda listener: listener.started(workflow_type))


def moved(workflow: Workflow) -> None:
    """Moves of a workflow are committed."""
    _tell(lambda listener: listener.moved(workflow))


def batch(moves: int, seconds: float) -> None:
    """A transaction of the clerk is committed."""
    _tell(lambda listener: listener.batch(moves, seconds))


def looked(rows: int, seconds: float) -> None:
    """A round of the reconciler has ended."""
    _tell(lambda listener: listener.round(rows, seconds))


def connections(change: int) -> None:
    """A database connection changed hands."""
    _tell(lambda listener: listener.connections(change))


def ends_attempt(event: Event) -> bool:
    """Whether an attempt ended by it."""
    if event.type != "step.failed" or "key" in event.details:
        return event.type in ATTEMPT_ENDS
    error = event.details.get("error")
    return isinstance(error, Mapping) and error.get("kind") not in _NO_ATTEMPT


def _tell(what: Callable[[Listener], None]) -> None:
    for listener in _listeners:
        try:
            what(listener)
        except Exception:
            log.exception("%s could not take in what happened", type(listener).__name__)
