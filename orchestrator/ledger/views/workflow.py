"""One workflow with everything about it: context, output, error and every step, in the definition's order."""

from typing import Any, NamedTuple

from sqlalchemy import JSON, Connection, Row, bindparam, func, or_, select

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.children import children_of
from orchestrator.ledger.fixed import Fixed
from orchestrator.ledger.tables import steps, workflows
from orchestrator.ledger.views.snapshot import missing
from orchestrator.moments import iso, took_ms
from orchestrator.priority import Priority
from orchestrator.states import StepStatus, Waiting
from orchestrator.workflow import Kind, undo_of

_HEAD = [
    workflows.c[name]
    for name in (
        "id type version status ending compensation priority context output error created_at completed_at "
        "deadline_at parent"
    ).split()
]


class _Step(NamedTuple):
    """What is shown of a step, as its row holds it."""

    name: str
    status: str
    attempts: int
    effect: str
    tolerated: bool
    started_at: float | None
    completed_at: float | None
    wake_at: float | None
    waiting_for: str | None
    memo: Json
    result: Json
    error: Json
    items: Json
    key_round: int


_COLUMNS = [steps.c[name] for name in _Step._fields]
# Not IN: its list would be put into the statement's text anew each time.
_OWN_STEPS = or_(steps.c.kind == Kind.CALL.value, steps.c.kind == Kind.UNDO.value)
_HEAD_ALONE = select(*_HEAD).where(workflows.c.id == bindparam("id"))
_STEPS = select(*_COLUMNS).where(steps.c.workflow_id == bindparam("id"), _OWN_STEPS)

_AS_JSON = func.json_agg(func.json_build_array(*_COLUMNS), type_=JSON)
_STEPS_WITHIN = select(_AS_JSON).where(steps.c.workflow_id == workflows.c.id, _OWN_STEPS)
_WITH_STEPS = Fixed(
    select(*_HEAD, _STEPS_WITHIN.scalar_subquery().label("steps")).where(workflows.c.id == bindparam("id"))
)
"""Head and steps in one round trip, on PostgreSQL, whose JSON keeps numbers as they are."""


def workflow_view(ledger: Ledger, workflow_id: str) -> Json:
    """The workflow as `GET /api/workflows/<id>` shows it. Raises NotFound."""
    database = ledger.database
    with database.single() if database.postgresql else database.snapshot() as connection:
        head, rows = (_with_steps if database.postgresql else _then_steps)(connection, workflow_id)
        definition = ledger.definitions.get(connection, head.version)
        rounds = {name: row.key_round for name, row in rows.items()}
        children = children_of(connection, workflow_id, definition, rounds)
    return {
        "workflowId": head.id,
        "type": head.type,
        "status": head.status,
        "ending": head.ending,
        "compensation": head.compensation,
        "priority": Priority(head.priority).word,
        "context": head.context,
        "parent": _parent(head.parent),
        "steps": [_step(name, rows) | {"childId": children.get(name)} for name in _ordered(definition, rows)],
        "output": head.output,
        "error": head.error,
        "createdAt": iso(head.created_at),
        "completedAt": iso(head.completed_at),
        "durationMs": took_ms(head.created_at, head.completed_at),
        "deadlineAt": iso(head.deadline_at),
        "definitionVersion": head.version,
    }


def _with_steps(connection: Connection, workflow_id: str) -> tuple[Row[*tuple[Any, ...]], dict[str, _Step]]:
    """Its row and those of its steps by name, in one round trip."""
    head = _WITH_STEPS.execute(connection, id=workflow_id).one_or_none()
    if head is None:
        raise missing(workflow_id)
    return head, {step.name: step for step in map(_Step._make, head.steps)}


def _then_steps(connection: Connection, workflow_id: str) -> tuple[Row[*tuple[Any, ...]], dict[str, _Step]]:
    """The same in two."""
    head = connection.execute(_HEAD_ALONE, {"id": workflow_id}).one_or_none()
    if head is None:
        raise missing(workflow_id)
    found = connection.execute(_STEPS, {"id": workflow_id})
    return head, {row.name: _Step(*row) for row in found}


def _parent(parent: Json) -> Json:
    """The step that started it, None where that was no other workflow's."""
    return None if parent is None else {"workflowId": parent["workflow_id"], "step": parent["step"]}


def _ordered(definition: Definition, rows: dict[str, _Step]) -> list[str]:
    return [name for name in definition.steps if name in rows]


def _step(name: str, rows: dict[str, _Step]) -> Json:
    row, undo = rows[name], rows.get(undo_of(name))
    waits = row.status == StepStatus.WAITING
    return {
        "name": name,
        "status": row.status,
        "attempts": row.attempts,
        "result": row.result,
        "error": row.error,
        **_times(row),
        "effect": row.effect,
        "tolerated": row.tolerated,
        "waitingFor": row.waiting_for if waits else None,
        "wakeAt": iso(row.wake_at) if waits else None,
        "items": item_counts(row.items),
        "message": row.memo.get("message") if waits and row.waiting_for == Waiting.APPROVAL and row.memo else None,
        "compensation": None if undo is None else _compensation(undo),
    }


def _compensation(row: _Step) -> Json:
    told = {"status": row.status, "attempts": row.attempts, "error": row.error, **_times(row)}
    return told if row.items is None else told | {"items": item_counts(row.items)}


def item_counts(items: Json) -> Json:
    """How far a step with `forEach` is, None for any other."""
    if items is None:
        return None
    counts = {name: items[name] for name in ("total", "completed", "failed")}
    return counts | {"running": items["under_way"]}


def _times(row: _Step) -> dict[str, Json]:
    return {
        "startedAt": iso(row.started_at),
        "completedAt": iso(row.completed_at),
        "durationMs": took_ms(row.started_at, row.completed_at),
    }
