"""What expressions may read of a workflow: its settled steps as `{status, result, error, attempts}`."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ARRAY, ColumnElement, Connection, Row, Text, bindparam, func, select, tuple_

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.tables import steps, workflows
from orchestrator.states import SETTLED, StepStatus

Key = tuple[str, str]
"""A workflow's id and a step's name."""

MOST_KEYS = 500
"""Keys that one query asks for. PostgreSQL takes a list of pairs apart as one deep tree: some thousands exceed its
stack, and beyond 65,535 parameters it takes no statement at all. A batch of wide workflows has tens of thousands."""


class ByKeys:
    """A query of steps by their keys. Where the database has arrays its text is the same for any number of them: what
    is executed all the time is planned once."""

    def __init__(self, *columns: ColumnElement[Any]) -> None:
        self._listed = select(*columns).where(
            tuple_(steps.c.workflow_id, steps.c.name).in_(bindparam("keys", expanding=True))
        )
        wanted = func.unnest(bindparam("ids", type_=ARRAY(Text)), bindparam("names", type_=ARRAY(Text)))
        keys = wanted.table_valued("workflow_id", "name", name="wanted").render_derived()
        here = (steps.c.workflow_id == keys.c.workflow_id) & (steps.c.name == keys.c.name)
        self._joined = select(*columns).select_from(keys.join(steps, here))

    def rows(self, connection: Connection, keys: Iterable[Key]) -> Iterator[Row[Any]]:
        """The rows that there are, in any order."""
        for part in in_parts(keys):
            if connection.dialect.name == "postgresql":
                ids, names = zip(*part, strict=True)
                yield from connection.execute(self._joined, {"ids": list(ids), "names": list(names)})
            else:
                yield from connection.execute(self._listed, {"keys": part})


_READ = ByKeys(
    steps.c.workflow_id,
    steps.c.name,
    steps.c.status,
    steps.c.result,
    steps.c.error,
    steps.c.attempts,
    steps.c.completed_at,
    steps.c.item,
)

_CONTEXT = select(workflows.c.context).where(workflows.c.id == bindparam("id"))


class ReadSteps:
    """Steps of any number of workflows, with their answers, read with one query."""

    def __init__(self, connection: Connection, keys: Iterable[Key]) -> None:
        found = _READ.rows(connection, keys)
        self._rows: dict[Key, Row[Any]] = {(row.workflow_id, row.name): row for row in found}

    def scope(
        self, workflow_id: str, definition: Definition, names: Collection[str], before: float | None = None
    ) -> dict[str, Json]:
        """The named steps as expressions read them.

        With `before`, a step that settled later reads as pending, so that every attempt of a step is made of the same
        things. A step whose fallback completed reads as that: later steps see one result, whichever provider served.
        """
        return steps_seen(lambda name: self._rows.get((workflow_id, name)), definition, names, before)

    def item(self, workflow_id: str, name: str) -> "ItemSeen":
        """The item whose row has this name; a KeyError where it was not read."""
        row = self._rows[workflow_id, name]
        return ItemSeen(row.item, step_seen(row))


@dataclass(frozen=True, slots=True)
class ItemSeen:
    """An item of a `forEach`: its value, and its row as expressions read a step."""

    value: Json
    seen: Json


class StepsRead(Protocol):
    """Whoever has read steps: `ReadSteps` from the tables, or a test that has none."""

    def scope(
        self, workflow_id: str, definition: Definition, names: Collection[str], before: float | None = None
    ) -> dict[str, Json]:
        """See `ReadSteps.scope`."""

    def item(self, workflow_id: str, name: str) -> ItemSeen:
        """See `ReadSteps.item`."""


class StepRow(Protocol):
    """What is read of a step's row."""

    @property
    def status(self) -> str: ...
    @property
    def result(self) -> Json: ...
    @property
    def error(self) -> Json: ...
    @property
    def attempts(self) -> int: ...
    @property
    def completed_at(self) -> float | None: ...


def steps_seen(
    row_of: Callable[[str], StepRow | Row[Any] | None],
    definition: Definition,
    names: Collection[str],
    before: float | None,
) -> dict[str, Json]:
    """The named steps as expressions read them (`ReadSteps.scope`). Pure."""
    seen = {}
    for name in names:
        chain = [(other, row_of(other)) for other in definition.with_fallbacks(name)]
        values = {other: _value(row, before) for other, row in chain if row is not None}
        if name in values:
            seen[name] = _served(values, name)
    return seen


def step_seen(row: StepRow | Row[Any]) -> Json:
    """One row as expressions read a step."""
    return _value(row, None)


def in_parts(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """The keys without repetitions, in order, as lists that one query can take."""
    ordered = sorted(set(keys))
    for begin in range(0, len(ordered), MOST_KEYS):
        yield ordered[begin : begin + MOST_KEYS]


def keys_of(workflow_id: str, definition: Definition, names: Iterable[str]) -> set[Key]:
    """The rows that must be read for these names: the steps and their fallbacks."""
    return {(workflow_id, other) for name in names for other in definition.with_fallbacks(name)}


def context_of(connection: Connection, workflow_id: str) -> Json:
    """The context, with what is sensitive masked."""
    return connection.execute(_CONTEXT, {"id": workflow_id}).scalar_one()


def _value(row: StepRow | Row[Any], before: float | None) -> dict[str, Json]:
    known = row.status in SETTLED and (before is None or (row.completed_at or 0.0) <= before)
    return {
        "status": row.status if known else StepStatus.PENDING.value,
        "result": row.result if known else None,
        "error": row.error if known else None,
        "attempts": row.attempts if known else 0,
    }


def _served(values: Mapping[str, dict[str, Json]], name: str) -> Json:
    for value in values.values():
        if value["status"] == StepStatus.COMPLETED.value:
            return value
    return values[name]
