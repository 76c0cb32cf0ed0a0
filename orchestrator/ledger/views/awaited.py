"""What is known of the others that a step waits for: the workflow it started, the calls that share its limit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from orchestrator.definition import Definition
from orchestrator.ledger.children import children_of
from orchestrator.ledger.slots import allowance_of, gauge_of
from orchestrator.ledger.tables import limits, slots
from orchestrator.moments import iso
from orchestrator.states import StepStatus, Waiting

MOST_TOLD = 10
"""Steps for which others are looked at: the reasons of hundreds are alike."""

Why = Callable[[str], str]
"""The id of a workflow → why it is not moving, in a sentence."""


def awaited(
    connection: Connection, workflow_id: str, definition: Definition, rows: Sequence[Row[Any]], why: Why
) -> dict[str, str]:
    """Of the steps among these that wait for a child, a limit or a circuit: what holds it up, by the step's name."""
    waiting = [row for row in rows if row.status == StepStatus.WAITING]
    parents = {row.name: row for row in waiting if row.waiting_for == Waiting.CHILD}
    limited = [row.name for row in waiting if row.waiting_for in (Waiting.LIMIT, Waiting.CIRCUIT)][:MOST_TOLD]
    return {
        **_children(connection, workflow_id, definition, parents, why),
        **_limits(connection, workflow_id, limited),
    }


def _children(
    connection: Connection, workflow_id: str, definition: Definition, rows: Mapping[str, Row[Any]], why: Why
) -> dict[str, str]:
    if not rows:
        return {}
    rounds = {name: row.key_round for name, row in rows.items()}
    found = children_of(connection, workflow_id, definition, rounds)
    return {step: f"{child}: {why(child)}" for step, child in list(found.items())[:MOST_TOLD]}


def _limits(connection: Connection, workflow_id: str, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    return {row.step: _told(row) for row in connection.execute(_SLOTS, {"id": workflow_id, "names": names})}


def _told(row: Row[Any]) -> str:
    allowance, gauge = allowance_of(row), gauge_of(row)
    if gauge.open_until is not None:
        return f"{row.key}, which is probed at {iso(gauge.open_until)}"
    of = "" if allowance.concurrency is None else f" of {allowance.concurrency}"
    return f"{row.key}: {row.in_use}{of} slots are taken, {row.before:,} steps have waited longer"


_others = slots.alias("others")
_SAME = _others.c.key == slots.c.key
_TAKEN = select(func.count()).where(_SAME, _others.c.begins_at.is_not(None))
_BEFORE = select(func.count()).where(_SAME, _others.c.begins_at.is_(None), _others.c.asked_at < slots.c.asked_at)
_SLOTS = (
    select(
        limits,
        slots.c.step,
        _TAKEN.correlate(slots).scalar_subquery().label("in_use"),
        _BEFORE.correlate(slots).scalar_subquery().label("before"),
    )
    .join(limits, limits.c.key == slots.c.key)
    .where(slots.c.workflow_id == bindparam("id"), slots.c.step.in_(bindparam("names", expanding=True)))
)
