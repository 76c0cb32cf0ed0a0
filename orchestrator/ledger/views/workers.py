"""Which worker processes are alive, by the signs of life they leave."""

from sqlalchemy import select

from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import workers
from orchestrator.moments import iso


def workers_alive(ledger: Ledger) -> list[Json]:
    """Each living worker process with its host, process id and the time it began, oldest first."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        rows = connection.execute(
            select(workers).where(workers.c.seen_until >= now).order_by(workers.c.started_at, workers.c.name)
        )
        return [{"name": row.name, "host": row.host, "pid": row.pid, "startedAt": iso(row.started_at)} for row in rows]
