"""A move as a value: what the ledger applies to a workflow under its lock, many of them in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.moves.claiming import Claimed, Refusal, claim
from orchestrator.moves.controlling import cancel, pause, resume, retry, take_back
from orchestrator.moves.keeping import keep, kept_before
from orchestrator.moves.looking import expire, look
from orchestrator.moves.settling import GOES_ON, Ended, Settled, settle
from orchestrator.outcome import Outcome
from orchestrator.workflow import UNDO, Workflow, with_waiters

Reply = TypeVar("Reply", covariant=True)


class Move(Protocol[Reply]):
    """One thing to be done to one workflow."""

    @property
    def workflow_id(self) -> str:
        """Whose move it is."""

    def touches(self, definition: Definition) -> Collection[str]:
        """The steps it is likely to need, so that they are fetched with one query. More may be loaded on the way."""

    def make(self, workflow: Workflow, now: float) -> Reply:
        """Decide, changing the workflow; the ledger records it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`worker` takes the step for one attempt. `again`: it may have taken it, the answer to that was lost."""

    workflow_id: str
    step: str
    worker: str
    again: bool = False

    def touches(self, definition: Definition) -> Collection[str]:
        """The step itself; whose item it is."""
        return with_waiters(self.step)

    def make(self, workflow: Workflow, now: float) -> Claimed | Refusal:
        """See `claiming.claim`."""
        return claim(workflow, self.step, self.worker, now, again=self.again)


@dataclass(frozen=True, slots=True)
class Settle:
    """The outcome of the attempt is recorded; `share` is the random share of a retry delay, `call` what was called.

    `again`: it may have been recorded, the answer to that was lost.
    """

    workflow_id: str
    step: str
    attempt: int
    outcome: Outcome
    share: float
    call: Mapping[str, Json] = field(default_factory=dict)
    again: bool = False

    def touches(self, definition: Definition) -> Collection[str]:
        """The step, what waits for it, and who would have replaced it."""
        if self.step.endswith(UNDO) or self.step not in definition.steps:
            return with_waiters(self.step)
        return (*definition.with_fallbacks(self.step), *definition.successors(self.step))

    def make(self, workflow: Workflow, now: float) -> Settled:
        """See `settling.settle`."""
        ended = Ended(self.attempt, self.outcome, self.call, self.again)
        return settle(workflow, self.step, ended, now=now, share=self.share)


@dataclass(frozen=True, slots=True)
class Proceeded:
    """How the attempt was settled, and the steps that were kept: the worker's from now on."""

    settled: Settled
    kept: Sequence[Claimed] = ()


@dataclass(frozen=True, slots=True)
class Proceed:
    """An outcome is recorded, and `worker` keeps what follows from it, if it has room for all of it.

    Not for a step whose canvas must hear of its end, as a chord that counts it. Where the outcome is recorded `again`,
    `held` are the steps of the workflow that are known to be in the worker's hands.
    """

    settle: Settle
    worker: str
    room: int
    held: frozenset[str] = frozenset()

    @property
    def workflow_id(self) -> str:
        """Whose step has ended."""
        return self.settle.workflow_id

    def touches(self, definition: Definition) -> Collection[str]:
        """What the outcome touches: that is also all that it can let go on."""
        return self.settle.touches(definition)

    def make(self, workflow: Workflow, now: float) -> Proceeded:
        """One after the other, at one time."""
        settled = self.settle.make(workflow, now)
        before = kept_before(workflow, self.settle.step, self.worker, self.held, now) if self.settle.again else []
        kept = keep(workflow, self.settle.step, self.worker, self.room, now) if settled in GOES_ON else []
        return Proceeded(settled, [*before, *kept])


@dataclass(frozen=True, slots=True)
class Look:
    """The reconciler looks at a step, or with no step at the workflow's deadline."""

    workflow_id: str
    step: str | None = None

    def touches(self, definition: Definition) -> Collection[str]:
        """The step, if it is one."""
        return () if self.step is None else (self.step,)

    def make(self, workflow: Workflow, now: float) -> None:
        """See `looking`."""
        if self.step is None:
            expire(workflow, now)
        else:
            look(workflow, self.step, now)


@dataclass(frozen=True, slots=True)
class Control:
    """An order. `verb` is a person's cancel, pause, resume or retry, or a parent's undo; `actor` goes into the log."""

    workflow_id: str
    verb: str
    actor: str
    compensate: bool = True

    def touches(self, definition: Definition) -> Collection[str]:
        """Nothing ahead: these load all of the workflow."""
        return ()

    def make(self, workflow: Workflow, now: float) -> None:
        """See `controlling`."""
        match self.verb:
            case "cancel":
                cancel(workflow, self.actor, now, compensate=self.compensate)
            case "undo":
                take_back(workflow, self.actor, now)
            case "pause":
                pause(workflow, self.actor)
            case "resume":
                resume(workflow, self.actor, now)
            case "retry":
                retry(workflow, self.actor, now)
            case _:
                raise ValueError(f"no such verb: {self.verb}")
