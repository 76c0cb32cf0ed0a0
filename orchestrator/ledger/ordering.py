"""One order for many workflows, picked by a filter, no faster than a rate: a storm of retries is a storm of calls."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select

from orchestrator.errors import Conflict, NotFound, StartKeyReused
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.orders import order
from orchestrator.ledger.rerunning import rerun
from orchestrator.ledger.tables import workflows
from orchestrator.ledger.views.listing import Filters, closed, conditions, opened
from orchestrator.moves.move import Control
from orchestrator.workflow import Publication

ACTIONS = ("cancel", "pause", "resume", "retry", "rerun")
MOST = 1_000
"""Workflows that one call may order."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """What is ordered. `rate` is workflows per second; with `key` a rerun that is asked for twice makes one copy."""

    action: str
    filters: Filters
    actor: str
    rate: float
    limit: int
    compensate: bool = True
    key: str | None = None


@dataclass(slots=True)
class Tally:
    """What came of it: how many were ordered, who refused and why, and where to go on (None: that was all)."""

    ordered: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None


def order_many(ledger: Ledger, bulk: Bulk, publish: Callable[[Publication], None], cursor: str | None = None) -> Tally:
    """Order up to `limit` of the workflows, newest first. Each is its own transaction: what is done stays done.

    Who does not fit the filter any more is passed over by its own status: the reason is told.
    """
    ids = _picked(ledger, bulk, cursor)
    tally = Tally(cursor=closed(ids[bulk.limit - 1]) if len(ids) > bulk.limit else None)
    began = time.monotonic()
    for place, workflow_id in enumerate(ids[: bulk.limit]):
        time.sleep(max(0.0, began + place / bulk.rate - time.monotonic()))
        try:
            publish(_ordered(ledger, bulk, workflow_id, tally))
            tally.ordered += 1
        except (Conflict, NotFound, StartKeyReused) as refusal:
            tally.refused[workflow_id] = str(refusal)
    return tally


def _picked(ledger: Ledger, bulk: Bulk, cursor: str | None) -> list[str]:
    query = select(workflows.c.id).where(*conditions(bulk.filters)).order_by(workflows.c.id.desc())
    if cursor is not None:
        query = query.where(workflows.c.id < opened(cursor))
    with ledger.database.reading() as connection:
        return list(connection.execute(query.limit(bulk.limit + 1)).scalars())


def _ordered(ledger: Ledger, bulk: Bulk, workflow_id: str, tally: Tally) -> Publication:
    if bulk.action != "rerun":
        return order(ledger, Control(workflow_id, bulk.action, bulk.actor, bulk.compensate)).publication
    key = None if bulk.key is None else f"{bulk.key}/{workflow_id}"
    copy = rerun(ledger, workflow_id, bulk.actor, key)
    tally.copies[workflow_id] = copy.workflow_id
    return copy.publication
