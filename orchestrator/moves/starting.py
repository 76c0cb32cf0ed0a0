"""A workflow begins: the rows of its steps, and what is sent for it at once."""

from orchestrator.definition import Definition
from orchestrator.moves.advancing import GRACE
from orchestrator.workflow import Carrier, Publication, StepState


def first_steps(workflow_id: str, definition: Definition, now: float) -> tuple[list[StepState], Publication]:
    """Every step's row, and the fragments that begin at once. `now` is seconds since 1970."""
    rows = {name: StepState(name=name) for name in definition.steps}
    free = []
    for fragment in definition.plan.fragments:
        for name in fragment.heads:
            rows[name].carrier = Carrier.FRAGMENT
        for name in fragment.carried:
            rows[name].carrier = Carrier.CANVAS
        if definition.starts_free(fragment.heads[0]):
            free.append(fragment)
    for name, row in rows.items():
        row.waits_for = 1 if name in definition.stands_in_for else len(definition.steps[name].after)
        if definition.starts_free(name):
            row.wake_at = now + GRACE
            row.sent_at = now
    return list(rows.values()), Publication(workflow_id, definition.type, tuple(free))
