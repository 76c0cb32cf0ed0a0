"""Services that keep their own books, and answer as they are told to.

A step's service makes an entry for each charge, the service of its compensation closes the open entries. Both
remember idempotency keys, unless they are said not to honour them. `undoing` lists every request to undo in order,
`unanswered` the steps of which the orchestrator cannot know what they did. The auditor trusts these books alone.
"""

from dataclasses import dataclass, field
from enum import Enum

from orchestrator.outcome import Answer, NoAnswer
from orchestrator.workflow import step_of


class Behaviour(Enum):
    """What a service does with a request, and what comes back: whether it acts, a status, why there is no answer."""

    OK = (True, 200, None)
    REFUSES = (False, 402, None)
    TOO_EARLY = (False, 425, None)
    UNDER_WAY = (False, 409, None)
    ERROR_BEFORE = (False, 500, None)
    ERROR_AFTER = (True, 500, None)
    BUSY = (False, 503, None)
    GATEWAY_AFTER = (True, 502, None)
    GATEWAY_BEFORE = (False, 504, None)
    TIMEOUT_AFTER = (True, None, "timeout")
    TIMEOUT_BEFORE = (False, None, "timeout")
    DROPPED_AFTER = (True, None, "dropped")
    GARBLED = (True, 200, "answer")
    UNREACHABLE = (False, None, "refused")

    @property
    def acts(self) -> bool:
        """Whether the request takes effect (where the key was not used before)."""
        return bool(self.value[0])

    def answer(self) -> Answer | NoAnswer:
        """What the caller gets."""
        _, status, kind = self.value
        if kind is None:
            return Answer(status, {"retry-after": "2"} if status == 503 else {})
        return NoAnswer(
            kind, f"the service: {self.name.lower()}", sent=self is not Behaviour.UNREACHABLE, status=status
        )


_PLAIN = {
    Behaviour.OK,
    Behaviour.REFUSES,
    Behaviour.TOO_EARLY,
    Behaviour.UNDER_WAY,
    Behaviour.BUSY,
    Behaviour.UNREACHABLE,
}
"""After these the caller knows whether the service acted."""


@dataclass
class Charge:
    """One entry: what a step's call did, and whether it was taken back."""

    step: str
    key: str
    open: bool = True


@dataclass
class Books:
    """The books of all services. `careless` are the steps whose services do not honour keys."""

    careless: frozenset[str] = frozenset()
    charges: list[Charge] = field(default_factory=list)
    refunds: dict[str, list[str]] = field(default_factory=dict)
    undoing: list[str] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)

    def charge(self, step: str, key: str, behaviour: Behaviour) -> Answer | NoAnswer:
        """A call of a step's service."""
        known = step_of(step) not in self.careless and any(one.key == key for one in self.charges_of(step))
        if known and behaviour is Behaviour.REFUSES:
            behaviour = Behaviour.OK  # who honours a key gives the answer again that it gave before
        if behaviour.acts and not known:
            self.charges.append(Charge(step, key))
        if behaviour not in _PLAIN:
            self.unanswered.add(step)
        return behaviour.answer()

    def refund(self, step: str, key: str, behaviour: Behaviour) -> Answer | NoAnswer:
        """A call of the service that undoes a step: closes whatever that step left open. `key` is the undo's own."""
        self.undoing.append(step)
        done = self.refunds.get(step, [])
        if behaviour.acts and key not in done:
            self.refunds[step] = [*done, key]
            for charge in self.charges_of(step):
                charge.open = False
        return behaviour.answer()

    def charges_of(self, step: str) -> list[Charge]:
        """All that the step ever did."""
        return [charge for charge in self.charges if charge.step == step]

    def rows_of(self, step: str) -> list[str]:
        """The step, and its items, as far as the services know of them."""
        known = [*(charge.step for charge in self.charges), *self.undoing, *self.unanswered]
        return [step, *sorted({name for name in known if step_of(name) == step and name != step})]

    def left_of(self, step: str) -> list[Charge]:
        """What the step, or any of its items, did and nobody took back."""
        return [charge for name in self.rows_of(step) for charge in self.open_charges(name)]

    def open_charges(self, step: str) -> list[Charge]:
        """What the step did and nobody took back."""
        return [charge for charge in self.charges_of(step) if charge.open]
