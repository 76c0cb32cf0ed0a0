"""The workers that have signed on, what each has in hand, and what waits for them in the ledger."""

from sqlalchemy import case, func, select

from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import steps, workers
from orchestrator.ledger.views.snapshot import snapshot
from orchestrator.moments import iso
from orchestrator.states import StepStatus

MOST = 10_000
"""Open steps that are looked at, the soonest due first."""

_WORKERS = select(workers).order_by(workers.c.name)
_OPEN = (
    select(
        *(steps.c[name] for name in "status worker wake_at sent_at".split()),
        case((steps.c.status == StepStatus.WAITING.value, steps.c.waiting_for)).label("waiting_for"),
    )
    .where(steps.c.wake_at.is_not(None))
    .order_by(steps.c.wake_at)
    .limit(MOST + 1)
    .subquery()
)
_STANDING = select(
    _OPEN.c.status,
    _OPEN.c.waiting_for,
    func.count().label("number"),
    func.min(_OPEN.c.wake_at).label("next_at"),
    func.min(_OPEN.c.sent_at).label("oldest"),
).group_by(_OPEN.c.status, _OPEN.c.waiting_for)
_HELD = (
    select(_OPEN.c.worker, func.count(case((_OPEN.c.status == StepStatus.RUNNING.value, 1))).label("number"))
    .where(_OPEN.c.worker.is_not(None))
    .group_by(_OPEN.c.worker)
)


def attendance(ledger: Ledger) -> Json:
    """Workers with the steps that each runs, and how many steps are open, by status and by what they wait for.

    `nextAt` is when the soonest is due, `oldestSentAt` when the message of the oldest that still waits to be taken was
    sent. Where more than MOST steps are open the soonest due are counted and `more` is true.
    """
    with snapshot(ledger) as connection:
        now = ledger.database.now(connection)
        signed_on = list(connection.execute(_WORKERS))
        held = {row.worker: row.number for row in connection.execute(_HELD)}
        standing = list(connection.execute(_STANDING))
    return {
        "at": iso(now),
        "workers": [
            {
                "name": row.name,
                "host": row.host,
                "pid": row.pid,
                "startedAt": iso(row.started_at),
                "alive": row.seen_until >= now,
                "silentMs": max(0, round((now - row.seen_until) * 1000)),
                "running": held.get(row.name, 0),
            }
            for row in signed_on
        ],
        "open": [
            {
                "status": row.status,
                "waitingFor": row.waiting_for,
                "count": row.number,
                "nextAt": iso(row.next_at),
                "oldestSentAt": iso(row.oldest) if row.status == StepStatus.PENDING.value else None,
            }
            for row in standing
        ],
        "more": sum(row.number for row in standing) > MOST,
    }
