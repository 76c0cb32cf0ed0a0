"""Every exception the orchestrator raises for somebody else's mistake, as one tree.

    OrchestratorError
    ├── DefinitionError        a definition is wrong: every fault at once, each with its place
    ├── ContextError           a start's context does not fit the definition's `input`
    ├── ExpressionError        an expression cannot be compiled or cannot be evaluated
    │   └── FaultyTemplate     … or several in one template, each with its path in it
    ├── NotFound               no such workflow, definition or step
    ├── Conflict               the status forbids what was asked; says which and why
    ├── StartKeyReused         the same start key came with another body
    ├── SettingsError          the environment says something that cannot be meant
    └── Unavailable            SQL or Redis cannot be reached just now

A step that fails is none of these: it is a value (`orchestrator.outcome`).
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: `place` is a path such as `steps.charge.retries`, `line` counts from 1."""

    place: str
    message: str
    source: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = self.source or ""
        if self.line is not None:
            where = f"{where}:{self.line}" if where else f"line {self.line}"
        return ": ".join(part for part in (where, self.place, self.message) if part)


class OrchestratorError(Exception):
    """The root of the tree. Its text is meant for the person who made the mistake."""


class FaultyInput(OrchestratorError):
    """Input with one or more faults, all of them listed."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class DefinitionError(FaultyInput):
    """A workflow definition is wrong."""


class ContextError(FaultyInput):
    """A context does not fit the `input` schema of its definition, or cannot be stored."""


class ExpressionError(OrchestratorError):
    """An expression cannot be compiled, or went over a limit while it was evaluated."""


class FaultyTemplate(FaultyInput, ExpressionError):
    """Expressions of a template cannot be compiled; `place` is the path of the string within the template."""


class NotFound(OrchestratorError):
    """No workflow, definition or step of that name."""


class Conflict(OrchestratorError):
    """The workflow's status forbids what was asked."""


class StartKeyReused(OrchestratorError):
    """A start key (`Idempotency-Key`) came again with another body."""


class SettingsError(OrchestratorError):
    """A setting in the environment cannot be meant."""


class Unavailable(OrchestratorError):
    """A server that the orchestrator stands on cannot be reached just now."""
