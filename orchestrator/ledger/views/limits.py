"""The limits, what was set for each, and how it stands: calls under way, steps that wait, the circuit."""

from typing import Any

from sqlalchemy import Row, bindparam, func, select

from orchestrator.durations import rate_text
from orchestrator.errors import NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.engine import CLOCKS
from orchestrator.ledger.slots import allowance_of, gauge_of
from orchestrator.ledger.tables import limits, slots
from orchestrator.ledger.views.snapshot import snapshot
from orchestrator.moments import iso

MOST = 500
"""Limits that are shown at once: first what a person set, then what was used last."""


def limits_view(ledger: Ledger) -> list[Json]:
    """Every limit, as far as there are not more than `MOST`."""
    with snapshot(ledger) as connection:
        rows = connection.execute(_LIMITS[connection.dialect.name], {"most": MOST}).all()
        used = {row.key: row for row in connection.execute(_USED)}
    return [_shown(row, used.get(row.key)) for row in rows]


def limit_view(ledger: Ledger, key: str) -> Json:
    """One of them. Raises NotFound."""
    with snapshot(ledger) as connection:
        row = connection.execute(_LIMITS[connection.dialect.name].where(limits.c.key == key), {"most": 1}).one_or_none()
        used = connection.execute(_USED.where(slots.c.key == key)).one_or_none()
    if row is None:
        raise NotFound(f"there is no limit {key!r}")
    return _shown(row, used)


def _shown(row: Row[Any], used: Row[Any] | None) -> Json:
    allowance, gauge = allowance_of(row), gauge_of(row)
    waiting = 0 if used is None else used.asked - used.turned
    return {
        "key": row.key,
        "setBy": row.set_by,
        "concurrency": allowance.concurrency,
        "rate": None if allowance.rate is None else rate_text(allowance.rate),
        "circuit": None if allowance.circuit is None else allowance.circuit.as_json(),
        "inUse": 0 if used is None else used.turned,
        "waiting": waiting,
        "waitingSince": iso(used.since) if used is not None and waiting else None,
        "state": gauge.state(row.now),
        "openUntil": iso(gauge.open_until),
        "recent": gauge.recent,
        "usedAt": iso(row.used_at),
    }


_LIMITS = {
    dialect: select(limits, clock.label("now"))
    .order_by(limits.c.set_by.is_(None), limits.c.open_until.is_(None), limits.c.used_at.desc())
    .limit(bindparam("most"))
    for dialect, clock in CLOCKS.items()
}
_USED = select(
    slots.c.key,
    func.count().label("asked"),
    func.count(slots.c.begins_at).label("turned"),
    func.min(slots.c.asked_at).filter(slots.c.begins_at.is_(None)).label("since"),
).group_by(slots.c.key)
