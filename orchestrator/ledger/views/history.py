"""The audit log of a workflow, or a part of it: oldest first, or newest first for who looks at what just happened."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, bindparam, or_, select

from orchestrator.errors import Fault, FaultyInput, NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import events, steps
from orchestrator.ledger.views.snapshot import check_exists, snapshot
from orchestrator.moments import iso
from orchestrator.workflow import undo_of

_LARGEST = 2**63 - 1
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Part:
    """Which events are wanted, and from which end.

    `step` is a step or an item (`send[3]`): what happened to it and to its undoing. Without `items`, what happened to
    the items of steps with `forEach` is left out: tens of thousands of events that would hide the others.
    """

    step: str | None = None
    items: bool = True
    newest_first: bool = False


ALL = Part()


def events_page(
    ledger: Ledger, workflow_id: str, cursor: str | None = None, limit: int = 200, part: Part = ALL
) -> Json:
    """`limit` events and the cursor of the page after them (None where there is none yet).

    Raises NotFound, also of the step, and FaultyInput for a cursor that no page gave out.
    """
    query = _query(part)
    if cursor is not None:
        at = _opened(cursor)
        query = query.where(events.c.id < at if part.newest_first else events.c.id > at)
    with snapshot(ledger) as connection:
        rows = list(connection.execute(query, {"workflow": workflow_id, "limit": limit + 1}))
        if not rows:
            check_exists(connection, workflow_id)
            wanted = {"workflow": workflow_id, "name": part.step}
            if part.step is not None and connection.execute(_STEP, wanted).one_or_none() is None:
                raise NotFound(f"workflow {workflow_id} has no step {part.step[:70]!r}")
    shown, more = rows[:limit], len(rows) > limit
    return {
        "workflowId": workflow_id,
        "events": [_line(row) for row in shown],
        "nextCursor": str(shown[-1].id) if more else None,
    }


def all_events(ledger: Ledger, workflow_id: str, part: Part = ALL) -> list[Json]:
    """The whole audit log, or that part of it. Raises NotFound."""
    page = events_page(ledger, workflow_id, None, _MOST, part)
    found: list[Json] = page["events"]
    while page["nextCursor"] is not None:
        page = events_page(ledger, workflow_id, page["nextCursor"], _MOST, part)
        found += page["events"]
    return found


def _query(part: Part) -> Select[Any]:
    wanted = _PAGE.order_by(events.c.id.desc() if part.newest_first else events.c.id)
    if part.step is not None:
        return wanted.where(events.c.step.in_([part.step, undo_of(part.step)]))
    return wanted if part.items else wanted.where(_NO_ITEM)


_PAGE = (
    select(*(events.c[name] for name in "id at type step details".split()))
    .where(events.c.workflow_id == bindparam("workflow"))
    .limit(bindparam("limit"))
)
# Only an item's name has a bracket in it.
_NO_ITEM = or_(events.c.step.is_(None), events.c.step.not_like("%[%"))
_STEP = select(steps.c.name).where(steps.c.workflow_id == bindparam("workflow"), steps.c.name == bindparam("name"))


def _line(row: Row[Any]) -> Json:
    return {"at": iso(row.at), "type": row.type, "step": row.step, "details": row.details}


def _opened(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 20 and int(cursor) <= _LARGEST:
        return int(cursor)
    raise FaultyInput([Fault("cursor", "is none that a page gave out; take `nextCursor` as it is")])
