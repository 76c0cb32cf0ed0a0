"""A step with `forEach`: its list becomes a row an item, so many are sent at a time, each that settles sends the next.

Its undo is expanded in the same way: to an undo for each item that may have taken effect. An item that has failed and
is tolerated is undone on the way, where it may have acted: the step completes after that.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.jsontype import Json
from orchestrator.moves.advancing import make_ready
from orchestrator.moves.items import UNFINISHED, Over, awaits_items, is_over, rows_of, stop, stronger
from orchestrator.moves.timing import deadline_at, overdue
from orchestrator.moves.undoing import must_be_undone
from orchestrator.outcome import StepError
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.workflow import Items, Kind, StepState, Workflow, index_of, item_of, step_of, undo_of

_LATE = StepError("deadline", "not all of its items have ended")


def expand(workflow: Workflow, step: StepState, values: Sequence[Json] | None, now: float) -> Over | None:
    """Add the items' rows and send the first of them; how the step ends where there is none.

    `values` are None where the rows are there already: for a step that is retried, and for an undo.
    """
    if step.kind is Kind.CALL and workflow.head.ending is not None:
        return Over(StepError("cancelled", "the workflow began to fail before its items were called"))
    if step.kind is Kind.UNDO:
        _line_up_undos(workflow, step)
    elif step.items is None:
        _add_items(workflow, step, values or ())
    else:
        _line_up_again(workflow, step)
    step.move(StepStatus.WAITING)
    step.waiting_for = Waiting.ITEMS
    step.worker = None
    step.wake_at = deadline_at(workflow, step)
    assert step.items is not None, "it was just expanded"
    workflow.record("step.expanded", step.name, items=step.items.total)
    if step.kind is Kind.CALL and step.items.failed > _tolerated(workflow, step):
        stop(workflow, step, StepError("items", _too_many(step)), now)
    return _go_on(workflow, step, now)


def item_settled(workflow: Workflow, item: StepState, now: float) -> tuple[StepState, Over] | None:
    """Count an item, or the undoing of one, that has settled, and send the next; the step that is over by that."""
    step = _waiter(workflow, item)
    items = step.items
    assert items is not None, f"{step.name} waits for {item.name}, but is not expanded"
    workflow.change(step.name)
    items = replace(items, under_way=items.under_way - 1)
    if item.kind is Kind.ITEM or step.kind is Kind.UNDO:
        completed = item.status is StepStatus.COMPLETED
        items = replace(items, completed=items.completed + completed, failed=items.failed + (not completed))
    step.items = items
    if item.kind is Kind.ITEM:
        step.effect = stronger(step.effect, item.effect)
        _tolerate(workflow, step, item, now)
    over = _go_on(workflow, step, now)
    return None if over is None else (step, over)


def is_on_the_way(workflow: Workflow, undo: StepState) -> bool:
    """Whether an item is undone while its step is still waiting for others."""
    return undo.kind is Kind.ITEM_UNDO and _waiter(workflow, undo).kind is Kind.CALL


def _waiter(workflow: Workflow, item: StepState) -> StepState:
    """Who waits for the item: its step, or for its undo that of the step, unless it is undone on the way."""
    owner = step_of(item.name)
    if item.kind is Kind.ITEM_UNDO:
        undo = workflow.find(undo_of(owner))
        if undo is not None and awaits_items(undo):
            return undo
    return workflow.step(owner)


def _tolerate(workflow: Workflow, step: StepState, item: StepState, now: float) -> None:
    """Where more items have failed than may, no more are sent. Else what the item may have done is undone."""
    assert step.items is not None, f"{step.name} is not expanded"
    if item.status is not StepStatus.FAILED or step.items.stopped is not None:
        return
    late = overdue(workflow, step, now, _LATE)
    if late is None and step.items.failed <= _tolerated(workflow, step):
        if not must_be_undone(workflow.definition, item):
            item.tolerated = True
        elif workflow.head.ending is None:
            item.tolerated = True
            _undo_on_the_way(workflow, step, item, now)
        else:
            # It cannot be undone before the others are, and without that the step is not completed.
            step.items = replace(step.items, stopped=UNFINISHED.as_json())
        return
    last = item.error["message"] if isinstance(item.error, dict) else "no error was recorded"
    stop(workflow, step, late or StepError("items", f"{_too_many(step)}; {item.name}: {last}"), now)


def _tolerated(workflow: Workflow, step: StepState) -> int:
    own = workflow.definition.steps[step.name].for_each
    assert own is not None, f"{step.name} has items, but no `forEach`"
    assert step.items is not None, f"{step.name} is not expanded"
    return own.tolerate.of(step.items.total)


def _too_many(step: StepState) -> str:
    assert step.items is not None, f"{step.name} is not expanded"
    return f"{step.items.failed} of {step.items.total} items failed, more than are tolerated"


def _undo_on_the_way(workflow: Workflow, step: StepState, item: StepState, now: float) -> None:
    assert step.items is not None, f"{step.name} is not expanded"
    undo = StepState(name=undo_of(item.name), kind=Kind.ITEM_UNDO)
    workflow.add(undo)
    step.items = replace(step.items, under_way=step.items.under_way + 1)
    make_ready(workflow, undo, now)


def _go_on(workflow: Workflow, step: StepState, now: float) -> Over | None:
    """Send as many as may be under way; how the step ends where that was all."""
    while (row := _next(workflow, step)) is not None:
        if (late := overdue(workflow, step, now, _LATE)) is not None:
            stop(workflow, step, late, now)
            break
        assert step.items is not None, f"{step.name} is not expanded"
        following = row.following[0] if row.following else None
        step.items = replace(step.items, under_way=step.items.under_way + 1, next=following)
        row.waits_for = 0
        make_ready(workflow, workflow.change(row.name), now)
    return is_over(step)


def _next(workflow: Workflow, step: StepState) -> StepState | None:
    """The row whose turn it is, if another one may be under way."""
    items = step.items
    if items is None or items.next is None or items.stopped is not None or not awaits_items(step):
        return None
    if step.kind is Kind.CALL and workflow.head.ending is not None:
        return None
    return workflow.step(items.next) if items.under_way < _width(workflow, step) else None


def _width(workflow: Workflow, step: StepState) -> int:
    own = workflow.definition.steps[step_of(step.name)].for_each
    assert own is not None, f"{step.name} has items, but no `forEach`"
    one_by_one = step.kind is Kind.UNDO and workflow.definition.compensation == "sequential"
    return 1 if one_by_one else own.max_parallel


def _add_items(workflow: Workflow, step: StepState, values: Sequence[Json]) -> None:
    names = [item_of(step.name, index) for index in range(len(values))]
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        row = StepState(name=name, kind=Kind.ITEM, waits_for=1, following=names[index + 1 : index + 2] or None)
        row.item = value
        workflow.add(row)
    step.items = Items(total=len(values), next=names[0] if names else None)


def _line_up_again(workflow: Workflow, step: StepState) -> None:
    """After a `retry`: those that have not completed, but for whoever has failed and is undone."""
    assert step.items is not None, f"{step.name} is not expanded"
    rows = rows_of(workflow, step)
    items = [row for row in rows if row.kind is Kind.ITEM]
    again = [row for row in items if row.status is StepStatus.PENDING]
    undos = [row for row in rows if row.kind is Kind.ITEM_UNDO and not row.settled]
    first = _in_line(workflow, [*undos, *sorted(again, key=lambda row: index_of(row.name))])
    tally = [row.status for row in items]
    step.items = Items(
        total=len(items),
        completed=tally.count(StepStatus.COMPLETED),
        failed=tally.count(StepStatus.FAILED),
        next=first,
    )


def _line_up_undos(workflow: Workflow, undo: StepState) -> None:
    """An undo for each item that may have taken effect, the last one first: by its end where that is the order."""
    rows = {row.name: row for row in rows_of(workflow, undo)}
    due = [row for row in rows.values() if row.kind is Kind.ITEM and row.effect is not Effect.NONE]
    if not workflow.head.compensate and undo.items is not None:
        due = [row for row in due if undo_of(row.name) in rows]
    if workflow.definition.compensation == "sequential":
        due.sort(key=lambda row: (_ended_at(row), index_of(row.name)), reverse=True)
    else:
        due.sort(key=lambda row: index_of(row.name), reverse=True)
    undos = []
    for row in due:
        if undo_of(row.name) not in rows:
            workflow.add(StepState(name=undo_of(row.name), kind=Kind.ITEM_UNDO, waits_for=1))
        undos.append(workflow.step(undo_of(row.name)))
    left = [one for one in undos if not one.settled]
    tally = [one.status for one in undos]
    undo.items = Items(
        total=len(undos),
        completed=tally.count(StepStatus.COMPLETED),
        failed=tally.count(StepStatus.FAILED),
        next=_in_line(workflow, left),
    )


def _in_line(workflow: Workflow, rows: Sequence[StepState]) -> str | None:
    """Have these rows wait for their turn, one after the other; the first of them."""
    for place, row in enumerate(rows, start=1):
        workflow.change(row.name)
        row.waits_for = 1
        row.wake_at = None
        row.following = [later.name for later in rows[place : place + 1]] or None
    return rows[0].name if rows else None


def _ended_at(item: StepState) -> float:
    return math.inf if item.completed_at is None else item.completed_at
