"""How many workflows stand where, counted as far as a person wants to know."""

from sqlalchemy import ScalarSelect, func, literal, select

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import workflows
from orchestrator.states import Compensation, WorkflowStatus

MOST = 10_000
"""No status is counted further: a million rows would be read at each look, for a number that nobody can use."""

NEEDS_PERSON = "needsPerson"


def counts(ledger: Ledger) -> dict[str, int]:
    """Workflows by status, and those that need a person; `MOST + 1` stands for any more than MOST."""
    with ledger.database.reading() as connection:
        return dict(connection.execute(_COUNTS).mappings().one())


def _counted(column: str, value: str) -> ScalarSelect[int]:
    some = select(literal(1)).where(workflows.c[column] == value).limit(MOST + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


_COUNTS = select(
    *(_counted("status", status.value).label(status.value) for status in WorkflowStatus),
    _counted("compensation", Compensation.FAILED.value).label(NEEDS_PERSON),
)
