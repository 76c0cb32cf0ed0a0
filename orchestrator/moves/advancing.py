"""A settled step tells its successors: those that become ready are sent, branches not taken are skipped."""

from collections import deque

from orchestrator.moves.failing import begin_failing
from orchestrator.outcome import StepError
from orchestrator.states import StepStatus, WorkflowStatus
from orchestrator.workflow import Carrier, Kind, StepState, Workflow

GRACE = 5.0
"""Seconds that a published message may take to be claimed before the reconciler looks whether it was lost."""


def make_ready(workflow: Workflow, step: StepState, now: float) -> None:
    """The step may be claimed: have its message sent, unless a canvas brings it or nothing may start just now."""
    allowed = {WorkflowStatus.RUNNING}
    if step.kind is Kind.UNDO:
        allowed.add(WorkflowStatus.COMPENSATING)
    if workflow.head.status not in allowed:
        step.wake_at = None
        return
    step.wake_at = now + GRACE
    fragment = workflow.definition.plan.headed_by(step.name) if step.carrier is Carrier.FRAGMENT else None
    if fragment is not None:
        workflow.publish_fragment(fragment)
    elif step.carrier is not Carrier.CANVAS:
        workflow.publish_alone(step.name)


def pass_on(workflow: Workflow, settled: StepState, now: float) -> None:
    """Tell everything that waited for `settled`, through the branches that are skipped because of it, to the end.

    A step goes on when all it waits for has settled, unless all of that was skipped: then it is skipped too. With
    `join: any` or n it goes on as soon as so many have completed; where that cannot be reached any more it is skipped
    if none has, and fails if some have.
    """
    queue = deque([settled])
    while queue:
        step = queue.popleft()
        if step.status is not StepStatus.FAILED or step.tolerated:
            _skip_fallbacks(workflow, step, now)
        successors = workflow.definition.successors(step.name)
        workflow.load(successors)
        for name in successors:
            successor = workflow.change(name)
            _count(workflow, successor, step)
            queue.extend(_decide(workflow, successor, now))
    complete_if_done(workflow, now)


def _skip_fallbacks(workflow: Workflow, step: StepState, now: float) -> None:
    """Whoever stood ready to replace the step is not needed. Never passed on: its successors are the step's own."""
    for name in workflow.definition.with_fallbacks(step.name)[1:]:
        fallback = workflow.change(name)
        if fallback.status is StepStatus.PENDING:
            workflow.close(fallback, StepStatus.SKIPPED, now)
            workflow.record("step.skipped", name, reason=f"{step.name} was {step.status}")


def _count(workflow: Workflow, successor: StepState, settled: StepState) -> None:
    join = workflow.definition.steps[successor.name].join
    arrives = settled.status is not StepStatus.SKIPPED if join is None else settled.status is StepStatus.COMPLETED
    successor.waits_for -= 1
    successor.arrived += arrives


def is_ready(workflow: Workflow, step: StepState) -> bool:
    """Whether everything that the step waits for has settled, as far as it has to."""
    if step.kind is Kind.UNDO:
        return step.waits_for == 0
    join = workflow.definition.steps[step.name].join
    if join is not None:
        return step.arrived >= join
    return step.waits_for == 0 and (step.arrived > 0 or workflow.definition.starts_free(step.name))


def _decide(workflow: Workflow, step: StepState, now: float) -> list[StepState]:
    """What the last arrival means for the step; returned where it settled by that and has successors of its own."""
    if step.status is not StepStatus.PENDING:
        return []
    if is_ready(workflow, step):
        if step.wake_at is None:
            make_ready(workflow, step, now)
        return []
    if step.waits_for > 0:
        return []
    if step.arrived > 0:
        _fail_join(workflow, step, now)
        return []
    workflow.close(step, StepStatus.SKIPPED, now)
    workflow.record("step.skipped", step.name, reason="nothing that it waits for was taken")
    return [step]


def _fail_join(workflow: Workflow, step: StepState, now: float) -> None:
    wanted = workflow.definition.steps[step.name].join
    message = f"{step.arrived} of the {wanted} steps that it waits for completed, and no more can"
    error = StepError("join", message)
    step.error = error.as_json()
    workflow.close(step, StepStatus.FAILED, now)
    workflow.record("step.failed", step.name, error=error.as_json())
    begin_failing(workflow, WorkflowStatus.FAILED, {"step": step.name, **error.as_json()}, now)


def complete_if_done(workflow: Workflow, now: float) -> None:
    """End the workflow if this was its last step."""
    head = workflow.head
    if head.status is WorkflowStatus.RUNNING and head.unsettled == 0:
        head.move(WorkflowStatus.COMPLETED)
        head.completed_at = now
        head.wake_at = None
        workflow.record("workflow.completed", durationMs=round((now - head.created_at) * 1000))


def leave_canvas(workflow: Workflow, step: StepState) -> None:
    """The step's message is spent before it settled: what its canvas would have brought next, the ledger brings."""
    if step.carrier is Carrier.ALONE:
        return
    step.carrier = Carrier.ALONE
    if step.kind is Kind.UNDO:
        rest = [other.name for other in workflow.all() if other.kind is Kind.UNDO]
    else:
        fragment = workflow.definition.plan.fragment_of(step.name)
        rest = list(fragment.after(step.name)) if fragment is not None else []
        workflow.load(rest)
    for name in rest:
        later = workflow.step(name)
        if later.carrier is Carrier.CANVAS and not later.settled:
            workflow.change(name).carrier = Carrier.ALONE
