"""Workflows that steps start: what `orchestrator.children` does, with workflows of one charge each in memory."""

from dataclasses import dataclass, field

from orchestrator.outcome import Completed, Failed, Outcome, Parked, StepError
from orchestrator.states import Effect, Waiting
from tests.world.books import Behaviour, Books

LATER = Parked(Waiting.CHILD, seconds=5.0)


@dataclass
class Child:
    """`state` is `running`, `completed`, `failed`, `cancelled`, or `stuck`: it could not be undone."""

    step: str
    state: str = "running"


@dataclass
class Children:
    """All that were started, by the key that only their parent's step has."""

    books: Books
    known: dict[str, Child] = field(default_factory=dict)

    def stands(self, step: str, key: str, *, failing: bool) -> Outcome:
        """How a step's child stands, started where it is not; a parent that fails cancels it."""
        if key not in self.known and failing:
            return Failed(StepError("request", "it was never started"), Effect.NONE, retryable=False)
        child = self.known.setdefault(key, Child(step))
        match child.state:
            case "completed":
                return Completed(None)
            case "running":
                child.state = "cancelled" if failing else "running"
                return LATER
        effect = Effect.UNKNOWN if child.state == "stuck" else Effect.NONE
        return Failed(StepError("child", f"it ended {child.state}"), effect, retryable=False)

    def undone(self, key: str, behaviour: Behaviour) -> Outcome:
        """The child is taken back, or cancelled, where it is there."""
        child = self.known.get(key)
        if child is None or child.state in ("failed", "cancelled"):
            return Completed(None)
        if child.state == "stuck":
            return Failed(StepError("child", "it could not be undone"), Effect.NONE, retryable=False)
        if child.state == "completed":
            self.books.refund(child.step, f"{key}:undo", behaviour)
        child.state = "cancelled" if child.state == "running" or behaviour is Behaviour.OK else "stuck"
        return LATER

    def end(self, key: str, behaviour: Behaviour) -> bool:
        """It has come to its end; false where it had before."""
        child = self.known[key]
        if child.state != "running":
            return False
        child.state = "completed" if behaviour is Behaviour.OK else "failed"
        if child.state == "completed":
            self.books.charge(child.step, key, Behaviour.OK)
        return True
