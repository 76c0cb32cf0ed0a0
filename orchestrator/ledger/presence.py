"""Which workers are alive: each says so every few seconds; the steps of one that no longer does are due at once."""

from sqlalchemy import Connection, and_, delete, insert, or_, select, tuple_, update

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import steps, workers
from orchestrator.states import StepStatus, Waiting

BEAT = 3.0
"""Seconds between two signs of life."""

SILENCE = 10.0
"""Seconds without a sign of life after which a worker counts as lost, and its steps are taken over."""

STEADY = 2 * BEAT
"""Seconds for which a worker must have shown signs of life regularly before it says of others that they are lost. After
an outage of the database all are silent: the first to come back must not bury the rest."""


def beat(ledger: Ledger, name: str, host: str, pid: int) -> bool:
    """Say that this worker lives. False where nobody knew it: it is new, or was taken for dead meanwhile."""
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        seen = connection.execute(update(workers).where(workers.c.name == name).values(seen_until=now + SILENCE))
        if seen.rowcount == 0:
            connection.execute(
                insert(workers).values(name=name, host=host, pid=pid, started_at=now, seen_until=now + SILENCE)
            )
        return bool(seen.rowcount)


def leave(ledger: Ledger, name: str) -> None:
    """The worker has ended in good order; what it still held (nothing, as a rule) is due at once."""
    with ledger.database.transaction() as connection:
        _release(connection, [name], ledger.database.now(connection))


def bury(ledger: Ledger) -> list[str]:
    """Make the steps of silent workers due now. Gives back the workers' names."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        if not connection.execute(select(workers.c.name).where(workers.c.seen_until < now).limit(1)).first():
            return []
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        silent = list(connection.execute(select(workers.c.name).where(workers.c.seen_until < now)).scalars())
        return _release(connection, silent, now)


def _release(connection: Connection, names: list[str], now: float) -> list[str]:
    """Make what they hold due, and forget those of them that hold nothing else. Gives back whom that were.

    Settles of a worker that was only slow meet this update on the step's row; either order is right, because the look
    that follows is made under the workflow's lock and finds what the settle left. Rows that somebody writes just now
    are passed over, as he may wait for one that was changed here: they are due in the next round.
    """
    held = and_(steps.c.wake_at > now, steps.c.worker.in_(names), _HELD)
    free = select(steps.c.workflow_id, steps.c.name).where(held).with_for_update(skip_locked=True)
    connection.execute(update(steps).where(tuple_(steps.c.workflow_id, steps.c.name).in_(free)).values(wake_at=now))
    busy = set(connection.execute(select(steps.c.worker).where(held).distinct()).scalars())
    gone = [name for name in names if name not in busy]
    connection.execute(delete(workers).where(workers.c.name.in_(gone)))
    return gone


_HELD = or_(
    steps.c.status == StepStatus.RUNNING.value,
    # Sent aside: nobody else would call it back.
    (steps.c.status == StepStatus.WAITING.value) & (steps.c.waiting_for == Waiting.SHARE.value),
)
