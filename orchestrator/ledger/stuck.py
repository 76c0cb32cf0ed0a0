"""Workflows that are stuck: not over, and nothing has happened to them for long although nothing is waited for."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, or_, select

from orchestrator.definition import Definition
from orchestrator.ledger.book import Ledger, log_all
from orchestrator.ledger.rows import Rows
from orchestrator.ledger.tables import events, steps, workflows
from orchestrator.notice import STUCK
from orchestrator.states import StepStatus, Waiting, WorkflowStatus
from orchestrator.workflow import Workflow

PAGE = 1_000
"""Workflows that are looked at with one query."""

MOVING = (WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING)
"""What a person paused is not stuck."""


@dataclass(frozen=True, slots=True)
class Page:
    """Stuck workflows among those looked at; `end` is the last id looked at, None where there are no more."""

    stuck: list[str]
    end: str | None


def stuck_page(ledger: Ledger, status: WorkflowStatus, after: float, beyond: str, *, limit: int = PAGE) -> Page:
    """Look at the workflows of this status behind `beyond`: nothing for `after` seconds, and nothing in its time."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        page = {"status": status.value, "beyond": beyond, "limit": limit, "since": now - after}
        found = connection.execute(_PAGE, page).all()
    return Page([row.id for row in found if row.stuck], found[-1].id if len(found) == limit else None)


def mark_stuck(ledger: Ledger, workflow_id: str, after: float) -> bool:
    """Write the event, and with it the notices, unless the workflow moved or somebody else wrote it meanwhile."""
    found: dict[str, Workflow] = {}
    with ledger.database.transaction() as connection:
        # Two workers that found the same workflow meet at its lock: the second sees the event of the first.
        heads, now = Rows(connection).lock([workflow_id])
        if heads and (idle := _idle(connection, workflow_id, now, after)) is not None:
            _, found = ledger.make_in(connection, [Stall(workflow_id, idle)])
    log_all(found)
    return bool(found)


@dataclass(frozen=True, slots=True)
class Stall:
    """The move that says so in the audit log; it changes nothing."""

    workflow_id: str
    idle: float

    def touches(self, definition: Definition) -> Collection[str]:
        """No step."""
        return ()

    def make(self, workflow: Workflow, now: float) -> None:
        """Only where the workflow should be moving."""
        if workflow.head.status in MOVING:
            workflow.record(STUCK, idleSeconds=round(self.idle))


def _idle(connection: Connection, workflow_id: str, now: float, after: float) -> float | None:
    """Seconds since the last event, None where it is not stuck: something is called or waits for its time.

    Nor where the last event is that it is stuck: that is said once, until something happens.
    """
    last = connection.execute(_LAST_EVENT, {"id": workflow_id}).one_or_none()
    if last is None or last.at > now - after or last.type == STUCK:
        return None
    in_its_time = connection.execute(_IN_ITS_TIME, {"id": workflow_id, "since": now - after}).first()
    return None if in_its_time is not None else float(now - last.at)


_LAST_EVENT = (
    select(events.c.at, events.c.type)
    .where(events.c.workflow_id == bindparam("id"))
    .order_by(events.c.id.desc())
    .limit(1)
)


def _in_its_time(workflow_id: ColumnElement[str]) -> Select[str]:
    """A call under its lease, a delay, a callback: what has an end that has not come, or none, waits on purpose.

    But for a step that waits for its items: these say for themselves whether they do.
    """
    return (
        select(steps.c.name)
        .where(
            steps.c.workflow_id == workflow_id,
            steps.c.status.in_([StepStatus.RUNNING.value, StepStatus.WAITING.value]),
            or_(steps.c.wake_at.is_(None), steps.c.wake_at > bindparam("since")),
            or_(
                steps.c.status == StepStatus.RUNNING.value,
                steps.c.waiting_for.is_(None),
                steps.c.waiting_for != Waiting.ITEMS.value,
            ),
        )
        .limit(1)
    )


_IN_ITS_TIME = _in_its_time(bindparam("id"))

# One query for the whole page: thousands that wait for days on purpose must not cost one each, again and again.
_LOOKED_AT = (
    select(
        workflows.c.id,
        select(func.max(events.c.id)).where(events.c.workflow_id == workflows.c.id).scalar_subquery().label("last"),
    )
    .where(workflows.c.status == bindparam("status"), workflows.c.id > bindparam("beyond"))
    .order_by(workflows.c.id)
    .limit(bindparam("limit"))
    .subquery()
)
_PAGE = (
    select(
        _LOOKED_AT.c.id,
        and_(events.c.at <= bindparam("since"), events.c.type != STUCK, ~_in_its_time(_LOOKED_AT.c.id).exists()).label(
            "stuck"
        ),
    )
    .outerjoin_from(_LOOKED_AT, events, events.c.id == _LOOKED_AT.c.last)
    .order_by(_LOOKED_AT.c.id)
)
