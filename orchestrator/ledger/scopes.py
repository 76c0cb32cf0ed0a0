"""What expressions may read of a workflow: its settled steps as `{status, result, error, attempts}`."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, select

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.tables import steps, workflows
from orchestrator.states import SETTLED, StepStatus

_READ = select(
    steps.c.name, steps.c.status, steps.c.result, steps.c.error, steps.c.attempts, steps.c.completed_at
).where(steps.c.workflow_id == bindparam("id"), steps.c.name.in_(bindparam("names", expanding=True)))

_CONTEXT = select(workflows.c.context).where(workflows.c.id == bindparam("id"))


def steps_scope(
    connection: Connection,
    workflow_id: str,
    definition: Definition,
    names: Collection[str],
    before: float | None = None,
) -> dict[str, Json]:
    """The named steps as expressions read them.

    With `before`, a step that settled later reads as pending, so that every attempt of a step is made of the same
    things. A step whose fallback completed reads as that: later steps see one result, whichever provider served.
    """
    wanted = {other for name in names for other in definition.with_fallbacks(name)}
    if not wanted:
        return {}
    found: dict[str, Json] = {}
    for row in connection.execute(_READ, {"id": workflow_id, "names": sorted(wanted)}):
        seen = row.status in SETTLED and (before is None or row.completed_at <= before)
        found[row.name] = {
            "status": row.status if seen else StepStatus.PENDING.value,
            "result": row.result if seen else None,
            "error": row.error if seen else None,
            "attempts": row.attempts,
        }
    return {name: _served(definition, name, found) for name in names if name in found}


def _served(definition: Definition, name: str, found: Mapping[str, Json]) -> Json:
    for other in definition.with_fallbacks(name):
        if other in found and found[other]["status"] == StepStatus.COMPLETED.value:
            return found[other]
    return found[name]


def context_of(connection: Connection, workflow_id: str) -> Json:
    """The context, with what is sensitive masked."""
    return connection.execute(_CONTEXT, {"id": workflow_id}).scalar_one()
