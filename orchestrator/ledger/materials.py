"""What a claimed step's request is made of, read in the transaction of the claim."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from orchestrator.definition import Call, Definition
from orchestrator.expressions import References
from orchestrator.jsontype import Json
from orchestrator.ledger.scopes import StepsRead, keys_of
from orchestrator.moves.claiming import Claimed
from orchestrator.states import StepStatus
from orchestrator.workflow import Kind, StepState, Workflow, undone_by


@dataclass(frozen=True, slots=True)
class Materials:
    """One attempt's materials.

    `timeout` is seconds for its call; `undone` is the step that a compensation undoes (None for a step of the
    definition); `slot` is the key of the limit that the attempt has a slot of.
    """

    workflow_id: str
    definition: Definition
    created_at: float
    step: StepState
    attempt: int
    timeout: float
    context: Json
    sealed: str | None
    traceparent: str | None
    steps: dict[str, Json] = field(default_factory=dict)
    undone: StepState | None = None
    slot: str | None = None

    @property
    def call(self) -> Call:
        """The request, before its expressions are filled in."""
        step = self.definition.steps[undone_by(self.step.name)]
        if self.step.kind is Kind.CALL:
            return step.call
        if step.compensate is None:
            raise LookupError(f"{self.step.name} has no compensation in its definition")
        return step.compensate


class Gathering:
    """What one claimed step's request reads, before it is read: the rows of several claims are fetched together."""

    def __init__(self, workflow: Workflow, claimed: Claimed) -> None:
        self._workflow = workflow
        self._claimed = claimed
        step = claimed.step
        self._undone = workflow.step(undone_by(step.name)) if step.kind is Kind.UNDO else None
        self._names = _read(workflow.definition, step, self._undone)
        self.keys = keys_of(workflow.head.id, workflow.definition, self._names)

    def with_steps(self, read: StepsRead) -> Materials:
        """The materials, once the rows are there."""
        head, definition, step = self._workflow.head, self._workflow.definition, self._claimed.step
        before = step.started_at if self._undone is None else None
        return Materials(
            workflow_id=head.id,
            definition=definition,
            created_at=head.created_at,
            step=step,
            attempt=self._claimed.attempt,
            timeout=self._claimed.timeout,
            context=head.context,
            sealed=head.sealed,
            traceparent=head.traceparent,
            steps=read.scope(head.id, definition, self._names, before),
            undone=self._undone,
        )


def _read(definition: Definition, step: StepState, undone: StepState | None) -> AbstractSet[str]:
    if undone is None:
        call = definition.steps[step.name].call
        when = definition.steps[step.name].when
        reads = call.references if when is None else References.union([call.references, when.references])
        return _named(definition, step.name, reads, whole=call.payload is None)
    own = definition.steps[undone.name]
    if own.compensate is None:
        return frozenset()
    names = _named(definition, undone.name, own.compensate.references, whole=False) | {undone.name}
    if undone.status is not StepStatus.COMPLETED:
        names |= _named(definition, undone.name, own.call.references, whole=own.call.payload is None)
    return names


def _named(definition: Definition, step: str, reads: References, *, whole: bool) -> frozenset[str]:
    return definition.graph.ancestors(step) if whole or reads.all_steps else reads.steps
