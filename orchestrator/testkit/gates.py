"""Limits of a workflow that is played: who may call now, who waits for a turn, when a circuit is open.

The arithmetic is the real one; what is played is only who has a slot (`orchestrator.ledger.slots`). No other workflow
is there, so a turn can be given at once, for whatever moment it comes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from orchestrator.definition import Definition
from orchestrator.errors import ExpressionError
from orchestrator.ledger.limiting import checked_key, host_of
from orchestrator.ledger.materials import Materials
from orchestrator.limits import Allowance, Gauge, free_at, learn, let_in, speaks_for
from orchestrator.moves.claiming import Claimed, Refusal, claim
from orchestrator.moves.limiting import BACKSTOP, hold_back
from orchestrator.moves.settling import fail_without_call
from orchestrator.outcome import Outcome, StepError
from orchestrator.rendering import text_of
from orchestrator.request import Surroundings, scope_of
from orchestrator.workflow import StepState, Workflow


@dataclass(slots=True)
class Gate:
    """One limit. `begun` maps the steps that have their turn to when it began, `waiting` come after them."""

    allowance: Allowance = field(default_factory=Allowance)
    gauge: Gauge = field(default_factory=Gauge)
    begun: dict[str, float] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    def ask(self, step: str, now: float) -> float | None:
        """From when on the step may be called; None: once another one has ended."""
        if step not in self.begun and step not in self.waiting:
            self.waiting.append(step)
        self.turns(now)
        return self.begun.get(step)

    def leave(self, step: str, outcome: Outcome, now: float) -> dict[str, float]:
        """Its call has ended so: those whose turn it is now, with its time."""
        self.begun.pop(step, None)
        self.gauge = learn(self.allowance, self.gauge, speaks_for(outcome), now)
        return self.turns(now)

    def turns(self, now: float) -> dict[str, float]:
        """Give all turns that there are, who waited longest first."""
        given: dict[str, float] = {}
        while self.waiting and (at := free_at(self.allowance, self.gauge, len(self.begun), now)) is not None:
            step = self.waiting.pop(0)
            self.begun[step] = given[step] = at
            self.gauge = let_in(self.allowance, self.gauge, at)
        return given

    def forget(self, steps: Mapping[str, StepState]) -> None:
        """Those that nobody will call any more: they have settled without it."""
        self.waiting = [step for step in self.waiting if not steps[step].settled]
        self.begun = {step: at for step, at in self.begun.items() if not steps[step].settled}


class Gates:
    """All limits of a workflow, by their keys."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._gates: dict[str, Gate] = {}
        self._passed: dict[str, Gate] = {}

    def ask(self, materials: Materials, steps: Mapping[str, StepState], now: float) -> tuple[str, Gate, float | None]:
        """The call's limit with its key, and the step's turn. Raises ExpressionError for a key that is none."""
        limit, scope = materials.call.limit, scope_of(materials, self._around)
        assert limit is not None, "only what is limited asks"
        if limit.key is None:
            key = host_of(materials.call.target_url, scope) or "nowhere"
        else:
            key = checked_key(text_of(limit.key.render(scope), "limit.key"))
        gate = self._gates.setdefault(key, Gate())
        gate.allowance = limit.allowance
        gate.forget(steps)
        return key, gate, gate.ask(materials.step.name, now)

    def passed(self, step: str, gate: Gate) -> None:
        """The step is called under this limit."""
        self._passed[step] = gate

    def ended(self, step: str, outcome: Outcome, now: float) -> dict[str, float]:
        """Its call has ended so: those whose turn it is now, with its time."""
        gate = self._passed.pop(step, None)
        return {} if gate is None else gate.leave(step, outcome, now)


@dataclass(frozen=True, slots=True)
class ClaimTurn:
    """The move of a step whose call is limited: it is taken, or parked until its turn comes."""

    workflow_id: str
    materials: Materials
    gates: Gates
    steps: Mapping[str, StepState]

    def touches(self, definition: Definition) -> Collection[str]:
        """The step, and what its failure touches."""
        return (self.materials.step.name,)

    def make(self, workflow: Workflow, now: float) -> Claimed | Refusal:
        """As `orchestrator.ledger.limiting` does it."""
        step = workflow.step(self.materials.step.name)
        try:
            key, gate, at = self.gates.ask(self.materials, self.steps, now)
        except ExpressionError as error:
            fail_without_call(workflow, step, StepError("expression", str(error)), now)
            return Refusal.UNUSABLE
        if at is None or at > now:
            wake_at = now + BACKSTOP if at is None else at
            hold_back(workflow, step, key, wake_at, circuit=gate.gauge.open_until is not None)
            return Refusal.PARKED
        taken = claim(workflow, step.name, "test", now, slot=True)
        if isinstance(taken, Claimed):
            self.gates.passed(step.name, gate)
        return taken
