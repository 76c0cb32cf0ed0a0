"""What a completed step with `forEach` gives: its items' results, in order, put together once."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from orchestrator.jsontype import Json
from orchestrator.ledger.tables import steps
from orchestrator.states import StepStatus
from orchestrator.workflow import Kind, index_of


def collect(connection: Connection, workflow_id: str, step: str) -> tuple[Json, Json]:
    """The step's result and error, from the rows of its items."""
    found = connection.execute(_RESULTS, {"id": workflow_id, "prefix": f"{step}[", "length": len(step) + 1})
    return collected((row.name, row.status, row.result) for row in found)


def collected(items: Iterable[tuple[str, str, Json]]) -> tuple[Json, Json]:
    """The results by the items' places, null for those that failed; an error that lists these, None for none.

    An item is its name, its status and its result. Pure.
    """
    by_place = sorted(((index_of(name), status, result) for name, status, result in items), key=lambda item: item[0])
    results = [result if status == StepStatus.COMPLETED.value else None for _, status, result in by_place]
    failed = [place for place, status, _ in by_place if status == StepStatus.FAILED.value]
    if not failed:
        return results, None
    message = f"{len(failed)} of {len(results)} items failed, which is tolerated"
    return results, {"kind": "items", "message": message, "failed": failed}


def of_step() -> ColumnElement[bool]:
    """The rows of the items of one step: `id` is the workflow's, `prefix` the step's name and `[`, of that `length`."""
    return (
        (steps.c.workflow_id == bindparam("id"))
        & (steps.c.kind == Kind.ITEM.value)
        & (func.substr(steps.c.name, 1, bindparam("length")) == bindparam("prefix"))
    )


_RESULTS = select(steps.c.name, steps.c.status, steps.c.result).where(of_step())
