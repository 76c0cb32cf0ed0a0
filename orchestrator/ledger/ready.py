"""The ready steps of one workflow, as they should be sent: for starts too wide to be sent by whoever accepted them."""

from sqlalchemy import select

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import steps, workflows
from orchestrator.priority import Priority
from orchestrator.states import StepStatus
from orchestrator.workflow import Carrier, Publication


def ready(ledger: Ledger, workflow_id: str) -> Publication:
    """Every step that may be claimed and is not; those whose canvas is intact with the fragment that they head."""
    with ledger.database.reading() as connection:
        head = connection.execute(
            select(workflows.c.type, workflows.c.version, workflows.c.priority).where(workflows.c.id == workflow_id)
        ).one_or_none()
        if head is None:
            return Publication(workflow_id, "")
        definition = ledger.definitions.get(connection, head.version)
        found = connection.execute(
            select(steps.c.name, steps.c.carrier).where(
                steps.c.workflow_id == workflow_id,
                steps.c.status == StepStatus.PENDING.value,
                steps.c.wake_at.is_not(None),
            )
        ).all()
    fragments = {}
    alone = []
    for row in found:
        fragment = definition.plan.headed_by(row.name) if row.carrier == Carrier.FRAGMENT.value else None
        if fragment is not None:
            fragments[fragment.heads] = fragment
        elif row.carrier != Carrier.CANVAS.value:
            alone.append(row.name)
    return Publication(workflow_id, head.type, tuple(fragments.values()), tuple(alone), Priority(head.priority))
