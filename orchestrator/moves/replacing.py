"""A step has failed and the workflow goes on: without it, or with its fallback. What it may have done is undone before.

Such an undo counts as one more thing that the workflow has to settle before it can complete.
"""

from collections.abc import Sequence

from orchestrator.moves.advancing import count_down, hand_down, leave_canvas, make_ready, pass_on
from orchestrator.moves.undoing import finish, must_be_undone
from orchestrator.states import WorkflowStatus
from orchestrator.workflow import Carrier, Kind, StepState, Workflow, undo_of, undone_by


def call_fallback(workflow: Workflow, step: StepState, fallback: str, now: float) -> None:
    """The other provider is called once the first one is settled: where that may have acted, after its undo."""
    leave_canvas(workflow, step)
    step.tolerated = True
    if must_be_undone(workflow.definition, step):
        undo_first(workflow, step, [fallback], now)
    else:
        count_down(workflow, fallback, now)


def go_on_without(workflow: Workflow, step: StepState, now: float) -> bool:
    """What follows the step goes on; false where that has to wait for its undo."""
    step.tolerated = True
    if must_be_undone(workflow.definition, step):
        leave_canvas(workflow, step)
        undo_first(workflow, step, [], now)
        return False
    pass_on(workflow, step, now)
    return True


def undo_first(workflow: Workflow, step: StepState, following: Sequence[str], now: float) -> None:
    """Take back what the step may have done, then call `following`; with nothing there, let its successors go on."""
    undo = StepState(name=undo_of(step.name), kind=Kind.UNDO, following=list(following))
    workflow.add(undo)
    workflow.head.unsettled += 1
    make_ready(workflow, undo, now)


def after_undo(workflow: Workflow, undo: StepState, now: float) -> None:
    """What follows an undo goes on, whether it worked or not; the last one of a failing workflow ends it."""
    head = workflow.head
    on_the_way = head.status is not WorkflowStatus.COMPENSATING
    head.unsettled -= 1
    for name in undo.following or ():
        if undo.carrier is Carrier.KEPT:
            hand_down(workflow.change(name))
        count_down(workflow, name, now)
    if (on_the_way or head.draining > 0) and not undo.following:
        # Also while the workflow only waits for what is in flight: where nothing else is undone, it may be retried.
        pass_on(workflow, workflow.step(undone_by(undo.name)), now)
    elif not on_the_way and head.draining == 0 and head.unsettled == 0:
        finish(workflow, now)
