"""What took effect is undone, against the order of the graph; then the workflow ends."""

from collections.abc import Sequence

from orchestrator.definition import Definition
from orchestrator.graph import Graph
from orchestrator.plan import plan
from orchestrator.states import Compensation, Effect, StepStatus
from orchestrator.workflow import Carrier, Kind, StepState, Workflow, undo_of, undone_by

UNDO_GRACE = 5.0
"""Seconds that a published compensation may take to be claimed before the reconciler looks whether it was lost."""


def undo_order(definition: Definition, steps: Sequence[StepState]) -> Graph:
    """What is undone before what, as names of compensations.

    `steps` are those that are to be undone. Two that the graph does not order are undone side by side, unless the
    definition says `compensation: sequential`: then strictly one by one, what ended last first.
    """
    if definition.compensation == "sequential":
        ended = sorted(
            steps, key=lambda step: (step.completed_at or 0.0, step.attempt_at or 0.0, step.name), reverse=True
        )
        names = [undo_of(step.name) for step in ended]
        return Graph({name: names[i - 1 : i] if i else [] for i, name in enumerate(names)})
    order = definition.graph.restricted([step.name for step in steps])
    return Graph({undo_of(name): [undo_of(later) for later in order.successors[name]] for name in order.names})


def must_be_undone(definition: Definition, step: StepState) -> bool:
    """Whether the step may have taken effect and says how to take that back."""
    return (
        step.kind is Kind.CALL and step.effect is not Effect.NONE and definition.steps[step.name].compensate is not None
    )


def begin_undo(workflow: Workflow, now: float) -> None:
    """Nothing is in flight any more: add what undoes each effect, and send those that nothing precedes."""
    head = workflow.head
    rows = workflow.all()
    undone = {undone_by(row.name): row for row in rows if row.kind is Kind.UNDO}
    due = [
        row
        for row in rows
        if must_be_undone(workflow.definition, row) and not (row.name in undone and undone[row.name].settled)
    ]
    if not due or not head.compensate:
        finish(workflow, now)
        return
    head.compensation = Compensation.RUNNING
    head.unsettled = len(due)
    order = undo_order(workflow.definition, due)
    for name in order.names:
        _place(workflow, order, name)
    workflow.record("workflow.compensating", steps=[undone_by(name) for name in order.order])
    _send_first(workflow, order, now)


def _place(workflow: Workflow, order: Graph, name: str) -> None:
    """The row of a compensation at its place in the order (one that was already there takes its new place)."""
    if workflow.find(name) is None:
        workflow.add(StepState(name=name, kind=Kind.UNDO))
    row = workflow.change(name)
    if row.status is StepStatus.WAITING:
        row.move(StepStatus.PENDING)
    row.waits_for = len(order.predecessors[name])
    row.following = list(order.successors[name])
    row.carrier = Carrier.ALONE
    row.wake_at = None


def _send_first(workflow: Workflow, order: Graph, now: float) -> None:
    for fragment in plan(order).fragments:
        if workflow.step(fragment.heads[0]).waits_for:
            continue
        for name in fragment.heads:
            workflow.step(name).wake_at = now + UNDO_GRACE
            workflow.step(name).carrier = Carrier.FRAGMENT
        for name in fragment.carried:
            workflow.step(name).carrier = Carrier.CANVAS
        workflow.publish_fragment(fragment)


def finish(workflow: Workflow, now: float) -> None:
    """The workflow ends as it was bound to, and says how its undoing went."""
    head = workflow.head
    assert head.ending is not None, "a workflow is finished only after it began to fail"
    if head.undo_failures:
        head.compensation = Compensation.FAILED
    elif any(row.kind is Kind.UNDO for row in workflow.all()):
        head.compensation = Compensation.COMPLETED
    head.move(head.ending)
    head.completed_at = now
    head.wake_at = None
    workflow.record(f"workflow.{head.ending.value}", compensation=head.compensation.value, error=head.error)
