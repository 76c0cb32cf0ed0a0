"""What a worker does besides, at a gentle pace: it looks for what is stuck, and deletes what is long finished."""

import logging

from orchestrator.durations import span
from orchestrator.ledger import Ledger
from orchestrator.ledger.retention import delete_finished
from orchestrator.ledger.stuck import MOVING, mark_stuck, stuck_page

log = logging.getLogger("orchestrator")

LONGEST_PAUSE = 60.0
"""Seconds between two rounds where there is little to do."""

BETWEEN_BATCHES = 3.0
"""Seconds between two batches of deletions, or two pages of a look through all workflows."""


class Watch:
    """Looks through the workflows that are not over, page by page, for those without an event for `after` seconds."""

    def __init__(self, ledger: Ledger, after: float) -> None:
        self._ledger = ledger
        self._after = after
        self._beyond = dict.fromkeys(MOVING, "")

    def round(self) -> float:
        """Look at a page of each status; returns the seconds until the next round."""
        more = False
        for status, beyond in self._beyond.items():
            page = stuck_page(self._ledger, status, self._after, beyond)
            for workflow_id in page.stuck:
                mark_stuck(self._ledger, workflow_id, self._after)
            self._beyond[status] = page.end or ""
            more = more or page.end is not None
        return BETWEEN_BATCHES if more else min(LONGEST_PAUSE, max(self._after / 4, 1.0))


class Retention:
    """Deletes workflows that ended more than `older_than` seconds ago."""

    def __init__(self, ledger: Ledger, older_than: float) -> None:
        self._ledger = ledger
        self._older_than = older_than

    def round(self) -> float:
        """Delete a batch; returns the seconds until the next one."""
        batch = delete_finished(self._ledger, self._older_than)
        if batch.workflows:
            log.info("deleted %d workflows that ended more than %s ago", batch.workflows, span(self._older_than))
        return BETWEEN_BATCHES if batch.more else LONGEST_PAUSE
