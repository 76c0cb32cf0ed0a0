"""Whether anything about a workflow has changed, asked so cheaply that it may be asked all the time."""

from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import events, workflows
from orchestrator.ledger.views.snapshot import missing
from orchestrator.states import FINAL, WorkflowStatus


@dataclass(frozen=True, slots=True)
class Pulse:
    """`event` is the id of the last event: each change of state appends one. `final`: it has ended."""

    event: int
    final: bool


_PULSE = select(
    workflows.c.status,
    select(func.max(events.c.id)).where(events.c.workflow_id == bindparam("id")).scalar_subquery().label("event"),
).where(workflows.c.id == bindparam("id"))


def pulse(ledger: Ledger, workflow_id: str) -> Pulse:
    """Two look-ups in indices. Raises NotFound."""
    with ledger.database.reading() as connection:
        row = connection.execute(_PULSE, {"id": workflow_id}).one_or_none()
    if row is None:
        raise missing(workflow_id)
    return Pulse(row.event or 0, WorkflowStatus(row.status) in FINAL)
