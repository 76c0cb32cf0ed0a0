"""A workflow begins: the rows of its steps, and what is sent for it at once, or when a put-off start comes due."""

from orchestrator.definition import Definition
from orchestrator.moves.advancing import GRACE, make_ready
from orchestrator.states import StepStatus
from orchestrator.workflow import START, Carrier, Publication, StepState, Workflow


def first_steps(
    workflow_id: str, definition: Definition, now: float, begin_at: float | None = None
) -> tuple[list[StepState], Publication]:
    """Every step's row, and the fragments that begin at once. Times are seconds since 1970.

    Where `begin_at` is to come, nothing is sent: the first steps are parked until then.
    """
    put_off = begin_at is not None and begin_at > now
    rows = {name: StepState(name=name) for name in definition.steps}
    free = []
    for fragment in definition.plan.fragments:
        for name in fragment.heads:
            rows[name].carrier = Carrier.FRAGMENT
        for name in fragment.carried:
            rows[name].carrier = Carrier.CANVAS
        if definition.starts_free(fragment.heads[0]) and not put_off:
            free.append(fragment)
    for name, row in rows.items():
        row.waits_for = 1 if name in definition.stands_in_for else len(definition.steps[name].after)
        if not definition.starts_free(name):
            continue
        if put_off:
            row.status, row.waiting_for, row.wake_at = StepStatus.WAITING, START, begin_at
        else:
            row.wake_at = now + GRACE
            row.sent_at = now
    return list(rows.values()), Publication(workflow_id, definition.type, tuple(free))


def begin(workflow: Workflow, now: float) -> None:
    """The time has come that the start was put off to: all its first steps are sent, as a start at once sends them.

    All together, whichever of them was looked at: a canvas must find its heads ready, and no step may end the workflow
    while another one still waits to begin.
    """
    for step in workflow.all():
        if step.waiting_for == START:
            workflow.change(step.name).move(StepStatus.PENDING)
            step.waiting_for = None
            make_ready(workflow, step, now)
    workflow.record("workflow.begun")
