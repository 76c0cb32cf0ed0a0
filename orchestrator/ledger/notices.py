"""What ops are to be told: written with the event it tells of, taken by one worker at a time, told at least once.

A row is one notice for one destination, the place of its URL in `ORCHESTRATOR_NOTIFY` counted from 0: no URL, and so no
token, is in the database, and a URL that is mended gets what could not be sent to the wrong one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, update

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.leasing import leased
from orchestrator.ledger.tables import notices
from orchestrator.notice import Matter, Notice

LEASE = 120.0
"""Seconds that a worker has for sending what it took; then another one takes it: rather told twice than never."""

BATCH = 200
"""Notices that are taken at once; they become one message where they are many: one that every service still takes."""

GIVE_UP_AFTER = 7 * 86_400.0
"""Seconds after which a notice that nobody would take is kept as it is, with its last error."""

_FIRST_DELAY, _FACTOR, _LONGEST_DELAY = 10.0, 3.0, 3_600.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A notice in a worker's hands; `attempts` counts this one."""

    id: int
    notice: Notice
    attempts: int
    created_at: float


def delay_after(attempts: int) -> float:
    """Seconds until the next try, after so many: from seconds to an hour."""
    return min(_LONGEST_DELAY, _FIRST_DELAY * _FACTOR ** min(attempts - 1, 30))


def take(ledger: Ledger, destination: int, *, lease: float = LEASE, limit: int = BATCH) -> list[Taken]:
    """Notices for the destination that are due, oldest first; nobody else gets them until the lease is over."""
    found = leased(ledger, notices, lease, limit, notices.c.destination == destination)
    return [
        Taken(
            id=row.id,
            notice=Notice(row.workflow_id, Matter(row.kind), row.details),
            attempts=row.attempts + 1,
            created_at=row.created_at,
        )
        for row in found
    ]


def told(ledger: Ledger, taken: Iterable[Taken]) -> None:
    """They were sent."""
    with ledger.database.transaction() as connection:
        sent = update(notices).where(notices.c.id.in_([each.id for each in taken]))
        connection.execute(sent.values(told_at=ledger.database.now(connection), due_at=None, error=None))


def not_told(ledger: Ledger, taken: Sequence[Taken], error: str) -> int:
    """They could not be sent: each is tried again later, less and less often. Returns how many were given up."""
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        given_up = [each for each in taken if now - each.created_at > GIVE_UP_AFTER]
        rows = [
            {"b_id": each.id, "due_at": None if each in given_up else now + delay_after(each.attempts)}
            for each in taken
        ]
        connection.execute(_NOT_TOLD, [{**row, "error": error} for row in rows])
        return len(given_up)


# A worker that took longer than its lease does not call back what another one has told meanwhile.
_NOT_TOLD = (
    update(notices)
    .where(notices.c.id == bindparam("b_id"), notices.c.told_at.is_(None))
    .values(due_at=bindparam("due_at"), error=bindparam("error"))
)
