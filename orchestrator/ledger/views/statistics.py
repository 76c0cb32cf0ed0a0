"""How a type's last workflows and their steps went: counts, failure rates, durations."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from sqlalchemy import Row, bindparam, select

from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import steps, workflows
from orchestrator.ledger.views.listing import Filters, conditions
from orchestrator.ledger.views.snapshot import snapshot
from orchestrator.moments import iso, took_ms
from orchestrator.states import FINAL, StepStatus, WorkflowStatus
from orchestrator.workflow import Kind

MOST_WORKFLOWS = 500
MOST_ROWS = 10_000
"""Rows of steps that are read: of a type with many steps fewer workflows are looked at."""

_LAST = select(
    *(workflows.c[name] for name in "id version status compensation created_at completed_at".split())
).order_by(workflows.c.id.desc())
_STEPS = select(*(steps.c[name] for name in "name status attempts started_at completed_at".split())).where(
    steps.c.workflow_id.in_(bindparam("ids", expanding=True)),
    steps.c.started_at.is_not(None),
    steps.c.kind.in_([Kind.CALL.value, Kind.UNDO.value]),
)


def statistics(ledger: Ledger, workflow_type: str, step_count: int, since: float | None = None) -> Json:
    """The type's last workflows as numbers, of those that were created after `since` (seconds since 1970).

    `step_count` is about how many steps each has. Where there are more workflows than are looked at, `more` is true
    and the numbers are those of the newest. Of the steps those that were called are counted; `failureRate` is the
    share of settled ones that failed, `attempts` a mean. Durations are milliseconds, waits included, of those that
    completed. None where there is nothing to tell.
    """
    limit = max(10, min(MOST_WORKFLOWS, MOST_ROWS // max(1, step_count)))
    wanted = conditions(Filters(type=workflow_type, created_after=since))
    with snapshot(ledger) as connection:
        found = list(connection.execute(_LAST.where(*wanted).limit(limit + 1)))
        last = found[:limit]
        rows = list(connection.execute(_STEPS, {"ids": [row.id for row in last]})) if last else []
    by_step: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_step.setdefault(row.name, []).append(row)
    return {
        "workflows": _of_workflows(last),
        "more": len(found) > limit,
        "since": iso(last[-1].created_at) if last else None,
        "steps": {name: _of_step(found) for name, found in by_step.items()},
        "versions": _of_versions(last),
    }


def _of_workflows(last: Sequence[Row[Any]]) -> Json:
    ended = [row for row in last if WorkflowStatus(row.status) in FINAL]
    completed = [row for row in ended if row.status == WorkflowStatus.COMPLETED.value]
    return {
        "count": len(last),
        "ended": len(ended),
        "completed": len(completed),
        "completionRate": _share(completed, ended),
        **_times(completed),
    }


def _of_step(rows: Sequence[Row[Any]]) -> Json:
    failed = [row for row in rows if row.status == StepStatus.FAILED.value]
    completed = [row for row in rows if row.status == StepStatus.COMPLETED.value]
    return {
        "count": len(rows),
        "failed": len(failed),
        "failureRate": _share(failed, [*failed, *completed]),
        "attempts": fmean(row.attempts for row in rows),
        **_times(completed),
    }


def _of_versions(last: Sequence[Row[Any]]) -> list[Json]:
    """The versions that these workflows use, newest first."""
    found: dict[str, Json] = {}
    for row in last:
        version = found.setdefault(row.version, {"version": row.version, "count": 0, "last": iso(row.created_at)})
        version["count"] += 1
        version["first"] = iso(row.created_at)
    return list(found.values())


def _times(rows: Sequence[Row[Any]]) -> dict[str, Json]:
    first = "created_at" if rows and "created_at" in rows[0]._fields else "started_at"
    took = [ms for row in rows if (ms := took_ms(getattr(row, first), row.completed_at)) is not None]
    return {"meanMs": round(fmean(took)) if took else None, "medianMs": round(median(took)) if took else None}


def _share(part: Sequence[object], whole: Sequence[object]) -> float | None:
    return len(part) / len(whole) if whole else None
