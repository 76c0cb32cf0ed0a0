"""Finished workflows that are old enough are deleted with all that belongs to them, a little at a time.

Who is alive is never waited for, nor made to wait: rows that somebody holds are passed over, and a transaction deletes
few rows. A workflow's events may go some seconds before it does; its steps go with it, so that what is there is whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, and_, bindparam, delete, exists, func, select

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.notices import GIVE_UP_AFTER
from orchestrator.ledger.tables import definitions, deliveries, events, notices, schedules, steps, workflows
from orchestrator.states import Compensation

MOST_WORKFLOWS = 100
"""Workflows that a batch deletes."""

MOST_ROWS = 2_000
"""Rows that it deletes of each table; the steps of one workflow are deleted together, however many they are."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch deleted; `more` says whether another one would find something."""

    workflows: int
    more: bool


def delete_finished(ledger: Ledger, older_than: float, *, most: int = MOST_WORKFLOWS, rows: int = MOST_ROWS) -> Batch:
    """Delete some of the workflows that ended more than `older_than` seconds ago, those that ended first.

    A definition that no workflow uses any more goes with the last of them. A start key lives as long as its workflow.
    One that ops or a webhook are still to be told of is kept until they are, one that could not be undone until a
    person has seen to it: it may be all that is left of somebody's money.
    """
    if not _any(ledger, older_than):
        return Batch(0, more=False)
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        wanted = {"before": now - older_than, "hopeful": now - GIVE_UP_AFTER, "limit": most}
        old = connection.execute(_OLD, wanted).all()
        ids = [row.id for row in old]
        for table in (events, notices, deliveries):
            if ids and _delete_some(connection, table, ids, rows) == rows:
                return Batch(0, more=True)
        chosen = set(_as_many_as(connection, ids, rows))
        if chosen:
            connection.execute(delete(steps).where(steps.c.workflow_id.in_(chosen)))
            connection.execute(delete(workflows).where(workflows.c.id.in_(chosen)))
    _delete_unused(ledger, {row.version for row in old if row.id in chosen}, older_than)
    return Batch(len(chosen), more=len(chosen) < len(old) or len(old) == most)


def _any(ledger: Ledger, older_than: float) -> bool:
    with ledger.database.reading() as connection:
        before = ledger.database.now(connection) - older_than
        return connection.execute(_ANY, {"before": before}).first() is not None


def _delete_some(connection: Connection, table: Table, ids: Sequence[str], rows: int) -> int:
    some = select(table.c.id).where(table.c.workflow_id.in_(ids)).limit(rows)
    return connection.execute(delete(table).where(table.c.id.in_(some))).rowcount


def _as_many_as(connection: Connection, ids: Sequence[str], rows: int) -> list[str]:
    """The first workflows that have so many steps together; at least one."""
    counted = (
        select(steps.c.workflow_id, func.count().label("many"))
        .where(steps.c.workflow_id.in_(ids))
        .group_by(steps.c.workflow_id)
    )
    counts = {row.workflow_id: row.many for row in connection.execute(counted)} if ids else {}
    chosen: list[str] = []
    for workflow_id in ids:
        rows -= counts.get(workflow_id, 0)
        if rows < 0 and chosen:
            break
        chosen.append(workflow_id)
    return chosen


def _delete_unused(ledger: Ledger, versions: set[str], older_than: float) -> None:
    """Of these versions, delete those that no workflow uses.

    Two workers that delete the last two uses of one at the same moment may each see the other's: then it stays, which
    harms nobody.
    """
    if not versions:
        return
    with ledger.database.transaction() as connection:
        before = ledger.database.now(connection) - older_than
        # A start that uses the version holds its row, or will find it gone (`starting.start` then writes it again).
        held = select(definitions.c.version).where(
            definitions.c.version.in_(versions), definitions.c.created_at < before
        )
        free = list(connection.execute(held.with_for_update(skip_locked=True)).scalars())
        used = exists().where(workflows.c.version == definitions.c.version)
        scheduled = exists().where(schedules.c.version == definitions.c.version)
        connection.execute(delete(definitions).where(definitions.c.version.in_(free), ~used, ~scheduled))


_FINISHED = and_(workflows.c.completed_at < bindparam("before"), workflows.c.compensation != Compensation.FAILED.value)
_ANY = select(workflows.c.id).where(_FINISHED).limit(1)
_UNTOLD = exists().where(
    notices.c.workflow_id == workflows.c.id,
    notices.c.due_at.is_not(None),
    notices.c.created_at > bindparam("hopeful"),
)
_UNDELIVERED = exists().where(deliveries.c.workflow_id == workflows.c.id, deliveries.c.due_at.is_not(None))
_OLD = (
    select(workflows.c.id, workflows.c.version)
    .where(_FINISHED, ~_UNTOLD, ~_UNDELIVERED)
    .order_by(workflows.c.completed_at)
    .limit(bindparam("limit"))
    # A workflow that is retried at this moment is passed over, or was opened again and is no longer found.
    .with_for_update(skip_locked=True, of=workflows)
)
