"""What a person asks of a workflow: cancel, pause, resume, retry. Asking twice changes nothing more."""

from orchestrator.errors import Conflict
from orchestrator.moves.advancing import complete_if_done, is_ready, make_ready
from orchestrator.moves.failing import begin_failing, drain
from orchestrator.moves.items import put_back, rows_of
from orchestrator.moves.undoing import begin_undo, undo_these
from orchestrator.states import Compensation, Effect, StepStatus, WorkflowStatus
from orchestrator.workflow import Carrier, Items, Kind, StepState, Workflow, step_of, undo_of, undone_by


def cancel(workflow: Workflow, actor: str, now: float, *, compensate: bool = True) -> None:
    """Start nothing more, wait for what is in flight, undo what took effect (unless `compensate` is false), end."""
    head = workflow.head
    if head.ending is WorkflowStatus.CANCELLED:
        return
    if head.status not in (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED) or head.ending is not None:
        raise Conflict(f"it is {_standing(workflow)}: there is nothing left to cancel")
    head.compensate = compensate
    workflow.record("workflow.cancelRequested", by=actor, compensate=compensate)
    paused = head.status is WorkflowStatus.PAUSED
    begin_failing(workflow, WorkflowStatus.CANCELLED, {"kind": "cancelled", "message": f"cancelled by {actor}"}, now)
    if paused:
        drain(workflow, now)


def take_back(workflow: Workflow, actor: str, now: float) -> None:
    """Undo a workflow that has completed, because the one that had started it is undone. It ends as cancelled.

    Nothing but its parent may ask for that: what completed is final for everybody else.
    """
    head = workflow.head
    if head.ending is WorkflowStatus.CANCELLED:
        return
    if head.status is not WorkflowStatus.COMPLETED:
        raise Conflict(f"it is {_standing(workflow)}: only what has completed is taken back")
    workflow.record("workflow.undoRequested", by=actor)
    head.move(WorkflowStatus.COMPENSATING)
    head.ending, head.completed_at, head.compensate = WorkflowStatus.CANCELLED, None, True
    head.error = {"kind": "undone", "message": f"undone with the workflow that had started it ({actor})"}
    begin_undo(workflow, now)


def pause(workflow: Workflow, actor: str) -> None:
    """Start nothing new; what is under way ends and is recorded, and times go on running."""
    head = workflow.head
    if head.status is WorkflowStatus.PAUSED:
        return
    if head.status is not WorkflowStatus.RUNNING:
        raise Conflict(f"it is {_standing(workflow)}: only a running workflow can be paused")
    head.move(WorkflowStatus.PAUSED)
    for step in workflow.all():
        if step.status is StepStatus.PENDING and step.wake_at is not None and not step.under_way:
            workflow.change(step.name).wake_at = None
    workflow.record("workflow.paused", by=actor)


def resume(workflow: Workflow, actor: str, now: float) -> None:
    """Go on where the pause stopped it; if it began to fail meanwhile, the undoing begins now."""
    head = workflow.head
    if head.status is WorkflowStatus.RUNNING:
        return
    if head.status is not WorkflowStatus.PAUSED:
        raise Conflict(f"it is {_standing(workflow)}: only a paused workflow can be resumed")
    workflow.record("workflow.resumed", by=actor)
    if head.failing:
        drain(workflow, now)
        return
    head.move(WorkflowStatus.RUNNING)
    go_on(workflow, now)


def retry(workflow: Workflow, actor: str, now: float) -> None:
    """Run the failed steps again and keep the rest; where compensations failed, send those again instead.

    Refused once anything was undone: what had been kept is gone, and only a fresh copy (`rerun`) can start over.
    """
    head = workflow.head
    if head.status in (WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING) and head.replanned:
        return
    if not head.final or head.status is WorkflowStatus.COMPLETED:
        raise Conflict(f"it is {_standing(workflow)}: only a failed or cancelled workflow can be retried")
    if head.rerun_as is not None and head.compensation is not Compensation.FAILED:
        raise Conflict(f"it was rerun as {head.rerun_as}: both would do the same things; go on with that one")
    if head.compensation is Compensation.FAILED:
        _retry_undo(workflow, actor, now)
        return
    if head.compensation is not Compensation.NONE:
        raise Conflict("its steps have been undone, so there is nothing to go on from: start a fresh copy with rerun")
    _reopen(workflow, actor, now)


def _reopen(workflow: Workflow, actor: str, now: float) -> None:
    head = workflow.head
    ended_by = [name for name, step in workflow.definition.steps.items() if step.end and _completed(workflow, name)]
    if ended_by:
        raise Conflict(f"{ended_by[0]} has ended it, as its definition says: start a fresh copy with rerun")
    again = [
        step
        for step in workflow.all()
        if step.kind is Kind.CALL and step.status is StepStatus.FAILED and not step.tolerated
    ]
    for step in again:
        if not is_ready(workflow, step):
            raise Conflict(
                f"{step.name} waited for more steps to complete than did, and those have all ended: "
                "start a fresh copy with rerun"
            )
    workflow.record("workflow.retried", by=actor, steps=[step.name for step in again])
    for step in again:
        _reset(workflow, step)
        _reset_items(workflow, step)
    head.move(WorkflowStatus.RUNNING)
    head.ending = head.error = head.completed_at = None
    head.compensate = True
    deadline = workflow.definition.deadline
    head.deadline_at = head.wake_at = None if deadline is None else now + deadline
    head.unsettled = sum(not step.settled for step in workflow.all() if not step.kind.of_item)
    go_on(workflow, now)


def _completed(workflow: Workflow, name: str) -> bool:
    return workflow.step(name).status is StepStatus.COMPLETED


def _reset(workflow: Workflow, step: StepState) -> None:
    """Pending again. A new idempotency key only where the service said that nothing was done under the old one."""
    workflow.change(step.name)
    step.move(StepStatus.PENDING)
    step.failures = step.losses = 0
    step.completed_at = step.trying_since = None
    if step.effect is Effect.NONE:
        step.key_round += 1
    step.error = None


def _reset_items(workflow: Workflow, step: StepState) -> None:
    """Those of its items that failed; whoever is undone, because it failed, stays as it is."""
    rows = [] if step.items is None else rows_of(workflow, step)
    undone = {undone_by(row.name) for row in rows if row.kind is Kind.ITEM_UNDO}
    for row in rows:
        if row.kind is Kind.ITEM and row.status is StepStatus.FAILED and row.name not in undone:
            _reset(workflow, row)
            row.waits_for = 1
            row.tolerated = False


def go_on(workflow: Workflow, now: float) -> None:
    """Send everything that is ready; from here on the ledger brings each step, no canvas."""
    workflow.head.replanned = True
    for step in workflow.all():
        if step.status not in (StepStatus.PENDING, StepStatus.WAITING):
            continue
        if step.carrier is not Carrier.ALONE:
            workflow.change(step.name).carrier = Carrier.ALONE
        if step.status is StepStatus.PENDING and is_ready(workflow, step):
            make_ready(workflow, workflow.change(step.name), now)
    complete_if_done(workflow, now)


def _retry_undo(workflow: Workflow, actor: str, now: float) -> None:
    head = workflow.head
    for item in _undos_of_items(workflow):
        gathering = undo_of(step_of(item.name))
        if item.status is not StepStatus.COMPLETED and workflow.find(gathering) is None:
            # It was undone on the way, and its step was not to be: only this item's undo is sent again.
            workflow.add(StepState(name=gathering, kind=Kind.UNDO, items=Items(0)))
    undos = [step for step in workflow.all() if step.kind is Kind.UNDO]
    again = [undo for undo in undos if undo.status is not StepStatus.COMPLETED]
    workflow.record("workflow.retried", by=actor, steps=[step.name for step in again])
    head.ending = head.status
    head.move(WorkflowStatus.COMPENSATING)
    head.completed_at = None
    head.undo_failures = 0
    head.replanned = True
    for row in [*again, *_undos_of_items(workflow)]:
        if row.status is StepStatus.FAILED:
            _reset(workflow, row)
            if row.kind is Kind.ITEM_UNDO:
                put_back(workflow, row)
    undo_these(workflow, [workflow.step(undone_by(undo.name)) for undo in again], now)


def _undos_of_items(workflow: Workflow) -> list[StepState]:
    return [row for row in workflow.all() if row.kind is Kind.ITEM_UNDO]


def _standing(workflow: Workflow) -> str:
    head = workflow.head
    if head.ending is not None and not head.final:
        return f"{head.status.value} (on its way to {head.ending.value})"
    return head.status.value
