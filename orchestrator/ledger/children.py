"""The workflows that steps of other workflows started, found by their start keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import workflows
from orchestrator.states import Compensation, WorkflowStatus
from orchestrator.workflow import step_of, undone_by


@dataclass(frozen=True, slots=True)
class Standing:
    """A child as its parent sees it."""

    workflow_id: str
    status: WorkflowStatus
    compensation: Compensation
    output: Json
    error: Json


def child_key(parent: str, step: str, key_round: int) -> str:
    """The start key of a step's child. No client can send it: theirs have no blanks."""
    return f"child of {parent} {step} {key_round}"


def child_of(ledger: Ledger, workflow_type: str, key: str) -> Standing | None:
    """The child with that start key, None where it was never started."""
    with ledger.database.reading() as connection:
        row = connection.execute(_CHILD, {"type": workflow_type, "key": key}).one_or_none()
    if row is None:
        return None
    return Standing(row.id, WorkflowStatus(row.status), Compensation(row.compensation), row.output, row.error)


def children_of(
    connection: Connection, workflow_id: str, definition: Definition, rounds: Mapping[str, int]
) -> dict[str, str]:
    """The ids of the workflows that these rows, of its steps or of items, started last, by row.

    `rounds` are their `key_round`s.
    """
    types = {name: step.child.type for name, step in definition.steps.items() if step.child is not None}
    starting = [name for name in rounds if step_of(name) in types and name == undone_by(name)]
    keys = {child_key(workflow_id, name, rounds[name]): name for name in starting}
    if not keys:
        return {}
    found = connection.execute(_CHILDREN, {"types": sorted(set(types.values())), "keys": sorted(keys)})
    return {keys[row.start_key]: row.id for row in found}


_CHILDREN = select(workflows.c.id, workflows.c.start_key).where(
    workflows.c.type.in_(bindparam("types", expanding=True)),
    workflows.c.start_key.in_(bindparam("keys", expanding=True)),
)
_CHILD = select(*(workflows.c[name] for name in "id status compensation output error".split())).where(
    workflows.c.type == bindparam("type"), workflows.c.start_key == bindparam("key")
)
