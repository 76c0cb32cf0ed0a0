"""A fresh copy of a workflow that is over: all of it, or from a step on, with the context it had or an edited one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sqlalchemy import Connection, Text, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.changes import log_changes
from orchestrator.definition import Definition
from orchestrator.errors import Conflict, NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger, log_all
from orchestrator.ledger.collecting import of_step
from orchestrator.ledger.rows import Rows
from orchestrator.ledger.starting import Start, Started, existing, log_started, start_in
from orchestrator.ledger.tables import events, steps, workflows
from orchestrator.moves.taking_over import Kept, TakeOver, kept_for
from orchestrator.priority import Priority
from orchestrator.states import FINAL
from orchestrator.workflow import Event, Workflow


@dataclass(frozen=True, slots=True)
class Origin:
    """What a workflow was started with; that never changes."""

    workflow_id: str
    definition: Definition
    context: Json
    sealed: str | None
    webhook_url: str | None = None
    priority: Priority | None = None


def origin_of(ledger: Ledger, workflow_id: str) -> Origin:
    """What the workflow was started with, for whoever edits its context. Raises NotFound."""
    with ledger.database.reading() as connection:
        row = connection.execute(_STARTED_WITH, {"id": workflow_id}).one_or_none()
        if row is None:
            raise NotFound(f"there is no workflow {workflow_id}")
        definition = ledger.definitions.get(connection, row.version)
        return Origin(workflow_id, definition, row.context, row.sealed, row.webhook_url, Priority(row.priority))


def rerun(
    ledger: Ledger,
    workflow_id: str,
    actor: str,
    key: str | None = None,
    *,
    start_from: str | None = None,
    edited: Start | None = None,
) -> Started:
    """Start a fresh copy: the same context, sensitive fields included, and the same version of the definition.

    The version is kept, although there may be a newer one: what is asked for is the same thing again, its context fits
    that version, and an inline definition has no other. Its steps carry new idempotency keys: it is a new workflow.
    With `start_from`, what had been done before that step or beside it is taken over; `edited` holds another context.

    With a start key a second call gives the copy that the first one made. Raises NotFound (also of the step),
    StartKeyReused, and Conflict: while the workflow, or an earlier copy of it, is not over, as two would then do the
    same things side by side, and where something cannot be taken over.
    """
    origin = origin_of(ledger, workflow_id)
    definition = origin.definition
    if start_from is not None and start_from not in definition.steps:
        raise _no_step(definition, start_from)
    wanted = _wanted(origin, actor, key, start_from, edited)
    if (found := existing(ledger, definition, wanted)) is not None:
        return found
    try:
        with ledger.database.transaction() as connection:
            started, made, event = _copy(ledger, connection, origin, wanted, start_from)
    except (IntegrityError, Conflict):
        # Two calls at the same moment with one key: the other was let in by the unique index, or had the lock first.
        if (found := existing(ledger, definition, wanted)) is None:
            raise
        return found
    log_started(started, definition, wanted)
    log_all(made)
    log_changes(workflow_id, definition.type, [event])
    return started


def _wanted(origin: Origin, actor: str, key: str | None, start_from: str | None, edited: Start | None) -> Start:
    """The copy as a start; a start key is bound to what is copied, from where and with which context."""
    body_hash = f"rerun of {origin.workflow_id}"
    if start_from is not None:
        body_hash += f" from {start_from}"
    if edited is None:
        wanted = Start(origin.context, origin.sealed, body_hashes=(body_hash,))
    else:
        wanted = replace(edited, body_hashes=tuple(f"{body_hash} with {one}" for one in edited.body_hashes))
    return replace(wanted, key=key, actor=actor, webhook_url=origin.webhook_url, priority=origin.priority)


def _copy(
    ledger: Ledger, connection: Connection, origin: Origin, wanted: Start, start_from: str | None
) -> tuple[Started, Mapping[str, Workflow], Event]:
    """Write the copy while nobody else changes the original."""
    rows = Rows(connection)
    [head], now = rows.lock([origin.workflow_id])
    if not head.final:
        raise Conflict(f"it is {head.status.value}: wait for its end, or cancel it, before starting a fresh copy")
    if head.rerun_as is not None:
        _refuse_while_running(connection, head.rerun_as)
    details = {"by": wanted.actor, "from": origin.workflow_id}
    kept: Mapping[str, Kept] = {}
    if start_from is not None:
        kept = kept_for(Workflow(head, origin.definition, rows.loader(head.id)), start_from)
        details["fromStep"] = start_from
    started = start_in(ledger, connection, origin.definition, wanted)
    details["to"] = started.workflow_id
    event = Event("workflow.rerun", details=details)
    connection.execute(_RERUN_AS, {"b_id": head.id, "b_copy": started.workflow_id})
    row = {"at": now, "type": event.type, "step": None, "details": event.details}
    connection.execute(insert(events), [{"workflow_id": one, **row} for one in (head.id, started.workflow_id)])
    if not kept:
        return started, {}, event
    connection.execute(_TAKE_ANSWERS, {"copy": started.workflow_id, "original": head.id, "names": list(kept)})
    for name in (name for name, one in kept.items() if one.items is not None):
        what = {"id": head.id, "prefix": f"{name}[", "length": len(name) + 1, "copy": started.workflow_id}
        connection.execute(_TAKE_ITEMS, what)
    [made], found = ledger.make_in(connection, [TakeOver(started.workflow_id, head.id, kept)])
    return Started(started.workflow_id, made.publication), found, event


def _refuse_while_running(connection: Connection, copy: str) -> None:
    status = connection.execute(_STATUS, {"id": copy}).scalar_one_or_none()  # it may have been deleted as old
    if status is not None and status not in FINAL:
        raise Conflict(f"it was rerun as {copy}, which is {status}: wait for the end of that, or cancel it")


def _no_step(definition: Definition, name: str) -> NotFound:
    meant = get_close_matches(name[:70], definition.steps, n=1)
    hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(list(definition.steps)[:20])}"
    return NotFound(f"{definition.type} has no step {name[:70]!r}; {hint}")


_STARTED_WITH = select(*(workflows.c[name] for name in "version context sealed webhook_url priority".split())).where(
    workflows.c.id == bindparam("id")
)
_STATUS = select(workflows.c.status).where(workflows.c.id == bindparam("id"))
_RERUN_AS = update(workflows).where(workflows.c.id == bindparam("b_id")).values(rerun_as=bindparam("b_copy"))
_originals = steps.alias("originals")
_OF_ORIGINAL = (_originals.c.workflow_id == bindparam("original"), _originals.c.name == steps.c.name)
_COLUMNS = [column for column in steps.c if column.name != "workflow_id"]
_TAKE_ITEMS = insert(steps).from_select(
    ["workflow_id", *(column.name for column in _COLUMNS)],
    select(bindparam("copy", type_=Text()), *_COLUMNS).where(of_step()),
)
# Answers may be long: they are copied where they are.
_TAKE_ANSWERS = (
    update(steps)
    .where(steps.c.workflow_id == bindparam("copy"), steps.c.name.in_(bindparam("names", expanding=True)))
    .values(
        result=select(_originals.c.result).where(*_OF_ORIGINAL).scalar_subquery(),
        error=select(_originals.c.error).where(*_OF_ORIGINAL).scalar_subquery(),
    )
)
