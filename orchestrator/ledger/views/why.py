"""Why a workflow is not moving: the rows that say so, fetched, and what they mean."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, not_, or_, select

from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.engine import CLOCKS
from orchestrator.ledger.rows import step_of
from orchestrator.ledger.tables import steps, workers, workflows
from orchestrator.ledger.views.awaited import awaited
from orchestrator.ledger.views.reasons import Standing, reasons
from orchestrator.ledger.views.snapshot import missing, snapshot
from orchestrator.states import Compensation, StepStatus, WorkflowStatus
from orchestrator.workflow import Kind

MOST_ITEMS = 10
"""Items of a `forEach` that are named, for the same reason."""

MOST_STEPS = 100
"""Steps that are named, the soonest due first; a workflow of thousands has one reason for most of them."""

DEEPEST = 5
"""Workflows that were started by steps of each other, one below the other, of which the lowest still says why."""

_COLUMNS = [workflows.c[name] for name in "id type version status ending compensation error deadline_at".split()]
_HEAD = {
    dialect: select(*[*_COLUMNS, clock.label("now")]).where(workflows.c.id == bindparam("id"))
    for dialect, clock in CLOCKS.items()
}

_UNDER_WAY = (StepStatus.RUNNING.value, StepStatus.WAITING.value)
_OF_ITEMS = steps.c.kind.in_([Kind.ITEM.value, Kind.ITEM_UNDO.value])
_STEPS = (
    select(*(column for column in steps.c if column.name not in ("result", "item")))
    .where(
        steps.c.workflow_id == bindparam("id"),
        or_(
            steps.c.status.in_(_UNDER_WAY),
            and_(steps.c.status == StepStatus.FAILED.value, not_(_OF_ITEMS)),
            steps.c.wake_at.is_not(None),
        ),
    )
    .order_by(_OF_ITEMS, steps.c.wake_at.is_(None), steps.c.wake_at, steps.c.name)
    .limit(MOST_STEPS)
)

_WORKERS = select(workers.c.name, workers.c.seen_until)


def why(ledger: Ledger, workflow_id: str) -> Json:
    """What the workflow waits for, until when, and what would change that. Raises NotFound."""
    with snapshot(ledger) as connection:
        seen = {row.name: row.seen_until for row in connection.execute(_WORKERS)}
        return _Asked(ledger, connection, seen).why(workflow_id, DEEPEST)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One state of the ledger, and until when its workers count as alive."""

    ledger: Ledger
    connection: Connection
    seen: dict[str, float]

    def why(self, workflow_id: str, depth: int) -> Json:
        """See above. `depth` is how far children are asked in their turn."""
        head = self.connection.execute(_HEAD[self.connection.dialect.name], {"id": workflow_id}).one_or_none()
        if head is None:
            raise missing(workflow_id)
        found_rows = list(self.connection.execute(_STEPS, {"id": workflow_id}))
        own = [row for row in found_rows if not Kind(row.kind).of_item]
        rows = found_rows[: len(own) + MOST_ITEMS]
        found = reasons(_standing(head, rows, self.seen, self._others(head, rows, depth)))
        return {
            "workflowId": head.id,
            "type": head.type,
            "status": head.status,
            "why": found[0].waits_for if found[0].step is None else f"{found[0].step} waits for {found[0].waits_for}",
            "reasons": [reason.as_json() for reason in found],
        }

    def _others(self, head: Row[Any], rows: list[Row[Any]], depth: int) -> dict[str, str]:
        definition = self.ledger.definitions.get(self.connection, head.version)
        return awaited(self.connection, head.id, definition, rows, lambda child: self._of_child(child, depth))

    def _of_child(self, child: str, depth: int) -> str:
        if depth == 0:
            return "ask why it is not moving"
        found = self.why(child, depth - 1)
        return f"{found['status']}, {found['why'] if found['reasons'][0]['step'] else 'waits for ' + found['why']}"


def _standing(head: Row[Any], rows: list[Row[Any]], seen: dict[str, float], others: dict[str, str]) -> Standing:
    return Standing(
        status=WorkflowStatus(head.status),
        ending=None if head.ending is None else WorkflowStatus(head.ending),
        compensation=Compensation(head.compensation),
        error=head.error,
        deadline_at=head.deadline_at,
        now=head.now,
        steps=[step_of(row) for row in rows],
        errors={row.name: row.error for row in rows},
        workers=seen,
        others=others,
    )
