"""One state of the ledger for all queries of a view: a workflow must not complete between its row and its steps."""

from contextlib import AbstractContextManager

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import NoResultFound

from orchestrator.errors import NotFound
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import workflows


def snapshot(ledger: Ledger) -> AbstractContextManager[Connection]:
    """A connection whose statements all see the ledger as it was at the first of them. It blocks no writer."""
    return ledger.database.snapshot()


def missing(workflow_id: str) -> NotFound:
    """The error for a workflow that is not there."""
    return NotFound(f"there is no workflow {workflow_id}")


def check_exists(connection: Connection, workflow_id: str) -> None:
    """Raise NotFound where there is no such workflow."""
    try:
        connection.execute(_EXISTS, {"id": workflow_id}).one()
    except NoResultFound:
        raise missing(workflow_id) from None


_EXISTS = select(workflows.c.id).where(workflows.c.id == bindparam("id"))
