"""The audit log of a workflow, oldest first."""

from typing import Any

from sqlalchemy import Row, bindparam, select

from orchestrator.errors import Fault, FaultyInput
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import events
from orchestrator.ledger.views.snapshot import check_exists, snapshot
from orchestrator.moments import iso

_LARGEST = 2**63 - 1
_MOST = 1_000

_PAGE = (
    select(*(events.c[name] for name in "id at type step details".split()))
    .where(events.c.workflow_id == bindparam("workflow"), events.c.id > bindparam("after"))
    .order_by(events.c.id)
    .limit(bindparam("limit"))
)


def events_page(ledger: Ledger, workflow_id: str, cursor: str | None = None, limit: int = 200) -> Json:
    """`limit` events and the cursor of the page after them (None where there is none yet).

    Raises NotFound, and FaultyInput for a cursor that no page gave out.
    """
    after = 0 if cursor is None else _opened(cursor)
    with snapshot(ledger) as connection:
        wanted = {"workflow": workflow_id, "after": after, "limit": limit + 1}
        rows = list(connection.execute(_PAGE, wanted))
        if not rows:
            check_exists(connection, workflow_id)
    shown, more = rows[:limit], len(rows) > limit
    return {
        "workflowId": workflow_id,
        "events": [_line(row) for row in shown],
        "nextCursor": str(shown[-1].id) if more else None,
    }


def all_events(ledger: Ledger, workflow_id: str) -> list[Json]:
    """The whole audit log. Raises NotFound."""
    page = events_page(ledger, workflow_id, None, _MOST)
    found: list[Json] = page["events"]
    while page["nextCursor"] is not None:
        page = events_page(ledger, workflow_id, page["nextCursor"], _MOST)
        found += page["events"]
    return found


def _line(row: Row[Any]) -> Json:
    return {"at": iso(row.at), "type": row.type, "step": row.step, "details": row.details}


def _opened(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 20 and int(cursor) <= _LARGEST:
        return int(cursor)
    raise FaultyInput([Fault("cursor", "is none that a page gave out; take `nextCursor` as it is")])
