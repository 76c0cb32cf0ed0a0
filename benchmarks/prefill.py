"""A ledger with many finished workflows: copies of one that really ran, made inside PostgreSQL."""

import time

from sqlalchemy import Table, TextClause, text

from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import events, steps, workflows

AT_A_TIME = 20_000


def copy_id(number: int) -> str:
    """The id of the n-th copy: a UUID like all others, older than all."""
    return f"00000000-0000-7000-8000-{number:012x}"


def prefill(database_url: str, original: str, count: int) -> float:
    """Make so many copies of a finished workflow, with its steps and events; returns the seconds that it took."""
    began = time.monotonic()
    database = Database(database_url)
    try:
        for first in range(0, count, AT_A_TIME):
            between = {"original": original, "first": first, "last": min(first + AT_A_TIME, count) - 1}
            with database.transaction() as connection:
                for table, key in ((workflows, "id"), (steps, "workflow_id"), (events, "workflow_id")):
                    connection.execute(_copies(table, key), between)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    finally:
        database.close()
    return time.monotonic() - began


def _copies(table: Table, key: str) -> TextClause:
    """Each copy's rows together, as they would have been written; `copy_id` in SQL."""
    names = [column.name for column in table.columns if not (table is events and column.name == "id")]
    fresh = "'00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0')"
    # A copy has no start key: the original's would be taken.
    chosen = [{key: fresh, "start_key": "NULL"}.get(name, name) for name in names]
    return text(
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(chosen)} "
        f"FROM {table.name} CROSS JOIN generate_series(CAST(:first AS int), CAST(:last AS int)) AS copy (number) "
        f"WHERE {key} = :original ORDER BY number"
    )
