"""What the reconciler has to look at: rows whose `wake_at` has come."""

from sqlalchemy import select

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import steps, workflows
from orchestrator.moves.move import Look

BATCH = 200
"""Rows that one worker takes at a time; the rest is left to the others and to the next round."""


def due(ledger: Ledger, *, limit: int = BATCH) -> list[Look]:
    """The rows that are due, oldest first. Several workers may be given the same: only the first look changes it."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        of_steps = connection.execute(
            select(steps.c.workflow_id, steps.c.name)
            .where(steps.c.wake_at <= now)
            .order_by(steps.c.wake_at)
            .limit(limit)
        )
        looks = [Look(row.workflow_id, row.name) for row in of_steps]
        of_workflows = connection.execute(
            select(workflows.c.id).where(workflows.c.wake_at <= now).order_by(workflows.c.wake_at).limit(limit)
        )
        return looks + [Look(row.id) for row in of_workflows]


def next_due(ledger: Ledger) -> float | None:
    """Seconds until the next row is due, None where there is none."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        first = [
            connection.execute(
                select(table.c.wake_at).where(table.c.wake_at.is_not(None)).order_by(table.c.wake_at).limit(1)
            ).scalar_one_or_none()
            for table in (steps, workflows)
        ]
        return min((at - now for at in first if at is not None), default=None)
