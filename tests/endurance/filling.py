"""A ledger with tens of thousands of workflows: copies of one that really ran, made inside the database."""

from sqlalchemy import Table, TextClause, text

from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import events, steps, workflows

AT_A_TIME = 20_000


def fill(database: Database, original: str, count: int, family: int) -> None:
    """Make so many copies of a workflow, with its steps and events. Each original needs a `family` of its own."""
    for first in range(0, count, AT_A_TIME):
        between = {"original": original, "first": first, "last": min(first + AT_A_TIME, count) - 1}
        with database.transaction() as connection:
            for table, key in ((workflows, "id"), (steps, "workflow_id"), (events, "workflow_id")):
                connection.execute(_copies(table, key, family, postgresql=database.postgresql), between)


def analyze(database: Database) -> None:
    """Let the planner know what is there, as autovacuum would after a while."""
    statement = "VACUUM ANALYZE" if database.postgresql else "ANALYZE"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


def prefix(family: int) -> str:
    """What the ids of a family's copies begin with."""
    return f"00000000-0000-7000-8{family:03x}-"


def _copies(table: Table, key: str, family: int, *, postgresql: bool) -> TextClause:
    names = [column.name for column in table.columns if not (table is events and column.name == "id")]
    number = "lpad(to_hex(number), 12, '0')" if postgresql else "printf('%012x', number)"
    # A copy has no start key: the original's would be taken.
    chosen = [{key: f"'{prefix(family)}' || {number}", "start_key": "NULL"}.get(name, name) for name in names]
    return text(
        f"INSERT INTO {table.name} ({', '.join(names)}) WITH RECURSIVE copy (number) AS "
        "(SELECT CAST(:first AS integer) UNION ALL SELECT number + 1 FROM copy WHERE number < :last) "
        f"SELECT {', '.join(chosen)} FROM {table.name}, copy WHERE {key} = :original"
    )
