"""What took effect is undone, against the order of the graph; then the workflow ends."""

import math
from collections.abc import Sequence

from orchestrator.definition import Definition
from orchestrator.graph import Graph
from orchestrator.moves.items import awaits_items, halt
from orchestrator.plan import plan
from orchestrator.states import Compensation, Effect, StepStatus
from orchestrator.workflow import Carrier, Kind, StepState, Workflow, step_of, undo_of, undone_by

UNDO_GRACE = 5.0
"""Seconds that a published compensation may take to be claimed before the reconciler looks whether it was lost."""


def undo_order(definition: Definition, steps: Sequence[StepState]) -> Graph:
    """What is undone before what, as names of compensations.

    `steps` are those that are to be undone. Two that the graph does not order are undone side by side, unless the
    definition says `compensation: sequential`: then strictly one by one, what ended last first.
    """
    if definition.compensation == "sequential":
        place = {name: at for at, name in enumerate(definition.graph.order)}
        ended = sorted(steps, key=lambda step: (_ended_at(step), place[step.name]), reverse=True)
        names = [undo_of(step.name) for step in ended]
        return Graph({name: names[i - 1 : i] if i else [] for i, name in enumerate(names)})
    order = definition.graph.restricted([step.name for step in steps])
    return Graph({undo_of(name): [undo_of(later) for later in order.successors[name]] for name in order.names})


def _ended_at(step: StepState) -> float:
    """A step that was given up between two attempts never ended: later than all others."""
    return math.inf if step.completed_at is None else step.completed_at


def must_be_undone(definition: Definition, step: StepState) -> bool:
    """Whether the step, or the item, may have taken effect and says how to take that back."""
    if step.kind.undoes:
        return False
    return step.effect is not Effect.NONE and definition.steps[step_of(step.name)].compensate is not None


def begin_undo(workflow: Workflow, now: float) -> None:
    """Nothing is in flight any more: add what undoes each effect, and send those that nothing precedes."""
    head = workflow.head
    rows = workflow.all()
    for row in rows:
        if row.kind is Kind.CALL and awaits_items(row):
            halt(workflow, row, now)  # the undo of an item was under way last, and goes on from here
    undone = {undone_by(row.name): row for row in rows if row.kind is Kind.UNDO}
    due = [
        row
        for row in rows
        if row.kind is Kind.CALL
        and must_be_undone(workflow.definition, row)
        and not (row.name in undone and undone[row.name].settled)
    ]
    for undo in rows:
        if undo.kind.undoes and not undo.settled:
            _hold(workflow, undo)
    if due and head.compensate:
        undo_these(workflow, due, now)
    else:
        finish(workflow, now)


def _hold(workflow: Workflow, undo: StepState) -> None:
    """An undo that a fallback waited for: it takes its place in the order now, or is left to a `retry`.

    That of an item waits for its turn, which comes when its step's does.
    """
    workflow.change(undo.name)
    if undo.kind is Kind.ITEM_UNDO:
        undo.waits_for = 1
    if undo.status is StepStatus.WAITING:
        undo.move(StepStatus.PENDING)
    undo.waiting_for = None
    undo.wake_at = None


def undo_these(workflow: Workflow, due: Sequence[StepState], now: float) -> None:
    """Undo these steps; those of them that have a compensation already have it sent again."""
    head = workflow.head
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
    row.waits_for = len(order.predecessors[name])
    row.following = list(order.successors[name])
    row.carrier = Carrier.ALONE


def _send_first(workflow: Workflow, order: Graph, now: float) -> None:
    for fragment in plan(order).fragments:
        if workflow.step(fragment.heads[0]).waits_for:
            continue
        for name in fragment.heads:
            workflow.step(name).wake_at = now + UNDO_GRACE
            workflow.step(name).sent_at = now
            workflow.step(name).carrier = Carrier.FRAGMENT
        for name in fragment.carried:
            workflow.step(name).carrier = Carrier.CANVAS
        workflow.publish_fragment(fragment)


def finish(workflow: Workflow, now: float) -> None:
    """The workflow ends as it was bound to, and says how its undoing went.

    What was undone on the way, for a fallback, is no undoing of the workflow: it may still be retried.
    """
    head = workflow.head
    assert head.ending is not None, "a workflow is finished only after it began to fail"
    if head.undo_failures:
        head.compensation = Compensation.FAILED
    elif head.compensation is Compensation.RUNNING:
        head.compensation = Compensation.COMPLETED
    head.move(head.ending)
    head.completed_at = now
    head.wake_at = None
    workflow.record(f"workflow.{head.ending.value}", compensation=head.compensation.value, error=head.error)
