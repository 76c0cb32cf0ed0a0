"""New workflows with one statement: their rows, their steps and their first events in one round trip. PostgreSQL only.

The rows are those that `starting` makes, for a start at the time 0: the statement adds the time by the database's
clock. What all workflows of one version have in common, their steps, is made and sent once a version.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.engine import CLOCKS, compact
from orchestrator.ledger.rows import new_step
from orchestrator.ledger.tables import events, steps, workflows
from orchestrator.moves.starting import first_steps

_TIMES = frozenset({"created_at", "deadline_at", "wake_at", "sent_at"})
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no type for it


def insert_at_once(
    connection: Connection, rows: Sequence[Mapping[str, Json]], definitions: Iterable[Definition]
) -> frozenset[str]:
    """Write the workflows; gives back the ids of all but those whose start key was used before.

    A row has the columns of its workflow, times relative to now, and `event` and `details` of its first event.
    `definitions` are all of theirs. The connection commits each statement, or the caller does.
    """
    # In one order for all who write: two batches with the same keys must not wait for each other.
    ordered = sorted(rows, key=lambda row: (row["type"], row["start_key"] or ""))
    laid = ",".join(_steps_of(_Version(one.version, one)) for one in definitions)
    found = connection.exec_driver_sql(_STATEMENT, (compact([_given(row) for row in ordered]), f"[{laid}]"))
    return frozenset(found.scalars())


@dataclass(frozen=True, slots=True)
class _Version:
    """A definition, told from others by its version."""

    version: str
    definition: Definition = field(compare=False)


@lru_cache(maxsize=1_000)
def _steps_of(one: _Version) -> str:
    """The steps of a new workflow, as JSON without the brackets around it."""
    laid, _ = first_steps("", one.definition, 0.0)
    return compact([_given(new_step("", step)) | {"version": one.version} for step in laid])[1:-1]


def _given(row: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in row.items() if value is not None}


def _statement() -> str:
    laid = [column.name for column in steps.columns if column.name not in ("workflow_id", "item", "result", "error")]
    begun = [column.name for column in workflows.columns if column.name not in ("ending", "completed_at", "rerun_as")]
    return f"""
        WITH clock AS MATERIALIZED (SELECT {CLOCKS["postgresql"]} AS now),
        wanted AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%s::json) AS r({_types(workflows, begun)}, "event" text, "details" json)
        ),
        begun AS (
            INSERT INTO workflows ({_listed(begun)}) SELECT {_values(begun)} FROM wanted AS r CROSS JOIN clock
            ON CONFLICT (type, start_key) DO NOTHING RETURNING id, version
        ),
        laid AS (
            INSERT INTO steps (workflow_id, {_listed(laid)}) SELECT begun.id, {_values(laid)}
            FROM begun CROSS JOIN clock
            JOIN json_to_recordset(%s::json) AS r({_types(steps, laid)}, "version" text) ON r.version = begun.version
        ),
        told AS (
            INSERT INTO {events.name} (workflow_id, at, type, details)
            SELECT r.id, clock.now, r.event, r.details
            FROM begun JOIN wanted AS r ON r.id = begun.id CROSS JOIN clock
        )
        SELECT id FROM begun
    """  # noqa: S608 - names of our own


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _values(names: Iterable[str]) -> str:
    return ", ".join(f'clock.now + r."{name}"' if name in _TIMES else f'r."{name}"' for name in names)


def _types(table: Table, names: Iterable[str]) -> str:
    return ", ".join(f'"{name}" {table.c[name].type.compile(_DIALECT)}' for name in names)


_STATEMENT = _statement()
