"""The slots of one limit: who has one, who waits for one, and whose turn it is, under the lock of the limit's row.

A slot is a row in `slots`. Without `begins_at` it is a ticket: its step is parked, and its turn comes in the order of
`priority`, then `asked_at`. With it, it is kept for the step that was woken; with an `attempt`, it is held. Held means:
as long as the step runs that very attempt. So a slot ends with the attempt's lease and cannot leak: whoever takes a
lost step over, ends its slot with the same write, and `Gate.tidy` deletes the row.

Why SQL and not Redis: what the ledger decides, a FLUSHALL cannot lose, and a slot that is held is a fact about a row of
the ledger. The lock is taken after that of the workflow, never before, and no other key's while it is held.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.jsontype import Json
from orchestrator.ledger.tables import limits, slots, steps
from orchestrator.limits import Allowance, Circuit, Gauge, free_at, learn, let_in
from orchestrator.priority import Priority
from orchestrator.states import StepStatus

AHEAD = 1.5
"""Seconds for which turns are given ahead where a rate spaces them: longer than the reconciler's pause between two
rounds, short enough that a change of the rate is felt at once."""

KEPT = 15.0
"""Seconds that a slot is kept for a step that was woken: its message may be lost, and is sent again after 5."""

MOST = 500
"""Turns that are given in one transaction."""

MOMENT = 0.01
"""Seconds that a call may be early, in place of being parked for so short a time."""


class Gate:
    """One limit's row, locked, with its slots. `close` writes what became of its gauge."""

    def __init__(self, connection: Connection, key: str, now: float) -> None:
        self.key = key
        self._connection = connection
        self._now = now
        row = self._lock()
        self.set_by: str | None = row.set_by
        self.allowance = allowance_of(row)
        self.gauge = gauge_of(row)
        self._was = self.gauge

    def _lock(self) -> Row[Any]:
        locked = select(limits).where(limits.c.key == self.key).with_for_update()
        if (row := self._connection.execute(locked).one_or_none()) is not None:
            return row
        fresh = {"key": self.key, "next_at": 0.0, "recent": "", "openings": 0, "used_at": self._now}
        self._connection.execute(_NEW[self._connection.dialect.name], fresh)
        return self._connection.execute(locked).one()

    def allow(self, allowance: Allowance, set_by: str | None = None) -> None:
        """What may pass from now on. What a definition says does not change what was set by a person."""
        if set_by is None and (self.set_by is not None or allowance == self.allowance):
            return
        circuit: Json = None if allowance.circuit is None else allowance.circuit.as_json()
        values = {"concurrency": allowance.concurrency, "rate": allowance.rate, "circuit": circuit, "set_by": set_by}
        self._connection.execute(update(limits).where(limits.c.key == self.key).values(values))
        self.allowance, self.set_by = allowance, set_by

    def ask(self, workflow_id: str, step: str, priority: Priority = Priority.NORMAL) -> float | None:
        """From when on the step may be called; None: its turn has not come, and it has a ticket.

        Where that is now, the caller has to say `hold`, or let it go.
        """
        mine = self._connection.execute(_MINE, {"id": workflow_id, "step": step}).one_or_none()
        if mine is not None and (mine.key != self.key or mine.attempt is not None):
            # Under another key, or that of an attempt which was lost: who asks under the workflow's lock runs none.
            self._connection.execute(_LEAVE, {"id": workflow_id, "step": step})
            mine = None
        if mine is not None and mine.begins_at is not None and mine.attempt is None:
            return float(mine.begins_at)
        at = self._free_at()
        if at is not None and self._is_next(workflow_id, step, priority) and at <= self._now + AHEAD:
            self._keep(workflow_id, step, at, known=mine is not None, priority=priority)
            return at
        if mine is None:
            self._connection.execute(insert(slots).values(self._row(workflow_id, step, priority)))
        return None

    def hold(self, workflow_id: str, step: str, attempt: int) -> None:
        """The attempt has the slot."""
        self._connection.execute(
            update(slots)
            .where(slots.c.workflow_id == workflow_id, slots.c.step == step)
            .values(attempt=attempt, kept_until=None)
        )

    def leave(self, workflow_id: str, step: str, attempt: int | None = None) -> None:
        """The step's slot is free: that of this attempt, or with None the ticket or the slot that is kept."""
        which = slots.c.attempt.is_(None) if attempt is None else slots.c.attempt == attempt
        self._connection.execute(delete(slots).where(slots.c.workflow_id == workflow_id, slots.c.step == step, which))

    def learn(self, good: bool | None) -> None:
        """A call has ended so; None: that says nothing about the service."""
        self.gauge = learn(self.allowance, self.gauge, good, self._now)

    def next_turns(self) -> bool:
        """Wake those whose turn it is, who waited longest first; whether there were any."""
        at, woken = self._free_at(), False
        tickets = self._next_tickets(MOST) if at is not None and at <= self._now + AHEAD else ()
        for ticket in tickets:
            at = self._free_at()
            if at is None or at > self._now + AHEAD:
                break
            if self._wake(ticket, at):
                self._keep(ticket.workflow_id, ticket.step, at, known=True)
                woken = True
        return woken

    def tidy(self) -> None:
        """Free the slots whose attempt is over or lost, and those that nobody came for."""
        self._connection.execute(_STALE, {"key": self.key, "now": self._now})

    def has_slots(self) -> bool:
        """Whether anybody holds one or waits for one."""
        return (
            self._connection.execute(select(slots.c.step).where(slots.c.key == self.key).limit(1)).first() is not None
        )

    def close(self) -> None:
        """Write the gauge."""
        if self.gauge != self._was:
            values = {name: getattr(self.gauge, name) for name in ("next_at", "recent", "open_until", "openings")}
            self._connection.execute(update(limits).where(limits.c.key == self.key).values(**values, used_at=self._now))

    def _free_at(self) -> float | None:
        held = self._connection.execute(_TAKEN, {"key": self.key}).scalar_one()
        return free_at(self.allowance, self.gauge, held, self._now)

    def _is_next(self, workflow_id: str, step: str, priority: Priority) -> bool:
        """Whether nobody waits who would be let in before it: only who is more urgent passes who waits."""
        waiting = self._next_tickets(1)
        if not waiting or (waiting[0].workflow_id, waiting[0].step) == (workflow_id, step):
            return True
        return bool(priority < waiting[0].priority)

    def _next_tickets(self, most: int) -> Sequence[Row[*tuple[Any, ...]]]:
        return self._connection.execute(_TICKETS, {"key": self.key, "most": most}).all()

    def _keep(
        self, workflow_id: str, step: str, at: float, *, known: bool, priority: Priority = Priority.NORMAL
    ) -> None:
        values = {"begins_at": at, "kept_until": max(at, self._now) + KEPT, "attempt": None}
        if known:
            here = (slots.c.workflow_id == workflow_id, slots.c.step == step)
            self._connection.execute(update(slots).where(*here).values(values))
        else:
            self._connection.execute(insert(slots).values(self._row(workflow_id, step, priority) | values))
        self.gauge = let_in(self.allowance, self.gauge, at)

    def _row(self, workflow_id: str, step: str, priority: Priority) -> dict[str, Json]:
        place = {"workflow_id": workflow_id, "step": step, "key": self.key}
        return {**place, "priority": priority, "asked_at": self._now}

    def _wake(self, ticket: Row[Any, Any], at: float) -> bool:
        """Have the reconciler look at the step then. Under no lock of its workflow: that look finds what is true."""
        woken = self._connection.execute(_WAKE, {"b_id": ticket.workflow_id, "b_name": ticket.step, "b_at": at})
        return bool(woken.rowcount)


def allowance_of(row: Row[Any]) -> Allowance:
    """What a limit's row allows."""
    return Allowance(row.concurrency, row.rate, None if row.circuit is None else Circuit(**row.circuit))


def gauge_of(row: Row[Any]) -> Gauge:
    """How a limit's row stands."""
    return Gauge(row.next_at, row.recent, row.open_until, row.openings)


_NEW = {
    "postgresql": postgresql.insert(limits).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(limits).on_conflict_do_nothing(),
}
_HERE = (slots.c.workflow_id == bindparam("id"), slots.c.step == bindparam("step"))
_MINE = select(slots).where(*_HERE)
_LEAVE = delete(slots).where(*_HERE)
_TAKEN = select(func.count()).where(slots.c.key == bindparam("key"), slots.c.begins_at.is_not(None))
# A step whose workflow was cancelled or paused meanwhile does not wait any more: its ticket is passed over.
_TICKETS = (
    select(slots.c.workflow_id, slots.c.step, slots.c.priority)
    .join(steps, (steps.c.workflow_id == slots.c.workflow_id) & (steps.c.name == slots.c.step))
    .where(slots.c.key == bindparam("key"), slots.c.begins_at.is_(None), steps.c.status == StepStatus.WAITING.value)
    .order_by(slots.c.priority, slots.c.asked_at, slots.c.workflow_id, slots.c.step)
    .limit(bindparam("most"))
)
_WAKE = (
    update(steps)
    .where(
        steps.c.workflow_id == bindparam("b_id"),
        steps.c.name == bindparam("b_name"),
        steps.c.status == StepStatus.WAITING.value,
    )
    .values(wake_at=bindparam("b_at"))
)
_RUNS_IT = (
    select(steps.c.name)
    .where(
        steps.c.workflow_id == slots.c.workflow_id,
        steps.c.name == slots.c.step,
        steps.c.status == StepStatus.RUNNING.value,
        steps.c.attempts == slots.c.attempt,
    )
    .correlate(slots)
    .exists()
)
_MAY_COME = (
    select(steps.c.name)
    .where(
        steps.c.workflow_id == slots.c.workflow_id,
        steps.c.name == slots.c.step,
        steps.c.status.in_([StepStatus.WAITING.value, StepStatus.PENDING.value]),
    )
    .correlate(slots)
    .exists()
)
STALE = or_(
    slots.c.attempt.is_not(None) & ~_RUNS_IT,
    slots.c.attempt.is_(None) & (slots.c.kept_until < bindparam("now")),
    slots.c.attempt.is_(None) & ~_MAY_COME,
)
"""A slot that nobody has or will come for."""
_STALE = delete(slots).where(slots.c.key == bindparam("key"), STALE)
