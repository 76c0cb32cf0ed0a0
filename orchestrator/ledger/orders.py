"""What a person orders for a workflow that is there: cancel, pause, resume, retry; a fresh copy is in `rerunning`."""

from dataclasses import dataclass

from orchestrator.errors import NotFound
from orchestrator.ledger.book import Ledger, log_all
from orchestrator.ledger.rerunning import rerun
from orchestrator.moves.move import Control
from orchestrator.states import WorkflowStatus
from orchestrator.workflow import Publication

__all__ = ["Ordered", "order", "rerun"]


@dataclass(frozen=True, slots=True)
class Ordered:
    """The workflow's status now, and what is to be sent for it."""

    workflow_id: str
    status: WorkflowStatus
    publication: Publication


def order(ledger: Ledger, control: Control) -> Ordered:
    """Do it. Asking twice changes nothing more. Raises NotFound, and Conflict where the status forbids it."""
    with ledger.database.transaction() as connection:
        [made], found = ledger.make_in(connection, [control])
        if control.workflow_id not in found:
            raise NotFound(f"there is no workflow {control.workflow_id}")
        status = found[control.workflow_id].head.status
    log_all(found)
    return Ordered(control.workflow_id, status, made.publication)
