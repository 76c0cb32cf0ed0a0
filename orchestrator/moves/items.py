"""What is counted of a step with `forEach`: how many items are under way, and when nothing more of it is sent."""

from dataclasses import dataclass, replace

from orchestrator.outcome import StepError
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.workflow import Kind, StepState, Workflow, step_of

UNFINISHED = StepError("cancelled", "the workflow began to fail, or was ended, before all of its items had ended")


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing of the step is under way any more: it has completed, or failed with `error`."""

    error: StepError | None = None


def awaits_items(step: StepState) -> bool:
    """Whether the step, or its undo, is expanded and not over."""
    return step.status is StepStatus.WAITING and step.waiting_for == Waiting.ITEMS


def is_over(step: StepState) -> Over | None:
    """How the step ends, None where something is under way or yet to be sent."""
    items = step.items
    if items is None or items.under_way or not awaits_items(step):
        return None
    if items.stopped is not None:
        return Over(StepError(**items.stopped))
    if items.next is not None:
        return None
    if step.kind is Kind.UNDO and items.failed:
        return Over(StepError("items", f"{items.failed} of its items could not be undone"))
    return Over()


def stop(workflow: Workflow, step: StepState, error: StepError, now: float) -> None:
    """Send no more items: who waits for another attempt has failed, what is in flight is waited for.

    Linear in the number of items, as it happens once.
    """
    assert step.items is not None, f"{step.name} is not expanded"
    if step.items.stopped is None:
        step.items = replace(step.items, stopped=error.as_json())
    for row in rows_of(workflow, step):
        if row.kind is Kind.ITEM and row.status is StepStatus.WAITING and not row.under_way:
            _give_up(workflow, row, now)
    recount(workflow, step, undoing=workflow.head.draining == 0)


def _give_up(workflow: Workflow, item: StepState, now: float) -> None:
    if item.attempts == 0:
        workflow.change(item.name).move(StepStatus.PENDING)
        item.waiting_for = None
        return
    error = StepError("cancelled", "no more items were sent before its next attempt")
    item.error = error.as_json()
    workflow.close(item, StepStatus.FAILED, now)
    workflow.record("step.failed", item.name, error=error.as_json(), effect=item.effect.value)


def halt(workflow: Workflow, step: StepState, now: float) -> None:
    """A step that waits for its items sends no more of them, and ends with the last one in flight."""
    recount(workflow, step, undoing=False)
    over = is_over(step)
    if over is not None:
        workflow.close(step, StepStatus.FAILED, now)
        step.error = (over.error or UNFINISHED).as_json()  # without one, what is left is to undo an item that failed
        workflow.record("step.failed", step.name, error=step.error, effect=step.effect.value)


def recount(workflow: Workflow, step: StepState, *, undoing: bool) -> None:
    """Count anew after nothing more is sent; who was sent and has not been claimed waits for its turn again.

    Without `undoing` the items that are being undone do not count: that goes on when the whole workflow is undone.
    """
    assert step.items is not None, f"{step.name} is not expanded"
    workflow.change(step.name)
    step.wake_at = None
    under_way, left, tally = 0, 0, {StepStatus.COMPLETED: 0, StepStatus.FAILED: 0}
    for row in rows_of(workflow, step):
        if row.kind is Kind.ITEM_UNDO:
            under_way += row.under_way or (undoing and not row.settled)
            continue
        step.effect = stronger(step.effect, row.effect)
        under_way += row.under_way
        left += row.status is StepStatus.PENDING
        if row.settled:
            tally[row.status] += 1
        elif row.status is StepStatus.PENDING:
            put_back(workflow, row)
    completed, failed = tally[StepStatus.COMPLETED], tally[StepStatus.FAILED]
    given_up = failed > step.items.failed
    stopped = step.items.stopped or (UNFINISHED.as_json() if left or given_up else None)
    step.items = replace(
        step.items, under_way=under_way, completed=completed, failed=failed, next=None, stopped=stopped
    )


def item_is_last(workflow: Workflow, item: StepState) -> bool:
    """Whether it is an item whose step sends nothing more."""
    if item.kind is not Kind.ITEM:
        return False
    items = workflow.step(step_of(item.name)).items
    return items is None or items.stopped is not None


def put_back(workflow: Workflow, row: StepState) -> None:
    """It is not its turn any more."""
    if row.waits_for == 0:
        workflow.change(row.name)
        row.waits_for = 1
        row.wake_at = None


def rows_of(workflow: Workflow, step: StepState) -> list[StepState]:
    """The rows of all items of the step, and of their undoing."""
    name = step_of(step.name)
    return [row for row in workflow.all() if row.kind.of_item and step_of(row.name) == name]


def stronger(one: Effect, other: Effect) -> Effect:
    """Of two effects the one that says more."""
    order = (Effect.NONE, Effect.UNKNOWN, Effect.DONE)
    return max(one, other, key=order.index)
