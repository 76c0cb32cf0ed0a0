"""Queries whose text is made once, for what programs ask all the time. PostgreSQL only.

SQLAlchemy finds a query's text again by looking at all of it, and that takes longer than asking the database.
"""

from typing import Any

from sqlalchemy import Connection, CursorResult, Select
from sqlalchemy.dialects.postgresql import psycopg

from orchestrator.jsontype import Json

_DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no type for it


class Fixed:
    """A query with parameters that are given by name; its rows have what psycopg makes of the columns."""

    def __init__(self, query: Select[*tuple[Any, ...]]) -> None:
        compiled = query.compile(dialect=_DIALECT)
        self._text = str(compiled)
        self._constants = dict(compiled.params)

    def execute(self, connection: Connection, **values: Json) -> CursorResult[Any]:
        """What it finds."""
        return connection.exec_driver_sql(self._text, self._constants | values)
