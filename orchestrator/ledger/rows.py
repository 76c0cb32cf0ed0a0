"""Between rows and `Workflow`s: lock, load, and write back what the moves changed, in few statements."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import uuid_utils
from sqlalchemy import ARRAY, JSON, Connection, Row, Text, any_, bindparam, insert, select, update

from orchestrator.jsontype import Json
from orchestrator.ledger.bulk import write
from orchestrator.ledger.collecting import collect
from orchestrator.ledger.engine import CLOCKS
from orchestrator.ledger.scopes import ByKeys
from orchestrator.ledger.tables import deliveries, events, notices, steps, workflows
from orchestrator.notice import notices_of
from orchestrator.priority import Priority
from orchestrator.states import Compensation, Effect, StepStatus, Waiting, WorkflowStatus
from orchestrator.webhook import messages_of
from orchestrator.workflow import (
    OF_ITEMS,
    UNCHANGED,
    Carrier,
    Head,
    Items,
    Kind,
    Loader,
    Parent,
    StepState,
    Workflow,
    undo_of,
)

_HEAD = [
    workflows.c[name]
    for name in (
        "id type version status ending compensation compensate unsettled draining undo_failures replanned created_at "
        "completed_at deadline_at wake_at error rerun_as webhook_url traceparent parent priority"
    ).split()
]
_STEP = [
    steps.c[name]
    for name in (
        "workflow_id name kind status waits_for arrived carrier attempts failures losses key_round effect tolerated "
        "worker started_at trying_since attempt_at completed_at wake_at sent_at waiting_for memo following items"
    ).split()
]

_CONTEXT = [workflows.c.context, workflows.c.sealed]
# NO KEY: rows of other tables may be added for the workflow meanwhile; two moves of one workflow may not.
_LOCK = {
    (dialect, context): select(*_HEAD, *(_CONTEXT if context else []), clock.label("now"))
    .where(
        workflows.c.id == any_(bindparam("ids", type_=ARRAY(Text)))
        if dialect == "postgresql"
        else workflows.c.id.in_(bindparam("ids", expanding=True))
    )
    .order_by(workflows.c.id)
    .with_for_update(key_share=True)
    for dialect, clock in CLOCKS.items()
    for context in (False, True)
}
_NAMED = ByKeys(*_STEP)
_OF_ONE = select(*_STEP).where(
    steps.c.workflow_id == bindparam("id"), steps.c.name.in_(bindparam("names", expanding=True))
)
_ALL = select(*_STEP).where(steps.c.workflow_id == bindparam("id"))

_WRITTEN = (
    "status waits_for arrived carrier attempts failures losses key_round effect tolerated worker started_at "
    "trying_since attempt_at completed_at wake_at sent_at waiting_for memo following items"
).split()
_WRITE_STEP = (
    update(steps)
    .where(steps.c.workflow_id == bindparam("b_workflow_id"), steps.c.name == bindparam("b_name"))
    .values({name: bindparam(f"v_{name}") for name in _WRITTEN})
)
_WRITE_ANSWER = _WRITE_STEP.values(result=bindparam("v_result"), error=bindparam("v_error"))
_HEAD_WRITTEN = (
    "status ending compensation compensate unsettled draining undo_failures replanned completed_at deadline_at wake_at "
    "error"
).split()
_WRITE_HEAD = (
    update(workflows)
    .where(workflows.c.id == bindparam("b_id"))
    .values({name: bindparam(f"v_{name}") for name in _HEAD_WRITTEN})
)
_WRITE_END = _WRITE_HEAD.values(output=bindparam("v_output"))
_ADD_STEP, _ADD_EVENT, _ADD_DELIVERY, _ADD_NOTICE = map(insert, (steps, events, deliveries, notices))


_WAKE_PARENT = (
    update(steps)
    .where(
        steps.c.workflow_id == bindparam("b_id"),
        steps.c.name.in_(bindparam("b_names", expanding=True)),
        steps.c.status == StepStatus.WAITING.value,
        steps.c.waiting_for == Waiting.CHILD.value,
    )
    .values(wake_at=bindparam("b_now"))
)


def head_of(row: Row[*tuple[Any, ...]]) -> Head:
    """A workflow's own row as the moves see it."""
    return Head(
        id=row.id,
        type=row.type,
        version=row.version,
        created_at=row.created_at,
        status=WorkflowStatus(row.status),
        ending=None if row.ending is None else WorkflowStatus(row.ending),
        compensation=Compensation(row.compensation),
        compensate=row.compensate,
        unsettled=row.unsettled,
        draining=row.draining,
        undo_failures=row.undo_failures,
        replanned=row.replanned,
        completed_at=row.completed_at,
        deadline_at=row.deadline_at,
        wake_at=row.wake_at,
        error=row.error,
        rerun_as=row.rerun_as,
        traceparent=row.traceparent,
        webhook_url=row.webhook_url,
        parent=None if row.parent is None else Parent(**row.parent),
        priority=Priority(row.priority),
    )


def step_of(row: Row[Any]) -> StepState:
    """A step's row as the moves see it."""
    values = row._mapping
    return StepState(
        **{name: values[name] for name in _PLAIN},
        kind=Kind(row.kind),
        status=StepStatus(row.status),
        carrier=Carrier(row.carrier),
        effect=Effect(row.effect),
        # One that only a newer release knows must not be taken for a delay that is over.
        waiting_for=None if row.waiting_for is None else Waiting(row.waiting_for),
        items=None if row.items is None else Items(**row.items),
    )


_PLAIN = (
    "name waits_for arrived attempts failures losses key_round tolerated worker started_at trying_since attempt_at "
    "completed_at wake_at sent_at memo following"
).split()


class Rows:
    """The rows of some workflows, locked, for the length of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def lock(self, ids: Collection[str], *, context: bool = False) -> tuple[list[Head], float]:
        """Lock the workflows' rows, in the order of their ids so that two transactions cannot block each other.

        Gives back the time as well, which saves asking for it. The context is read only where a step is to be claimed.
        """
        statement = _LOCK[self.connection.dialect.name, context]
        found = self.connection.execute(statement, {"ids": sorted(ids)}).all()
        heads = [head_of(row) for row in found]
        if context:
            for head, row in zip(heads, found, strict=True):
                head.context, head.sealed = row.context, row.sealed
        return heads, max((row.now for row in found), default=0.0)

    def named(self, keys: Collection[tuple[str, str]]) -> dict[str, list[StepState]]:
        """The steps (workflow id, name), by workflow."""
        found: dict[str, list[StepState]] = {}
        for row in _NAMED.rows(self.connection, keys):
            found.setdefault(row.workflow_id, []).append(step_of(row))
        return found

    def loader(self, workflow_id: str) -> Loader:
        """What a `Workflow` fetches further steps with."""

        def load(names: Collection[str] | None) -> list[StepState]:
            if names is None:
                return [step_of(row) for row in self.connection.execute(_ALL, {"id": workflow_id})]
            found = self.connection.execute(_OF_ONE, {"id": workflow_id, "names": list(names)})
            return [step_of(row) for row in found]

        return load

    def write_steps(self, changed: Sequence[Workflow]) -> None:
        """Write the steps that the moves changed and added."""
        plain: list[dict[str, Json]] = []
        answered: list[dict[str, Json]] = []
        added: list[dict[str, Json]] = []
        collected: list[tuple[str, StepState]] = []
        for workflow in changed:
            for step in workflow.changed.values():
                if step.result is OF_ITEMS:
                    collected.append((workflow.head.id, step))
                    continue
                kept = step.result is UNCHANGED and step.error is UNCHANGED
                (plain if kept else answered).append(_step_values(workflow.head.id, step))
            added += [new_step(workflow.head.id, step) for step in workflow.added.values()]
        write(self.connection, steps, _WRITE_STEP, plain)
        write(self.connection, steps, _WRITE_ANSWER, answered)
        write(self.connection, steps, _ADD_STEP, added)
        # Last: the items' own results must be there.
        for workflow_id, step in collected:
            step.result, step.error = collect(self.connection, workflow_id, step.name)
            write(self.connection, steps, _WRITE_ANSWER, [_step_values(workflow_id, step)])

    def write_events(self, changed: Sequence[Workflow], now: float, destinations: int) -> None:
        """Write the events that were recorded, with what webhooks are to be told, and ops at each destination."""
        recorded = [row for workflow in changed for row in event_rows(workflow, now)]
        write(self.connection, events, _ADD_EVENT, recorded)
        messages = [row for workflow in changed for row in _delivery_rows(workflow, now)]
        write(self.connection, deliveries, _ADD_DELIVERY, messages)
        if destinations:
            told = [row for workflow in changed for row in _notice_rows(workflow, now, destinations)]
            write(self.connection, notices, _ADD_NOTICE, told)

    def write_heads(self, heads: Iterable[Head], outputs: Mapping[str, Json]) -> None:
        """Write the workflows' own rows, with the output of those that completed."""
        plain, ended = [], []
        for head in heads:
            values = {f"v_{name}": getattr(head, name) for name in _HEAD_WRITTEN} | {"b_id": head.id}
            if head.id in outputs:
                ended.append(values | {"v_output": outputs[head.id]})
            else:
                plain.append(values)
        write(self.connection, workflows, _WRITE_HEAD, plain)
        write(self.connection, workflows, _WRITE_END, ended)

    def wake_parents(self, heads: Iterable[Head], now: float) -> None:
        """Have the steps looked at that had started these workflows, which have ended.

        Without the lock of the parents' rows, of which this transaction may hold none: that look finds what is true.
        """
        for head in heads:
            if head.parent is not None:
                names = [head.parent.step, undo_of(head.parent.step)]
                self.connection.execute(_WAKE_PARENT, {"b_id": head.parent.workflow_id, "b_names": names, "b_now": now})


def event_rows(workflow: Workflow, now: float) -> list[dict[str, Json]]:
    """The events that a workflow recorded, as rows."""
    return [
        {
            "workflow_id": workflow.head.id,
            "at": now,
            "type": event.type,
            "step": event.step,
            "details": dict(event.details),
        }
        for event in workflow.events
    ]


def _notice_rows(workflow: Workflow, now: float, destinations: int) -> list[dict[str, Json]]:
    return [
        {
            "workflow_id": notice.workflow_id,
            "destination": destination,
            "kind": notice.matter,
            "details": notice.details,
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }
        for notice in notices_of(workflow)
        for destination in range(destinations)
    ]


def _delivery_rows(workflow: Workflow, now: float) -> list[dict[str, Json]]:
    return [
        {
            "id": str(uuid_utils.uuid7()),
            "workflow_id": workflow.head.id,
            "place": message.place,
            "url": workflow.head.webhook_url if message.place is None else None,
            "shown": message.shown,
            "event": message.event,
            "data": message.data,
            "created_at": now,
            "due_at": now,
            "attempts": 0,
            "tries": [],
        }
        for message in messages_of(workflow)
    ]


def new_step(workflow_id: str, step: StepState) -> dict[str, Json]:
    """A row that is not there yet."""
    values = {name: getattr(step, name) for name in _WRITTEN}
    values["items"] = _counts(step)
    values["item"] = None if step.item is UNCHANGED else JSON.NULL if step.item is None else step.item
    return {"workflow_id": workflow_id, "name": step.name, "kind": step.kind, **values}


def _counts(step: StepState) -> Json:
    return None if step.items is None else asdict(step.items)


def _step_values(workflow_id: str, step: StepState) -> dict[str, Json]:
    values = {f"v_{name}": getattr(step, name) for name in _WRITTEN}
    values["v_items"] = _counts(step)
    values |= {"b_workflow_id": workflow_id, "b_name": step.name}
    if step.result is not UNCHANGED or step.error is not UNCHANGED:
        values["v_result"] = None if step.result is UNCHANGED else JSON.NULL if step.result is None else step.result
        values["v_error"] = None if step.error is UNCHANGED else step.error
    return values
