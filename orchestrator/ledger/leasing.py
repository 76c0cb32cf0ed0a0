"""Rows that are to be sent somewhere: one worker at a time takes those that are due, for as long as its lease."""

from typing import Any

from sqlalchemy import ColumnElement, Row, Table, select, update

from orchestrator.ledger.book import Ledger


def leased(ledger: Ledger, table: Table, lease: float, limit: int, *which: ColumnElement[bool]) -> list[Row[Any]]:
    """The first of these rows whose `due_at` has come, oldest first; nobody else gets them for `lease` seconds.

    Their `attempts` are those before this one, which is counted.
    """
    if not _any_due(ledger, table, *which):
        return []
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        due = select(table).where(*which, table.c.due_at <= now).order_by(table.c.due_at).limit(limit)
        found = list(connection.execute(due.with_for_update(skip_locked=True)))
        if found:
            taken = update(table).where(table.c.id.in_([row.id for row in found]))
            connection.execute(taken.values(due_at=now + lease, attempts=table.c.attempts + 1))
    return found


def _any_due(ledger: Ledger, table: Table, *which: ColumnElement[bool]) -> bool:
    """Asked without a transaction: most of the time there is nothing, and SQLite has one writer."""
    with ledger.database.reading() as connection:
        first = select(table.c.id).where(*which, table.c.due_at <= ledger.database.now(connection)).limit(1)
        return connection.execute(first).first() is not None
