"""Schedules: each tick starts exactly one workflow, however many workers look, and whoever dies in between.

A tick is made under the lock of the schedule's row: the workflow and the time of the next tick are written in one
transaction. The start key of a tick is a second bolt: what was started for it is not started again, even by a schedule
that was deleted and made anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.definition import Definition, Schedule
from orchestrator.errors import Conflict, NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.starting import Start, Started, log_started, start_in
from orchestrator.ledger.tables import schedules, workflows
from orchestrator.moments import iso
from orchestrator.rhythm import Rhythm, caught_up

BATCH = 50
"""Schedules that one round looks at; each in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule as it is to be kept. `start` is what each workflow is started with."""

    id: str
    definition: Definition
    schedule: Schedule
    start: Start
    by_definition: bool = False


def rhythm_of(row: Row[Any]) -> Rhythm:
    """The rhythm of a schedule's row."""
    return Rhythm(row.cron, row.every, row.timezone)


def create(ledger: Ledger, planned: Planned) -> None:
    """Keep a new schedule. Raises Conflict where there is one of that id."""
    # The version may have been deleted, long unused, since this process saw it: this writes it again.
    ledger.definitions.forget(planned.definition)
    try:
        with ledger.database.transaction() as connection:
            _insert(ledger, connection, planned)
    except IntegrityError:
        raise Conflict(f"there is a schedule {planned.id} already: delete it, or choose another id") from None
    ledger.definitions.remember(planned.definition)


def delete_schedule(ledger: Ledger, schedule_id: str) -> None:
    """Start nothing more for it; what it has started goes on. Raises NotFound, and Conflict for a definition's own."""
    with ledger.database.transaction() as connection:
        if _locked(connection, schedule_id).by_definition:
            raise Conflict("its definition says when it is started: take `schedule` out of that, or pause it")
        connection.execute(delete(schedules).where(schedules.c.id == schedule_id))


def pause(ledger: Ledger, schedule_id: str) -> None:
    """Make no tick until it is resumed. Raises NotFound."""
    with ledger.database.transaction() as connection:
        _locked(connection, schedule_id)
        connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(next_at=None))


def resume(ledger: Ledger, schedule_id: str) -> None:
    """Go on with the next tick from now: what was missed in a pause was meant to be. Raises NotFound."""
    with ledger.database.transaction() as connection:
        row = _locked(connection, schedule_id)
        if row.next_at is None:
            next_at = rhythm_of(row).after(ledger.database.now(connection), row.anchor)
            connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(next_at=next_at))


def trigger(ledger: Ledger, schedule_id: str, actor: str) -> Started:
    """Start its workflow now, besides its ticks. Raises NotFound."""
    with ledger.database.transaction() as connection:
        row = _locked(connection, schedule_id)
        definition = ledger.definitions.get(connection, row.version)
        wanted = Start(row.context, row.sealed, actor=f"{actor}, by schedule {schedule_id}")
        started = start_in(ledger, connection, definition, wanted)
        last = {"last_at": ledger.database.now(connection), "last_workflow_id": started.workflow_id}
        connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(last))
    log_started(started, definition, wanted)
    return started


def due_schedules(ledger: Ledger) -> tuple[list[str], float | None]:
    """Those whose tick has come, oldest first, and the seconds until the next one's (None where there is none)."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        rows = connection.execute(_NEXT).all()
    due = [row.id for row in rows if row.next_at <= now]
    return due, min((row.next_at - now for row in rows if row.next_at > now), default=None)


def tick(ledger: Ledger, schedule_id: str) -> list[Started]:
    """Start what is due for it; nothing where another worker is just doing so, or has.

    What it gives back is to be published.
    """
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        mine = select(schedules).where(schedules.c.id == schedule_id, schedules.c.next_at <= now)
        row = connection.execute(mine.with_for_update(skip_locked=True)).one_or_none()
        if row is None:
            return []
        definition = ledger.definitions.get(connection, row.version)
        rhythm = rhythm_of(row)
        ticks = caught_up(row.catch_up, rhythm.until(row.next_at, now, row.anchor), now)
        made = [(at, start) for at in ticks if not _has_been(connection, (start := _start_at(row, at)), definition)]
        started = [(start_in(ledger, connection, definition, start), start, at) for at, start in made]
        values: dict[str, Json] = {"next_at": rhythm.after(now, row.anchor)}
        if started:
            values |= {"last_at": started[-1][2], "last_workflow_id": started[-1][0].workflow_id}
        connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(values))
    for one, start, _ in started:
        log_started(one, definition, start)
    return [one for one, _, _ in started]


def keep_definitions_schedules(
    ledger: Ledger, planned: Mapping[str, Planned], faults: Mapping[str, str], current: Sequence[Planned]
) -> None:
    """Make the definitions' own schedules those that are `planned`, by id, and let the others use newest versions.

    `current` are schedules of the API as the newest versions of their definitions take them; `faults` says by id why
    such a version cannot be used. A schedule that is as it was keeps its next tick and its pause.
    """
    with ledger.database.transaction() as connection:
        rows = {row.id: row for row in connection.execute(select(schedules).with_for_update())}
        old = [row.id for row in rows.values() if row.by_definition and row.id not in planned]
        connection.execute(delete(schedules).where(schedules.c.id.in_(old)))
        for one in planned.values():
            if one.id in rows:
                _renew(ledger, connection, one, rows[one.id])
            else:
                _insert(ledger, connection, one)
        for one in current:
            if one.id in rows:
                _renew(ledger, connection, one, rows[one.id])
        for schedule_id, fault in faults.items():
            connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(fault=fault))
    for one in (*planned.values(), *current):
        ledger.definitions.remember(one.definition)


def by_api(ledger: Ledger) -> list[Row[Any]]:
    """The rows of the schedules that were made by the API."""
    with ledger.database.reading() as connection:
        return list(connection.execute(select(schedules).where(schedules.c.by_definition.is_(False))))


def _insert(ledger: Ledger, connection: Connection, planned: Planned) -> None:
    now = ledger.database.now(connection)
    ledger.definitions.keep(connection, planned.definition, now)
    connection.execute(
        insert(schedules),
        {
            "id": planned.id,
            "by_definition": planned.by_definition,
            "created_at": now,
            "anchor": now,
            "next_at": planned.schedule.rhythm.after(now, now),
            **_said(planned),
        },
    )


def _said(planned: Planned) -> dict[str, Json]:
    rhythm = planned.schedule.rhythm
    return {
        "type": planned.definition.type,
        "version": planned.definition.version,
        "cron": rhythm.cron,
        "every": rhythm.every,
        "timezone": rhythm.timezone,
        "catch_up": planned.schedule.catch_up,
        "context": planned.start.context,
        "sealed": planned.start.sealed,
        "fault": None,
    }


def _renew(ledger: Ledger, connection: Connection, planned: Planned, row: Row[Any]) -> None:
    now = ledger.database.now(connection)
    ledger.definitions.keep(connection, planned.definition, now)
    values = _said(planned)
    if planned.schedule.rhythm != rhythm_of(row):
        values["anchor"] = now
        values["next_at"] = None if row.next_at is None else planned.schedule.rhythm.after(now, now)
    connection.execute(update(schedules).where(schedules.c.id == planned.id).values(values))


def _start_at(row: Row[Any], at: float) -> Start:
    return Start(
        row.context,
        row.sealed,
        key=f"schedule:{row.id}:{iso(at)}",
        body_hashes=("a tick",),
        actor=f"schedule {row.id}",
    )


def _has_been(connection: Connection, wanted: Start, definition: Definition) -> bool:
    return connection.execute(_STARTED, {"type": definition.type, "key": wanted.key}).first() is not None


def _locked(connection: Connection, schedule_id: str) -> Row[Any]:
    row = connection.execute(select(schedules).where(schedules.c.id == schedule_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"there is no schedule {schedule_id}")
    return row


_NEXT = (
    select(schedules.c.id, schedules.c.next_at)
    .where(schedules.c.next_at.is_not(None))
    .order_by(schedules.c.next_at)
    .limit(BATCH)
)
_STARTED = select(workflows.c.id).where(
    workflows.c.type == bindparam("type"), workflows.c.start_key == bindparam("key")
)
