"""What the reconciler has to look at: rows whose `wake_at` has come; and how those that merely queue are put off."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, case, exists, func, select, tuple_, update

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.scopes import Key
from orchestrator.ledger.tables import steps, workflows
from orchestrator.moves.move import Look
from orchestrator.priority import Priority
from orchestrator.states import StepStatus

BATCH = 200
"""Rows that one worker takes at a time; the rest is left to the others and to the next round."""

MOST_PUT_OFF = 10_000
"""Rows that are put off with one statement: a backlog of any size is, in a few rounds, without long locks."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is due: `looks` for everything, and of those the ready steps (`sent`) with how their message was sent."""

    looks: list[Look]
    sent: dict[Look, "Sent"]


@dataclass(frozen=True, slots=True)
class Sent:
    """When a message was sent, and with which priority: it waits behind those of its own."""

    at: float
    priority: Priority = Priority.NORMAL


def due(ledger: Ledger, *, limit: int = BATCH) -> Due:
    """The rows that are due, oldest first. Several workers may be given the same: only the first look changes it."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        found = connection.execute(_DUE_STEPS, {"now": now, "limit": limit}).all()
        of_workflows = connection.execute(_DUE_WORKFLOWS, {"now": now, "limit": limit}).scalars()
        looks = {Look(row.workflow_id, row.name): row for row in found}
        sent = {
            look: Sent(row.sent_at or 0.0, Priority(row.priority))
            for look, row in looks.items()
            if row.status == StepStatus.PENDING.value
        }
        return Due([*looks, *(Look(workflow_id) for workflow_id in of_workflows)], sent)


def next_due(ledger: Ledger) -> float | None:
    """Seconds until the next row is due, None where there is none."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        first = [connection.execute(statement).scalar_one_or_none() for statement in (_NEXT_STEP, _NEXT_WORKFLOW)]
        return min((at - now for at in first if at is not None), default=None)


def first_sent(ledger: Ledger, keys: Collection[Key]) -> tuple[dict[Priority, float | None], float]:
    """When the first of these steps' messages of each priority was sent, of those that wait to be claimed (None: all of
    them were claimed meanwhile); and the time now."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        if not keys:
            return {}, now
        found = connection.execute(_SENT, {"keys": sorted(keys), "status": StepStatus.PENDING.value})
        return {Priority(row.priority): row.first for row in found}, now


def put_off(ledger: Ledger, seconds: float, *, sent: Sent | None = None, keys: Collection[Key] = ()) -> int:
    """Look at ready steps `seconds` later: those sent since then with that priority, or these. Returns how many rows
    that were.

    Rows that somebody else holds just now are passed over, so nobody waits for anybody here.
    """
    with ledger.database.transaction() as connection:
        until = ledger.database.now(connection) + seconds
        if sent is not None:
            its = exists().where(workflows.c.id == steps.c.workflow_id, workflows.c.priority == sent.priority)
            return _put_off(connection, until, steps.c.sent_at >= sent.at, steps.c.wake_at <= until - seconds, its)
        here = tuple_(steps.c.workflow_id, steps.c.name).in_(sorted(keys))
        return _put_off(connection, until, here, steps.c.wake_at < until) if keys else 0


def recall(ledger: Ledger, age: float) -> int:
    """Look at all ready steps now whose messages were sent more than `age` seconds ago: there is no queue any more that
    they could wait in. Returns how many rows that were."""
    recalled = 0
    while True:
        with ledger.database.transaction() as connection:
            now = ledger.database.now(connection)
            rows = _put_off(connection, now, steps.c.sent_at < now - age, steps.c.wake_at > now)
        recalled += rows
        if rows < MOST_PUT_OFF:
            return recalled


def set_aside(ledger: Ledger, looks: Collection[Look], seconds: float) -> None:
    """Look at these rows `seconds` later, whatever they are; those that are no longer due are left as they are."""
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        for look in looks:
            if look.step is None:
                row = update(workflows).where(workflows.c.id == look.workflow_id, workflows.c.wake_at <= now)
            else:
                here = (steps.c.workflow_id == look.workflow_id, steps.c.name == look.step)
                row = update(steps).where(*here, steps.c.wake_at <= now)
            connection.execute(row.values(wake_at=now + seconds))


def _put_off(connection: Connection, until: float, *which: ColumnElement[bool]) -> int:
    free = (
        select(steps.c.workflow_id, steps.c.name)
        .where(steps.c.status == StepStatus.PENDING.value, *which)
        .limit(MOST_PUT_OFF)
        .with_for_update(skip_locked=True, of=steps)
    )
    chosen = tuple_(steps.c.workflow_id, steps.c.name).in_(free)
    return connection.execute(update(steps).where(chosen).values(wake_at=until)).rowcount


_DUE_STEPS = (
    select(steps.c.workflow_id, steps.c.name, steps.c.status, steps.c.sent_at, workflows.c.priority)
    .join(workflows, workflows.c.id == steps.c.workflow_id)
    .where(steps.c.wake_at <= bindparam("now"))
    .order_by(steps.c.wake_at)
    .limit(bindparam("limit"))
)
_DUE_WORKFLOWS = (
    select(workflows.c.id)
    .where(workflows.c.wake_at <= bindparam("now"))
    .order_by(workflows.c.wake_at)
    .limit(bindparam("limit"))
)
_NEXT_STEP = select(steps.c.wake_at).where(steps.c.wake_at.is_not(None)).order_by(steps.c.wake_at).limit(1)
_NEXT_WORKFLOW = (
    select(workflows.c.wake_at).where(workflows.c.wake_at.is_not(None)).order_by(workflows.c.wake_at).limit(1)
)
_SENT = (
    select(
        workflows.c.priority,
        func.min(case((steps.c.status == bindparam("status"), steps.c.sent_at))).label("first"),
    )
    .join(workflows, workflows.c.id == steps.c.workflow_id)
    .where(tuple_(steps.c.workflow_id, steps.c.name).in_(bindparam("keys", expanding=True)))
    .group_by(workflows.c.priority)
)
