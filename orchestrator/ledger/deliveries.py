"""Messages for webhooks: written with the end that they tell of, taken by one worker at a time, sent at least once.

An endpoint that says that it is gone (410) gets nothing more until a person has something delivered to it again. It is
known by the hash of its address, which may hold a token.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from orchestrator.definition import Definition
from orchestrator.errors import DefinitionError, NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.leasing import leased
from orchestrator.ledger.tables import deliveries, gone, workflows
from orchestrator.moments import iso
from orchestrator.retrying import delivery_delay

log = logging.getLogger("orchestrator")

LEASE = 120.0
"""Seconds that a worker has for sending what it took; then another one takes it: rather sent twice than never."""

BATCH = 50
"""Messages that are taken at once."""

_MOST_TRIES = 30


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in a worker's hands, with what it is made of. `attempts` counts this one.

    `url` is the address that came with the start; else `place` is the number of the definition's webhook.
    """

    id: str
    workflow_id: str
    event: str
    attempts: int
    place: int | None
    url: str | None
    data: dict[str, Json]
    tries: Sequence[Json]
    definition: Definition
    context: Json
    sealed: str | None
    output: Json


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of sending a message: `status` is HTTP's, `error` None where it was taken."""

    at: float
    status: int | None
    error: str | None
    took: float

    def as_json(self) -> Json:
        """As the delivery log keeps it."""
        return {
            "at": iso(self.at),
            "status": self.status,
            "error": self.error,
            "durationMs": round(self.took * 1000),
        }


def take_letters(ledger: Ledger, *, lease: float = LEASE, limit: int = BATCH) -> list[Letter]:
    """Messages that are due, oldest first; nobody else gets them until the lease is over."""
    rows = leased(ledger, deliveries, lease, limit)
    if not rows:
        return []
    with ledger.database.reading() as connection:
        wanted = select(*(workflows.c[name] for name in "id version context sealed output".split()))
        found = connection.execute(wanted.where(workflows.c.id.in_({row.workflow_id for row in rows})))
        known = {one.id: (one, _definition(ledger, connection, one.version)) for one in list(found)}
    letters = []
    for row in rows:
        workflow, definition = known.get(row.workflow_id, (None, None))
        if workflow is not None and definition is not None:
            letters.append(_letter(row, workflow, definition))
    return letters


def _definition(ledger: Ledger, connection: Connection, version: str) -> Definition | None:
    """None where this release cannot read it: another worker may, once the lease is over."""
    try:
        return ledger.definitions.get(connection, version)
    except DefinitionError as error:
        log.error("webhooks of definition %s cannot be delivered by this worker: %s", version, error)
        return None


def _letter(row: Row[Any], workflow: Row[Any], definition: Definition) -> Letter:
    return Letter(
        id=row.id,
        workflow_id=row.workflow_id,
        event=row.event,
        attempts=row.attempts + 1,
        place=row.place,
        url=row.url,
        data=row.data,
        tries=row.tries,
        definition=definition,
        context=workflow.context,
        sealed=workflow.sealed,
        output=workflow.output,
    )


def endpoint_of(url: str) -> str:
    """What an endpoint is known by."""
    return hashlib.sha256(url.encode()).hexdigest()


def is_gone(ledger: Ledger, endpoint: str) -> bool:
    """Whether the endpoint has said that nothing is to be sent to it any more."""
    with ledger.database.reading() as connection:
        return connection.execute(select(gone.c.endpoint).where(gone.c.endpoint == endpoint)).first() is not None


def delivered(ledger: Ledger, letter: Letter, tried: Tried) -> None:
    """The endpoint has taken it."""
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        row = update(deliveries).where(deliveries.c.id == letter.id)
        connection.execute(row.values(delivered_at=now, due_at=None, tries=_log(letter, tried), error=None))


def not_delivered(
    ledger: Ledger, letter: Letter, tried: Tried, *, endpoint: str | None, share: float, wait: float = 0.0
) -> bool:
    """It was not taken: it is tried again later, less and less often. Returns whether it was given up.

    `share` in [0, 1) is the random share of the jitter, `wait` the seconds that the endpoint asked for. With status 410
    it is given up at once, and the endpoint gets nothing more.
    """
    delay = None if tried.status == 410 else delivery_delay(letter.attempts, share)
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        due_at = None if delay is None else now + max(delay, wait)
        # A worker that took longer than its lease does not call back what another one has delivered meanwhile.
        row = update(deliveries).where(deliveries.c.id == letter.id, deliveries.c.delivered_at.is_(None))
        connection.execute(
            row.values(due_at=due_at, tries=_log(letter, tried), error=tried.error, endpoint=endpoint),
        )
        known = select(gone.c.endpoint).where(gone.c.endpoint == endpoint)
        if tried.status == 410 and endpoint is not None and connection.execute(known).first() is None:
            connection.execute(insert(gone), {"endpoint": endpoint, "at": now})
    return due_at is None


def put_back(ledger: Ledger, letters: Iterable[Letter], seconds: float) -> None:
    """They were not tried, because an earlier message to the same endpoint failed: this was no attempt."""
    with ledger.database.transaction() as connection:
        rows = update(deliveries).where(
            deliveries.c.id.in_([letter.id for letter in letters]), deliveries.c.delivered_at.is_(None)
        )
        due_at = ledger.database.now(connection) + seconds
        connection.execute(rows.values(due_at=due_at, attempts=deliveries.c.attempts - 1))


def redeliver(ledger: Ledger, delivery_id: str) -> None:
    """Have it sent again now, under the same id, with all its tries; an endpoint that was gone is asked again.

    Raises NotFound.
    """
    with ledger.database.transaction() as connection:
        row = connection.execute(
            select(deliveries.c.endpoint).where(deliveries.c.id == delivery_id).with_for_update()
        ).one_or_none()
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        if row.endpoint is not None:
            connection.execute(delete(gone).where(gone.c.endpoint == row.endpoint))
        again = update(deliveries).where(deliveries.c.id == delivery_id)
        now = ledger.database.now(connection)
        connection.execute(again.values(due_at=now, attempts=0, delivered_at=None))


def _log(letter: Letter, tried: Tried) -> list[Json]:
    return [*letter.tries, tried.as_json()][-_MOST_TRIES:]
