"""Schedules as the API shows them, with their next runs."""

from typing import Any

from sqlalchemy import Row, select

from orchestrator.errors import NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.schedules import rhythm_of
from orchestrator.ledger.tables import schedules
from orchestrator.moments import iso

RUNS = 5
"""Next runs that one schedule shows."""


def schedules_view(ledger: Ledger) -> Json:
    """All of them, by id."""
    with ledger.database.reading() as connection:
        return {"schedules": [_line(row) for row in connection.execute(select(schedules).order_by(schedules.c.id))]}


def schedule_view(ledger: Ledger, schedule_id: str) -> Json:
    """One with its context, what is sensitive masked, and its next runs. Raises NotFound."""
    with ledger.database.reading() as connection:
        row = connection.execute(select(schedules).where(schedules.c.id == schedule_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no schedule {schedule_id}")
        now = ledger.database.now(connection)
    begin = now if row.next_at is None else row.next_at - 0.5
    runs = [] if row.next_at is None else rhythm_of(row).following(begin, row.anchor, RUNS)
    return {**_line(row), "context": row.context, "nextRuns": [iso(at) for at in runs]}


def _line(row: Row[Any]) -> Json:
    return {
        "scheduleId": row.id,
        "type": row.type,
        "definitionVersion": row.version,
        "byDefinition": row.by_definition,
        "cron": row.cron,
        "every": row.every,
        "timezone": row.timezone,
        "catchUp": row.catch_up,
        "paused": row.next_at is None,
        "nextAt": iso(row.next_at),
        "lastAt": iso(row.last_at),
        "lastWorkflowId": row.last_workflow_id,
        "fault": row.fault,
        "createdAt": iso(row.created_at),
    }
