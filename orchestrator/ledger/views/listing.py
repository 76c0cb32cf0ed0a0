"""A page of workflows, newest first, without their contexts and results.

Ids are UUIDv7: their order is the order of creation, so the primary key serves the order, the cursor and the times.
"""

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from orchestrator.errors import Fault, FaultyInput
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import workflows
from orchestrator.moments import iso, took_ms
from orchestrator.states import Compensation, WorkflowStatus

CLOCK_SLACK = 600.0
"""Seconds by which a web host's clock (in ids) may differ from the database's (in `created_at`)."""

COLUMNS = [workflows.c[name] for name in "id type version status compensation error created_at completed_at".split()]
"""What a line of a list is made of."""

_LATEST = 2**48 / 1000 - 1


@dataclass(frozen=True, slots=True)
class Filters:
    """Which workflows are wanted; None is any. Times are seconds since 1970, both bounds exclusive."""

    status: WorkflowStatus | None = None
    type: str | None = None
    compensation: Compensation | None = None
    created_after: float | None = None
    created_before: float | None = None


def workflows_page(ledger: Ledger, filters: Filters, cursor: str | None = None, limit: int = 50) -> Json:
    """`limit` workflows and the cursor of the page after them (None where there is none).

    A cursor stays good however many workflows are added: they are newer than any page that follows. Raises FaultyInput
    for a cursor that no page gave out.
    """
    query = select(*COLUMNS).where(*conditions(filters)).order_by(workflows.c.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(workflows.c.id < opened(cursor))
    with ledger.database.reading() as connection:
        rows = list(connection.execute(query))
    shown, more = rows[:limit], len(rows) > limit
    return {"workflows": [line(row) for row in shown], "nextCursor": closed(shown[-1].id) if more else None}


def conditions(filters: Filters) -> list[ColumnElement[bool]]:
    """The filters as SQL, each of which an index serves."""
    wanted: list[ColumnElement[bool]] = []
    if filters.status is not None:
        wanted.append(workflows.c.status == filters.status.value)
    if filters.type is not None:
        wanted.append(workflows.c.type == filters.type)
    if filters.compensation is not None:
        wanted.append(workflows.c.compensation == filters.compensation.value)
    # The bound on the id lets the database skip there; the one on the time makes it exact.
    if filters.created_after is not None:
        wanted.append(workflows.c.id >= _first_id(filters.created_after - CLOCK_SLACK))
        wanted.append(workflows.c.created_at > filters.created_after)
    if filters.created_before is not None:
        wanted.append(workflows.c.id < _first_id(filters.created_before + CLOCK_SLACK))
        wanted.append(workflows.c.created_at < filters.created_before)
    return wanted


def _first_id(seconds: float) -> str:
    """The smallest UUIDv7 of that millisecond (RFC 9562: its first 48 bits are the time)."""
    milliseconds = int(min(max(seconds, 0.0), _LATEST) * 1000)
    return str(uuid.UUID(int=milliseconds << 80))


def line(row: Row[Any]) -> Json:
    """A workflow in a list."""
    return {
        "workflowId": row.id,
        "type": row.type,
        "status": row.status,
        "compensation": row.compensation,
        "error": row.error,
        "createdAt": iso(row.created_at),
        "completedAt": iso(row.completed_at),
        "durationMs": took_ms(row.created_at, row.completed_at),
        "definitionVersion": row.version,
    }


def closed(workflow_id: str) -> str:
    """The cursor of the page after this workflow."""
    return base64.urlsafe_b64encode(uuid.UUID(workflow_id).bytes).decode().rstrip("=")


def opened(cursor: str) -> str:
    """The workflow that a cursor stands for. Raises FaultyInput for one that no page gave out."""
    try:
        return str(uuid.UUID(bytes=base64.urlsafe_b64decode(cursor.encode("ascii") + b"==")))
    except (binascii.Error, ValueError):
        raise FaultyInput([Fault("cursor", "is none that a page gave out; take `nextCursor` as it is")]) from None
