"""The steps that wait for a person to approve or reject them, whatever workflow they are of, soonest due first."""

from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, select

from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import steps, workflows
from orchestrator.moments import iso
from orchestrator.states import StepStatus, Waiting

# Written into the statement: a partial index serves only who asks for what it holds.
_WAITING: BindParameter[str] = bindparam("waiting", StepStatus.WAITING.value, literal_execute=True)
_APPROVAL: BindParameter[str] = bindparam("approval", Waiting.APPROVAL.value, literal_execute=True)
_DECISIONS = (
    select(*[*(steps.c[name] for name in "workflow_id name memo wake_at".split()), workflows.c.type])
    .join(workflows, workflows.c.id == steps.c.workflow_id)
    .where(steps.c.status == _WAITING, steps.c.waiting_for == _APPROVAL)
    .order_by(steps.c.wake_at)
    .limit(bindparam("limit"))
)


def decisions(ledger: Ledger, limit: int) -> list[Json]:
    """At most so many of them."""
    with ledger.database.reading() as connection:
        return [_line(row) for row in connection.execute(_DECISIONS, {"limit": limit})]


def _line(row: Row[Any]) -> Json:
    return {
        "workflowId": row.workflow_id,
        "type": row.type,
        "step": row.name,
        "message": row.memo.get("message") if isinstance(row.memo, dict) else None,
        "until": iso(row.wake_at),
    }
