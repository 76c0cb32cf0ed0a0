"""What a person orders for a workflow that is there: cancel, pause, resume, retry, or a fresh copy of it (rerun)."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from orchestrator.changes import log_changes
from orchestrator.definition import Definition
from orchestrator.errors import Conflict, NotFound
from orchestrator.ledger.book import Ledger, log_all
from orchestrator.ledger.rows import Rows
from orchestrator.ledger.starting import Start, Started, existing, log_started, start_in
from orchestrator.ledger.tables import events, workflows
from orchestrator.moves.move import Control
from orchestrator.states import WorkflowStatus
from orchestrator.workflow import Event, Publication


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


def rerun(ledger: Ledger, workflow_id: str, actor: str, key: str | None = None) -> Started:
    """Start a fresh copy: the same context, sensitive fields included, and the same version of the definition.

    The version is kept, although there may be a newer one: what is asked for is the same thing again, its context fits
    that version, and an inline definition has no other. Its steps carry new idempotency keys: it is a new workflow.

    With a start key a second call gives the copy that the first one made. Raises NotFound, StartKeyReused, and Conflict
    while the workflow is not over: two copies would then do the same things side by side.
    """
    definition, wanted = _copy_of(ledger, workflow_id, actor, key)
    if (found := existing(ledger, definition, wanted)) is not None:
        return found
    try:
        with ledger.database.transaction() as connection:
            [head], now = Rows(connection).lock([workflow_id])
            if not head.final:
                raise Conflict(
                    f"it is {head.status.value}: wait for its end, or cancel it, before starting a fresh copy"
                )
            started = start_in(ledger, connection, definition, wanted)
            event = _record(connection, workflow_id, started.workflow_id, actor, now)
    except IntegrityError:
        # Two calls at the same moment with one key: the unique index let the other in.
        if (found := existing(ledger, definition, wanted)) is None:
            raise
        return found
    log_started(started, definition, wanted)
    log_changes(workflow_id, definition.type, [event])
    return started


def _copy_of(ledger: Ledger, workflow_id: str, actor: str, key: str | None) -> tuple[Definition, Start]:
    """What the workflow was started with; that never changes, so no lock is needed."""
    with ledger.database.reading() as connection:
        row = connection.execute(_STARTED_WITH, {"id": workflow_id}).one_or_none()
        if row is None:
            raise NotFound(f"there is no workflow {workflow_id}")
        definition = ledger.definitions.get(connection, row.version)
    return definition, Start(row.context, row.sealed, key, f"rerun of {workflow_id}", actor=actor)


def _record(connection: Connection, original: str, copy: str, actor: str, now: float) -> Event:
    """Both audit logs say where the copy came from."""
    event = Event("workflow.rerun", details={"by": actor, "from": original, "to": copy})
    row = {"at": now, "type": event.type, "step": None, "details": event.details}
    connection.execute(insert(events), [{"workflow_id": one, **row} for one in (original, copy)])
    return event


_STARTED_WITH = select(workflows.c.version, workflows.c.context, workflows.c.sealed).where(
    workflows.c.id == bindparam("id")
)
