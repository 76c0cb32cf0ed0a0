"""Somebody says what became of an attempt: the service that accepted it, a person, a child workflow, a Celery task.

An answer that comes before the 2xx, twice, late, or for an attempt that was replaced meets here. All attempts of an
idempotent step are the same order to its service: that it is done counts whichever of them it is said to; that it
has failed counts for the present one only, another may be under way.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.moments import iso
from orchestrator.moves.advancing import leave_canvas
from orchestrator.moves.failing import drained
from orchestrator.moves.settling import complete, fail
from orchestrator.moves.timing import deadline_at, earliest
from orchestrator.outcome import Completed, Ending, Failed, StepError
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.workflow import StepState, Workflow, step_of, with_waiters


class Answered(StrEnum):
    """What became of an answer.

    `recorded`: it settled the attempt. `repeated`: that very thing was known already; nothing changed. `late`: the step
    has settled otherwise, or its workflow goes on without it. `replaced`: the attempt was followed by another one.
    `unexpected`: the step has not been called, or nobody waits for such an answer to it.
    """

    RECORDED = "recorded"
    REPEATED = "repeated"
    LATE = "late"
    REPLACED = "replaced"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Answer:
    """`source` says what became of an attempt that is parked for it, or about to be.

    `attempt` counts from 1 within `key_round`; both are None where the present attempt is meant. `share` is the random
    share of a retry delay; `said` is what more the audit log says of it (who, a comment).
    """

    workflow_id: str
    step: str
    source: Waiting
    outcome: Ending
    attempt: int | None = None
    key_round: int | None = None
    share: float = 1.0
    said: Mapping[str, Json] = field(default_factory=dict)

    def touches(self, definition: Definition) -> Collection[str]:
        """The step, what waits for it, and who would have replaced it."""
        if self.step not in definition.steps:
            return with_waiters(self.step)
        return (*definition.with_fallbacks(self.step), *definition.successors(self.step))

    def make(self, workflow: Workflow, now: float) -> Answered:
        """Settle the attempt where its answer counts; what changes nothing is in the audit log all the same."""
        step = workflow.find(self.step)
        if step is None or not self._awaited(workflow, step):
            return Answered.UNEXPECTED
        verdict = self._verdict(workflow, step)
        if verdict is Answered.RECORDED:
            self._settle(workflow, step, now)
        else:
            word = type(self.outcome).__name__.lower()
            attempt = self.attempt or step.attempts
            workflow.record("step.late", step.name, attempt=attempt, outcome=word, reason=verdict.value, **self.said)
        return verdict

    def _awaited(self, workflow: Workflow, step: StepState) -> bool:
        """Whether attempts of the row are parked for such an answer; a step with `forEach` has none, its items have."""
        if workflow.fans_out(step):
            return False
        if step.kind.undoes:
            return self.source is Waiting.TASK and workflow.call_of(step).task is not None
        return workflow.definition.steps[step_of(step.name)].awaits is self.source

    def _verdict(self, workflow: Workflow, step: StepState) -> Answered:
        done = isinstance(self.outcome, Completed)
        attempt = step.attempts if self.attempt is None else self.attempt
        if step.attempts == 0 or attempt > step.attempts:
            return Answered.UNEXPECTED
        if self.key_round not in (None, step.key_round):
            return Answered.REPLACED
        present = attempt == step.attempts
        if step.status is (StepStatus.COMPLETED if done else StepStatus.FAILED):
            return Answered.REPEATED if done or present else Answered.REPLACED
        if step.settled or (workflow.head.ending is not None and not step.under_way):
            return Answered.LATE
        if present and (step.under_way or step.waiting_for == self.source):
            return Answered.RECORDED
        if done:
            return Answered.RECORDED if present or workflow.call_of(step).idempotent else Answered.REPLACED
        return Answered.REPEATED if present else Answered.REPLACED

    def _settle(self, workflow: Workflow, step: StepState, now: float) -> None:
        workflow.change(step.name)
        under_way = step.under_way and workflow.head.draining > 0
        leave_canvas(workflow, step)
        if isinstance(self.outcome, Completed):
            complete(workflow, step, self.outcome, self.said, now)
        else:
            fail(workflow, step, self.outcome, self.said, now, self.share)
        if under_way:
            drained(workflow, now)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The service is still at work on what it accepted: it has its whole time-out again from now on."""

    workflow_id: str
    step: str
    attempt: int
    key_round: int

    def touches(self, definition: Definition) -> Collection[str]:
        """The step itself; whose item it is."""
        return with_waiters(self.step)

    def make(self, workflow: Workflow, now: float) -> Answered:
        """`recorded` where its answer is still waited for; otherwise nothing changes."""
        step = workflow.find(self.step)
        if step is None or step.kind.undoes or workflow.fans_out(step) or self.attempt > step.attempts:
            return Answered.UNEXPECTED
        own = workflow.definition.steps[step_of(step.name)]
        if own.callback is None:
            return Answered.UNEXPECTED
        if (self.attempt, self.key_round) != (step.attempts, step.key_round):
            return Answered.REPLACED
        if not step.under_way:
            return Answered.LATE
        if step.status is StepStatus.WAITING:
            workflow.change(step.name)
            step.wake_at = earliest(now + own.callback.timeout, deadline_at(workflow, step))
        return Answered.RECORDED


@dataclass(frozen=True, slots=True)
class Decide:
    """A person approves or rejects; `by` names them in the result and in the audit log, with their `comment`."""

    workflow_id: str
    step: str
    approved: bool
    by: str
    comment: str | None = None

    def touches(self, definition: Definition) -> Collection[str]:
        """What the answer touches."""
        return self._answer(0.0).touches(definition)

    def make(self, workflow: Workflow, now: float) -> Answered:
        """A rejection is a failure that no further attempt mends."""
        return self._answer(now).make(workflow, now)

    def _answer(self, now: float) -> Answer:
        decision: dict[str, Json] = {"by": self.by, "comment": self.comment}
        outcome: Ending = Completed({"approved": True, **decision, "at": iso(now)})
        if not self.approved:
            reason = f": {self.comment}" if self.comment else ""
            outcome = Failed(StepError("rejected", f"{self.by} rejected it{reason}"), Effect.NONE, retryable=False)
        said = {name: value for name, value in decision.items() if value is not None}
        return Answer(self.workflow_id, self.step, Waiting.APPROVAL, outcome, said=said)
