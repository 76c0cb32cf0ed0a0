"""Workflows with a value in a field of their context: looked for among the newest ones, a bounded number at a time."""

import re
import uuid
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Subquery, Text, and_, cast, func, select

from orchestrator.errors import Fault, FaultyInput
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import workflows
from orchestrator.ledger.views.listing import COLUMNS, Filters, closed, conditions, line, opened
from orchestrator.moments import iso

_NAME = re.compile(r'[^"\\\x00-\x1f]{1,200}')

SEARCHED = 5_000
"""Contexts that one call reads: no index knows what clients put there, so the newest are looked at first."""


def found_page(
    ledger: Ledger,
    filters: Filters,
    path: Sequence[str],
    value: str,
    cursor: str | None = None,
    limit: int = 50,
    searched: int = SEARCHED,
) -> Json:
    """Up to `limit` workflows whose context has the text, number or truth `value` at `path`, newest first.

    `nextCursor` is None where nothing is left to look at; `searchedTo` is the creation time of the oldest workflow that
    was looked at where older ones are left. Sensitive fields are stored masked and are not found. Raises FaultyInput
    for a cursor that no page gave out, and for names that cannot be looked for.
    """
    if not all(_NAME.fullmatch(name) for name in path):
        fault = "is no field; write its name, or with dots the way to it, such as address.street"
        raise FaultyInput([Fault("field", fault)])
    window = select(*COLUMNS, workflows.c.context).where(*conditions(filters))
    if cursor is not None:
        window = window.where(workflows.c.id < opened(cursor))
    newest = window.order_by(workflows.c.id.desc()).limit(searched).subquery()
    with ledger.database.reading() as connection:
        holds = _holds(newest, path, value, postgresql=ledger.database.postgresql)
        query = select(newest).where(holds).order_by(newest.c.id.desc()).limit(limit + 1)
        rows = list(connection.execute(query))
        oldest, looked_at = connection.execute(select(func.min(newest.c.id), func.count()).select_from(newest)).one()
    shown = rows[:limit]
    if len(rows) > limit:
        return _page([line(row) for row in shown], shown[-1].id)
    return _page([line(row) for row in shown], oldest if looked_at == searched else None, searched_all=True)


def _page(lines: list[Json], last: str | None, *, searched_all: bool = False) -> Json:
    searched_to = iso((uuid.UUID(last).int >> 80) / 1000) if last is not None and searched_all else None
    return {"workflows": lines, "nextCursor": None if last is None else closed(last), "searchedTo": searched_to}


def _holds(newest: Subquery, path: Sequence[str], value: str, *, postgresql: bool) -> ColumnElement[bool]:
    if postgresql:
        return func.json_extract_path_text(newest.c.context, *path, type_=Text) == value
    way = "$" + "".join(f'."{name}"' for name in path)
    kind = func.json_type(newest.c.context, way)
    # SQLite reads JSON's truth as 1 and 0, which only its type tells from numbers.
    truth = ("true", "false")
    if value in truth:
        return kind == value
    return and_(cast(func.json_extract(newest.c.context, way), Text) == value, kind.not_in(truth))
