"""The delivery log: messages for webhooks, what became of them, and each try."""

from typing import Any

from sqlalchemy import Row, select

from orchestrator.errors import NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import deliveries
from orchestrator.ledger.views.listing import closed, opened
from orchestrator.moments import iso

STANDINGS = ("pending", "delivered", "failed")
_WHICH = {
    "pending": (deliveries.c.delivered_at.is_(None), deliveries.c.due_at.is_not(None)),
    "delivered": (deliveries.c.delivered_at.is_not(None),),
    "failed": (deliveries.c.delivered_at.is_(None), deliveries.c.due_at.is_(None)),
}


def deliveries_page(
    ledger: Ledger,
    status: str | None = None,
    workflow_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Json:
    """`limit` deliveries, newest first, and the cursor of the page after them.

    Raises FaultyInput for a cursor that no page gave out.
    """
    query = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit + 1)
    if status is not None:
        query = query.where(*_WHICH[status])
    if workflow_id is not None:
        query = query.where(deliveries.c.workflow_id == workflow_id)
    if cursor is not None:
        query = query.where(deliveries.c.id < opened(cursor))
    with ledger.database.reading() as connection:
        rows = list(connection.execute(query))
    shown, more = rows[:limit], len(rows) > limit
    return {"deliveries": [_line(row) for row in shown], "nextCursor": closed(shown[-1].id) if more else None}


def delivery_view(ledger: Ledger, delivery_id: str) -> Json:
    """One delivery with each of its tries. Raises NotFound."""
    with ledger.database.reading() as connection:
        row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id}")
    return {**_line(row), "data": row.data, "tries": row.tries}


def _line(row: Row[Any]) -> Json:
    standing = "delivered" if row.delivered_at is not None else "failed" if row.due_at is None else "pending"
    return {
        "deliveryId": row.id,
        "workflowId": row.workflow_id,
        "event": row.event,
        "url": row.shown,
        "status": standing,
        "attempts": len(row.tries),
        "error": row.error,
        "createdAt": iso(row.created_at),
        "deliveredAt": iso(row.delivered_at),
        "nextAt": iso(row.due_at),
    }
