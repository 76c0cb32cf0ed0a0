"""A new workflow: its row, its steps and its first event, in one transaction, once for each start key."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import uuid_utils
from sqlalchemy import Connection, Row, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from orchestrator import meters
from orchestrator.beginning import AT_ONCE, Beginning
from orchestrator.changes import log_changes
from orchestrator.definition import Definition
from orchestrator.errors import StartKeyReused
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.bulk import write
from orchestrator.ledger.definitions import Definitions
from orchestrator.ledger.engine import now_in
from orchestrator.ledger.rows import new_step
from orchestrator.ledger.tables import events, steps, workflows
from orchestrator.moments import iso
from orchestrator.moves.starting import first_steps
from orchestrator.priority import Priority
from orchestrator.states import Compensation, WorkflowStatus
from orchestrator.workflow import Event, Parent, Publication


@dataclass(frozen=True, slots=True)
class Start:
    """What a client asked for. `context` has its sensitive fields masked, `sealed` holds them encrypted.

    `key` is the client's `Idempotency-Key`, `body_hashes` tell whether it came with the same body again: the first is
    kept, the others are what older encryption keys would have made of it. `actor` goes into the audit log. `beginning`
    says when the first steps are to be called, `webhook_url` who is told of the end, `parent` which
    step of another workflow starts it, `priority` how urgent it is (None: as its definition says).
    """

    context: Json
    sealed: str | None = None
    key: str | None = None
    body_hashes: tuple[str, ...] = ()
    traceparent: str | None = None
    actor: str = "client"
    beginning: Beginning = AT_ONCE
    webhook_url: str | None = None
    parent: Parent | None = None
    priority: Priority | None = None

    def urgency(self, definition: Definition) -> Priority:
        """The priority of the workflow."""
        return definition.priority if self.priority is None else self.priority


@dataclass(frozen=True, slots=True)
class Started:
    """The workflow, new or not, and what is to be sent for it; `begin_at` is set where a new one is put off."""

    workflow_id: str
    publication: Publication
    begin_at: float | None = None
    existed: bool = False


def start(ledger: Ledger, definition: Definition, wanted: Start) -> Started:
    """Write the workflow; once this returns, it will run to its end.

    Raises StartKeyReused where the key was used with another body. Two calls at the same moment with one key: the
    unique index lets one in, the other finds its row.
    """
    tries = 3
    while True:
        tries -= 1
        if (found := existing(ledger, definition, wanted)) is not None:
            return found
        try:
            with ledger.database.transaction() as connection:
                started = start_in(ledger, connection, definition, wanted)
        except IntegrityError:
            # Somebody used the key meanwhile; or the version, long unused, was deleted since this process saw it.
            ledger.definitions.forget(definition)
            if not tries:
                raise
            continue
        ledger.definitions.remember(definition)
        log_started(started, definition, wanted)
        return started


def start_child(ledger: Ledger, definition: Definition, wanted: Start, parent: Parent, key: str) -> Started:
    """The same for a step of another workflow, whose child has the key; the first start of it counts."""
    return start(ledger, definition, replace(wanted, parent=parent, key=key, body_hashes=("child",)))


def start_in(ledger: Ledger, connection: Connection, definition: Definition, wanted: Start) -> Started:
    """The same within the caller's own transaction, without the look for an earlier use of the key."""
    return write_start(connection, ledger.definitions, definition, wanted)


def write_start(connection: Connection, definitions: Definitions, definition: Definition, wanted: Start) -> Started:
    """Write the rows of a new workflow. `definitions` says which versions are known to be in the ledger already."""
    [started] = write_starts(connection, definitions, [(definition, wanted)])
    return started


def write_starts(
    connection: Connection, definitions: Definitions, many: Sequence[tuple[Definition, Start]]
) -> list[Started]:
    """Write the rows of many, in few statements. Their ids are in their order."""
    now = now_in(connection)
    for definition in {definition.version: definition for definition, _ in many}.values():
        definitions.keep(connection, definition, now)
    started: list[Started] = []
    heads, rows, logged = [], [], []
    for definition, wanted in many:
        workflow_id, begin_at = new_id(), wanted.beginning.at(now)
        heads.append(workflow_row(workflow_id, definition, wanted, now, begin_at))
        first, publication = first_steps(workflow_id, definition, now, begin_at)
        rows += [new_step(workflow_id, row) for row in first]
        event = first_event(definition, wanted, begin_at)
        logged.append(
            {"workflow_id": workflow_id, "at": now, "type": event.type, "step": None, "details": event.details}
        )
        publication = replace(publication, priority=wanted.urgency(definition))
        started.append(Started(workflow_id, publication, begin_at))
    for table, written in ((workflows, heads), (steps, rows), (events, logged)):
        write(connection, table, insert(table), written)
    return started


def log_started(started: Started, definition: Definition, wanted: Start) -> None:
    """The line that says so, once the transaction is committed."""
    log_changes(started.workflow_id, definition.type, [first_event(definition, wanted, started.begin_at)])
    meters.started(definition.type)


def first_event(definition: Definition, wanted: Start, begin_at: float | None = None) -> Event:
    """What the audit log begins with."""
    details = {"type": definition.type, "version": definition.version, "by": wanted.actor}
    if begin_at is not None:
        details["beginsAt"] = str(iso(begin_at))
    return Event("workflow.started", details=details)


def new_id() -> str:
    """A workflow's id: a UUID that begins with the time, so that ids are in the order of their starts."""
    return str(uuid_utils.uuid7())


def workflow_row(
    workflow_id: str, definition: Definition, wanted: Start, now: float, begin_at: float | None = None
) -> dict[str, Json]:
    """A new workflow's own row."""
    deadline_at = None if definition.deadline is None else (begin_at or now) + definition.deadline
    return {
        "id": workflow_id,
        "type": definition.type,
        "version": definition.version,
        "status": WorkflowStatus.RUNNING,
        "compensation": Compensation.NONE,
        "compensate": True,
        "unsettled": len(definition.steps),
        "draining": 0,
        "undo_failures": 0,
        "replanned": False,
        "context": wanted.context,
        "sealed": wanted.sealed,
        "start_key": wanted.key,
        "start_hash": wanted.body_hashes[0] if wanted.body_hashes else None,
        "traceparent": wanted.traceparent,
        "webhook_url": wanted.webhook_url,
        "priority": wanted.urgency(definition),
        "parent": None if wanted.parent is None else asdict(wanted.parent),
        "created_at": now,
        "deadline_at": deadline_at,
        "wake_at": deadline_at,
    }


def existing(ledger: Ledger, definition: Definition, wanted: Start) -> Started | None:
    """The workflow that was started with this key before. Raises StartKeyReused where that was with another body."""
    if wanted.key is None:
        return None
    with ledger.database.reading() as connection:
        return existing_in(connection, definition, wanted)


def existing_among(ledger: Ledger, many: Sequence[tuple[Definition, Start]]) -> list[Started | None]:
    """The same for many, each type's with one question."""
    keys: dict[str, list[str]] = {}
    for definition, wanted in many:
        if wanted.key is not None:
            keys.setdefault(definition.type, []).append(wanted.key)
    if not keys:
        return [None] * len(many)
    with ledger.database.reading() as connection:
        found = {
            (type_, row.start_key): row
            for type_, those in keys.items()
            for row in connection.execute(_KEYED, {"type": type_, "keys": those})
        }
    return [_same(found.get((definition.type, wanted.key)), definition, wanted) for definition, wanted in many]


def existing_in(connection: Connection, definition: Definition, wanted: Start) -> Started | None:
    """The same, as this connection sees it."""
    row = connection.execute(_KEYED, {"type": definition.type, "keys": [wanted.key]}).one_or_none()
    return _same(row, definition, wanted)


def _same(row: Row[*tuple[Any, ...]] | None, definition: Definition, wanted: Start) -> Started | None:
    if row is None:
        return None
    if row.start_hash not in (wanted.body_hashes or (None,)):
        raise StartKeyReused(
            f"Idempotency-Key {wanted.key!r} was already used for workflow {row.id} with another body; "
            "use a new key for a new workflow"
        )
    return Started(row.id, Publication(row.id, definition.type), existed=True)


_KEYED = select(workflows.c.id, workflows.c.start_key, workflows.c.start_hash).where(
    workflows.c.type == bindparam("type"), workflows.c.start_key.in_(bindparam("keys", expanding=True))
)
