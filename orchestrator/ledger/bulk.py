"""Many rows with one statement: on PostgreSQL they travel as one JSON text, which it takes apart into a record set.

A statement a row costs more than what it does. With few rows it is still the shorter way, and with SQLite, which is a
library, always.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import JSON, Connection, Executable, Table
from sqlalchemy.dialects import postgresql

from orchestrator.jsontype import Json
from orchestrator.ledger.engine import BY_INDEX, compact

FEW = 3
"""Rows up to which a statement each is cheaper."""

KEY, VALUE = "b_", "v_"
"""What the names of parameters begin with: those of an update's key, those of what it writes."""

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no type for it


def write(connection: Connection, table: Table, statement: Executable, rows: Sequence[Mapping[str, Json]]) -> None:
    """Execute the insert or update of a row for each of `rows`, which all have the same keys.

    The keys are columns of the table, or for an update columns behind `KEY` or `VALUE`.
    """
    if len(rows) > FEW and connection.dialect.name == "postgresql":
        plain = [row for row in rows if not any(value is JSON.NULL for value in row.values())]
        if plain:
            _at_once(connection, table, plain)
        rows = [row for row in rows if any(value is JSON.NULL for value in row.values())]
    if rows:
        connection.execute(statement, rows if len(rows) > 1 else rows[0])


def _at_once(connection: Connection, table: Table, rows: Sequence[Mapping[str, Json]]) -> None:
    statement, values = _statement(table, tuple(rows[0])), (compact(list(rows)),)
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection in use has a driver's connection"
    if BY_INDEX in connection.get_execution_options():
        connection.exec_driver_sql(statement, values)
        return
    # Planned anew each time, for the tables as they are: the plan for tables that were nearly empty reads all of them.
    prepares, driver.prepare_threshold = driver.prepare_threshold, None
    try:
        connection.exec_driver_sql(statement, values)
    finally:
        driver.prepare_threshold = prepares


@cache
def _statement(table: Table, names: tuple[str, ...]) -> str:
    columns = {name: table.c[name.removeprefix(KEY).removeprefix(VALUE)] for name in names}
    types = ", ".join(f'"{name}" {column.type.compile(_DIALECT)}' for name, column in columns.items())
    source = f"json_to_recordset(%s::json) AS r({types})"
    keys = [name for name in names if name.startswith(KEY)]
    if not keys:
        listed = ", ".join(f'"{name}"' for name in names)
        return f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM {source}"  # noqa: S608 - names of our own
    sets = ", ".join(f'"{columns[name].name}" = r."{name}"' for name in names if name not in keys)
    found = " AND ".join(f't."{columns[name].name}" = r."{name}"' for name in keys)
    return f"UPDATE {table.name} AS t SET {sets} FROM {source} WHERE {found}"  # noqa: S608 - names of our own
