"""A worker keeps what its outcome let go on: it takes these steps with that very commit, and nothing is sent."""

from collections.abc import Collection

from orchestrator.moves.advancing import leave_canvas, may_start
from orchestrator.moves.claiming import Claimed, claim
from orchestrator.states import StepStatus
from orchestrator.workflow import Carrier, Kind, StepState, Workflow


def keep(workflow: Workflow, settled: str, worker: str, room: int, now: float) -> list[Claimed]:
    """Take all that the present move has made ready, if `worker` has room for so many; otherwise nothing of it.

    All or nothing: a canvas brings everything that follows `settled`, or it is not sent at all. Nor is anything kept
    that needs a slot first. What does not come out as claimed has failed now, as its time was over, or is parked, as
    its host has its share of the worker.
    """
    names = workflow.ready
    steps = [workflow.step(name) for name in names]
    if not 0 < len(steps) <= room or not all(_may_be_kept(workflow, step) for step in steps):
        return []
    workflow.withhold(names)
    _leave(workflow, settled, names)
    for step in steps:
        if step.carrier is not Carrier.ALONE:
            step.carrier = Carrier.KEPT
    replies = [claim(workflow, name, worker, now) for name in names]
    return [reply for reply in replies if isinstance(reply, Claimed)]


def kept_before(workflow: Workflow, settled: str, worker: str, held: Collection[str], now: float) -> list[Claimed]:
    """What `worker` was given by the commit that settled this step, whose answer it never saw: those of its steps that
    were taken then or later and that it does not hold.

    What it was given earlier is another thread's, or was called and is lost. A step with a limit is never kept.
    """
    step_settled = workflow.find(settled)
    since = None if step_settled is None else step_settled.completed_at
    if since is None:
        return []
    lost = [
        step.name
        for step in workflow.all()
        if step.status is StepStatus.RUNNING
        and step.worker == worker
        and step.name not in held
        and (step.attempt_at or 0.0) >= since
        and not workflow.needs_slot(step)
    ]
    replies = [claim(workflow, name, worker, now, again=True) for name in lost]
    return [reply for reply in replies if isinstance(reply, Claimed)]


def _may_be_kept(workflow: Workflow, step: StepState) -> bool:
    return step.status is StepStatus.PENDING and may_start(workflow.head, step) and not workflow.needs_slot(step)


def _leave(workflow: Workflow, settled: str, kept: Collection[str]) -> None:
    """The rest of the canvas that had brought the settled step is not sent.

    Who is kept tells its successors so; where what comes next there is not kept, all of the rest is told now.
    """
    step = workflow.step(settled)
    if step.kind is not Kind.CALL or step.carrier not in (Carrier.CANVAS, Carrier.FRAGMENT):
        return
    following = workflow.definition.plan.fragment_of(settled).next_to(settled)
    if not set(following) <= set(kept):
        leave_canvas(workflow, workflow.change(settled))
