"""What a claimed step's request is made of, read in the transaction of the claim."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from orchestrator.definition import Call, Definition, ForEach, Step
from orchestrator.expressions import References
from orchestrator.jsontype import Json
from orchestrator.ledger.scopes import StepsRead, keys_of
from orchestrator.moves.claiming import Claimed
from orchestrator.priority import Priority
from orchestrator.states import StepStatus
from orchestrator.workflow import Parent, StepState, Workflow, step_of, undone_by


@dataclass(frozen=True, slots=True)
class Materials:
    """One attempt's materials.

    `timeout` is seconds for its call; `undone` is the step that a compensation undoes (None for a step of the
    definition); `slot` is the key of the limit that the attempt has a slot of. `item` is the value of an item of a
    `forEach`; the undo of one sees its result as its step's.
    `failing` says that the workflow is on its way to failed or cancelled, `compensate` whether it is undone then.
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
    item: Json = None
    parent: Parent | None = None
    priority: Priority = Priority.NORMAL
    failing: bool = False
    compensate: bool = True

    @property
    def own(self) -> Step:
        """The step of the definition that the row belongs to."""
        return self.definition.steps[step_of(self.step.name)]

    @property
    def for_each(self) -> ForEach | None:
        """Where the step has to be expanded, and nothing is to be called: how."""
        return None if self.step.kind.of_item else self.definition.steps[step_of(self.step.name)].for_each

    @property
    def call(self) -> Call:
        """The request, before its expressions are filled in."""
        step = self.definition.steps[step_of(self.step.name)]
        if not self.step.kind.undoes:
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
        self._undone = workflow.step(undone_by(step.name)) if step.kind.undoes else None
        self._names = _read(workflow.definition, step, self._undone)
        self.keys = keys_of(workflow.head.id, workflow.definition, self._names)
        if step.kind.of_item:
            self.keys.add((workflow.head.id, undone_by(step.name)))

    def with_steps(self, read: StepsRead) -> Materials:
        """The materials, once the rows are there."""
        head, definition, step = self._workflow.head, self._workflow.definition, self._claimed.step
        before = step.started_at if self._undone is None else None
        seen = read.scope(head.id, definition, self._names, before)
        item = read.item(head.id, undone_by(step.name)) if step.kind.of_item else None
        if item is not None and self._undone is not None:
            seen[step_of(step.name)] = item.seen
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
            steps=seen,
            undone=self._undone,
            parent=head.parent,
            priority=head.priority,
            failing=head.failing,
            compensate=head.compensate,
            item=None if item is None else item.value,
        )


def _read(definition: Definition, step: StepState, undone: StepState | None) -> AbstractSet[str]:
    name = step_of(step.name)
    own = definition.steps[name]
    if own.for_each is not None:
        return _read_by_items(definition, step, own, undone)
    if undone is None:
        return _named(definition, name, own.references, whole=own.call.payload is None)
    if own.compensate is None:
        return frozenset()
    names = _named(definition, name, own.compensate.references, whole=False) | {name}
    if undone.status is not StepStatus.COMPLETED:
        names |= _named(definition, name, own.call.references, whole=own.call.payload is None)
    return names


def _read_by_items(definition: Definition, step: StepState, own: Step, undone: StepState | None) -> AbstractSet[str]:
    """A step with `forEach` reads for its list, its items for their calls. What an undo sees of it is the item."""
    assert own.for_each is not None, f"{own.name} has no `forEach`"
    if not step.kind.of_item:
        if step.kind.undoes or step.items is not None:
            return frozenset()
        parts = (
            [own.for_each.items.references]
            if own.when is None
            else [own.for_each.items.references, own.when.references]
        )
        return _named(definition, own.name, References.union(parts), whole=False)
    parts = [] if undone is not None and undone.status is StepStatus.COMPLETED else [own.read_by_attempts]
    parts += [] if undone is None or own.compensate is None else [own.compensate.references]
    reads = References.union(parts)
    return _named(definition, own.name, reads, whole=False) - {own.name}


def _named(definition: Definition, step: str, reads: References, *, whole: bool) -> frozenset[str]:
    return definition.graph.ancestors(step) if whole or reads.all_steps else reads.steps
