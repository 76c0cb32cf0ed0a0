"""A settled step tells its successors: those that become ready are sent, branches not taken are skipped."""

from collections import deque

from orchestrator.moves.failing import doom, drain
from orchestrator.outcome import StepError
from orchestrator.states import StepStatus, WorkflowStatus
from orchestrator.workflow import Carrier, Head, Kind, StepState, Workflow

GRACE = 5.0
"""Seconds that a published message may take to be claimed before the reconciler looks whether it was lost."""


def may_start(head: Head, step: StepState) -> bool:
    """Whether a step, or an undo, may be started now. An undo may not while anything that may yet act is in flight.

    What is under way already is no start: a step that polls goes on asking.
    """
    if step.under_way:
        return True
    kind = step.kind
    if head.status is WorkflowStatus.COMPENSATING:
        return kind.undoes and head.draining == 0
    if head.completing:
        return kind.undoes and head.status is WorkflowStatus.RUNNING
    return head.status is WorkflowStatus.RUNNING and head.ending is None


def make_ready(workflow: Workflow, step: StepState, now: float) -> None:
    """The step may be claimed: have its message sent, unless a canvas brings it or nothing may start just now."""
    if not may_start(workflow.head, step):
        step.wake_at = None
        return
    step.wake_at = now + GRACE
    step.sent_at = now
    workflow.made_ready(step.name)
    fragment = workflow.definition.plan.headed_by(step.name) if step.carrier is Carrier.FRAGMENT else None
    if fragment is not None:
        workflow.publish_fragment(fragment)
    elif step.carrier is not Carrier.CANVAS:
        workflow.publish_alone(step.name)


def pass_on(workflow: Workflow, settled: StepState, now: float) -> None:
    """Tell everything that waited for `settled`, through the branches that are skipped because of it, to the end.

    A step goes on when all it waits for has settled, unless all of that was skipped: then it is skipped too. With
    `join: any` or n it goes on as soon as so many have completed; where all have settled and too few completed, it is
    skipped if none has, and fails if some have.
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
            if step.carrier is Carrier.KEPT and _together(workflow, step, successor):
                hand_down(successor)
            if _decide(workflow, successor, now):
                queue.append(successor)
    if workflow.head.failing and workflow.head.status is WorkflowStatus.RUNNING:
        drain(workflow, now)  # only now, with every count right: the undoing counts in the same fields
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
    if step.kind is not Kind.CALL:
        return step.waits_for == 0
    join = workflow.definition.steps[step.name].join
    if join is not None:
        return step.arrived >= join
    return step.waits_for == 0 and (step.arrived > 0 or workflow.definition.starts_free(step.name))


def _decide(workflow: Workflow, step: StepState, now: float) -> bool:
    """What the last arrival means for the step; true where it settled by that and lets its own successors go."""
    if step.status is not StepStatus.PENDING:
        return False
    if is_ready(workflow, step):
        if step.wake_at is None:
            make_ready(workflow, step, now)
        return False
    if step.waits_for > 0:
        return False
    if step.carrier is Carrier.FRAGMENT:
        # Nobody will publish the fragment that it heads, though what is carried there may wait for other steps too.
        leave_canvas(workflow, step)
    if step.arrived > 0:
        return _fail_join(workflow, step, now)
    workflow.close(step, StepStatus.SKIPPED, now)
    workflow.record("step.skipped", step.name, reason="nothing that it waits for was taken")
    return True


def _fail_join(workflow: Workflow, step: StepState, now: float) -> bool:
    """The step fails without having been called, as by a call: others go on without it, replace it, or end with it."""
    own = workflow.definition.steps[step.name]
    error = StepError("join", f"{step.arrived} of the {own.join} steps that it needs completed, and no more can")
    step.error = error.as_json()
    workflow.close(step, StepStatus.FAILED, now)
    workflow.record("step.failed", step.name, error=error.as_json())
    if own.fallback is not None and workflow.head.ending is None:
        step.tolerated = True
        count_down(workflow, own.fallback, now)
        return False
    step.tolerated = own.optional
    if not own.optional:
        doom(workflow, WorkflowStatus.FAILED, {"step": step.name, **error.as_json()})
    return own.optional


def count_down(workflow: Workflow, name: str, now: float) -> None:
    """One thing less that the fallback or compensation waits for."""
    step = workflow.change(name)
    step.waits_for -= 1
    step.arrived += 1
    if step.waits_for == 0 and step.kind is Kind.CALL and workflow.head.completing:
        workflow.close(step, StepStatus.SKIPPED, now)
        workflow.record("step.skipped", name, reason="the workflow was ended before it could be called")
        complete_if_done(workflow, now)
    elif step.waits_for == 0:
        make_ready(workflow, step, now)


def _together(workflow: Workflow, step: StepState, successor: StepState) -> bool:
    plan = workflow.definition.plan
    return plan.fragment_of(step.name) is plan.fragment_of(successor.name)


def hand_down(step: StepState) -> None:
    """No canvas brings the step: what comes before it there was kept."""
    if step.carrier is Carrier.CANVAS:
        step.carrier = Carrier.KEPT


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
        if later.carrier in (Carrier.CANVAS, Carrier.KEPT) and not later.settled:
            workflow.change(name).carrier = Carrier.ALONE
