"""The items of a step with `forEach`, a page at a time: a workflow's own view only counts them."""

from typing import Any

from sqlalchemy import Row, bindparam, func, select

from orchestrator.errors import Fault, FaultyInput, NotFound
from orchestrator.expanding import MOST_ITEMS
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.children import children_of
from orchestrator.ledger.collecting import of_step
from orchestrator.ledger.tables import steps, workflows
from orchestrator.ledger.views.snapshot import check_exists, snapshot
from orchestrator.ledger.views.workflow import item_counts
from orchestrator.moments import iso, took_ms
from orchestrator.states import StepStatus
from orchestrator.workflow import index_of, item_of, undo_of

_SHOWN = [
    steps.c[name]
    for name in (
        "name status attempts item result error effect started_at completed_at wake_at waiting_for key_round".split()
    )
]
# Names of one length are in the order of the numbers in them.
_PLACE = (func.length(steps.c.name), steps.c.name)
_ITEMS = select(*_SHOWN).where(of_step()).order_by(*_PLACE).limit(bindparam("limit"))
_UNDOS = select(*(steps.c[name] for name in ("name", "status", "error"))).where(
    steps.c.workflow_id == bindparam("id"), steps.c.name.in_(bindparam("names", expanding=True))
)
_VERSION = select(workflows.c.version).where(workflows.c.id == bindparam("id"))
_STEP = select(steps.c["items"]).where(steps.c.workflow_id == bindparam("id"), steps.c.name == bindparam("step"))


def items_page(
    ledger: Ledger,
    workflow_id: str,
    step: str,
    status: StepStatus | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Json:
    """`limit` items of the step in their order, of all or of those with this status, and the cursor of the next page.

    Raises NotFound where there is no such workflow, or no such step that was expanded, and FaultyInput for a cursor
    that no page gave out.
    """
    query = _ITEMS if status is None else _ITEMS.where(steps.c.status == status.value)
    wanted = {"id": workflow_id, "prefix": f"{step}[", "length": len(step) + 1, "limit": limit + 1}
    if cursor is not None:
        last = item_of(step, _opened(cursor))
        longer = func.length(steps.c.name) > len(last)
        query = query.where(longer | ((func.length(steps.c.name) == len(last)) & (steps.c.name > last)))
    with snapshot(ledger) as connection:
        counts = connection.execute(_STEP, {"id": workflow_id, "step": step}).scalar_one_or_none()
        if counts is None:
            check_exists(connection, workflow_id)
            raise NotFound(f"workflow {workflow_id} has no step {step[:70]!r} with items (yet)")
        rows = list(connection.execute(query, wanted))
        shown, more = rows[:limit], len(rows) > limit
        names = [undo_of(row.name) for row in shown]
        undos = {row.name: row for row in connection.execute(_UNDOS, {"id": workflow_id, "names": names})}
        version = connection.execute(_VERSION, {"id": workflow_id}).scalar_one()
        definition = ledger.definitions.get(connection, version)
        children = children_of(connection, workflow_id, definition, {row.name: row.key_round for row in shown})
    return {
        "workflowId": workflow_id,
        "step": step,
        "counts": item_counts(counts),
        "items": [_line(row, undos.get(undo_of(row.name))) | {"childId": children.get(row.name)} for row in shown],
        "nextCursor": str(index_of(shown[-1].name)) if more else None,
    }


def _line(row: Row[Any], undo: Row[Any] | None) -> Json:
    waits = row.status == StepStatus.WAITING
    return {
        "index": index_of(row.name),
        "item": row.item,
        "status": row.status,
        "attempts": row.attempts,
        "result": row.result,
        "error": row.error,
        "effect": row.effect,
        "startedAt": iso(row.started_at),
        "completedAt": iso(row.completed_at),
        "durationMs": took_ms(row.started_at, row.completed_at),
        "waitingFor": row.waiting_for if waits else None,
        "wakeAt": iso(row.wake_at) if waits else None,
        "compensation": None if undo is None else {"status": undo.status, "error": undo.error},
    }


def _opened(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 6 and int(cursor) < MOST_ITEMS:
        return int(cursor)
    raise FaultyInput([Fault("cursor", "is none that a page gave out; take `nextCursor` as it is")])
