"""One round of the reconciler: find what should be moving and is not, and send it again."""

import logging
from collections.abc import Callable

from orchestrator.ledger import Ledger
from orchestrator.ledger.due import due
from orchestrator.ledger.presence import bury
from orchestrator.moves.move import Look
from orchestrator.workflow import Publication

log = logging.getLogger("orchestrator")


def reconcile(ledger: Ledger, publish: Callable[[Publication], None]) -> int:
    """Look at what is due; returns how many rows that were. Any number of workers may do so at the same time."""
    for name in bury(ledger):
        log.warning("worker %s is lost; its steps are taken over", name)
    looks = due(ledger)
    # A transaction a workflow: one with thousands of rows due must not hold up the others' locks.
    by_workflow: dict[str, list[Look]] = {}
    for look in looks:
        by_workflow.setdefault(look.workflow_id, []).append(look)
    for together in by_workflow.values():
        for made in ledger.make(together):
            publish(made.publication)
    return len(looks)
