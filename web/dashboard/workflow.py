"""One workflow: where it stands and why, its graph, its timeline, its steps, its events."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from secrets import token_urlsafe
from uuid import UUID

from flask import Blueprint, Response

from orchestrator.api_keys import Scope
from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.views import definition_of, events_page, pulse, why, workflow_view
from orchestrator.ledger.views.history import Part
from orchestrator.states import FINAL, StepStatus, Waiting, WorkflowStatus
from web.dashboard.diagram import drawings, layers
from web.dashboard.gantt import Gantt, gantt
from web.dashboard.mosaic import mosaic
from web.dashboard.pages import page
from web.dashboard.step import failed_items
from web.dashboard.steps import NOT_CALLED, called, told, undoing
from web.dashboard.waiting import together
from web.guarding import may
from web.parts import parts

bp = Blueprint("workflow", __name__, url_prefix="/workflows/<uuid:workflow_id>")

MOST_EVENTS = 3_000
"""Events that timeline and attempts are made from, the oldest, and none of single items."""

MOST_SHOWN = 50
"""Events that are listed, the newest; the rest is a page away."""

MOST_OPEN = 60
"""Steps whose details are on the workflow's own page; of a larger one each has a page of its own."""

MOST_LANES = 200
"""Rows of the timeline."""

MOST_NOT_BEGUN = 8
"""Rows of steps that have not begun: there is nothing to see of them."""

FEW_PENDING = 8
"""Steps that are not called yet and are listed with the others; more of them are folded away."""

_UNSETTLED = {"failed": 0, "waiting": 1, "running": 2}


@bp.get("")
def shown(workflow_id: UUID) -> Response:
    """Everything about it."""
    ledger, key = parts().ledger, str(workflow_id)
    # Read first: what changes after it is told by the stream, and nothing is missed.
    seen = pulse(ledger, key)
    view = workflow_view(ledger, key)
    definition = definition_of(ledger, view["definitionVersion"])
    found = events_page(ledger, key, limit=MOST_EVENTS, part=Part(items=False))
    newest = events_page(ledger, key, limit=MOST_SHOWN, part=Part(newest_first=True))
    states = {step["name"]: step for step in view["steps"]}
    small = len(states) <= MOST_OPEN
    drawn = drawings(definition, states)
    timeline = _gantt(view, found["events"], definition)
    return page(
        "workflow.html",
        workflow=view,
        definition=definition,
        seen=seen,
        final=WorkflowStatus(view["status"]) in FINAL,
        why=together(why(ledger, key)["reasons"]),
        orders=_orders(view) if may(Scope.OPERATE) else [],
        approvals=_to_decide(view) if may(Scope.OPERATE) else [],
        once=token_urlsafe(12),
        drawings=drawn,
        layers=[] if drawn else layers(definition.graph, states),
        map=None if drawn else mosaic(definition.graph, states),
        gantt=timeline,
        lanes=timeline.begun(MOST_NOT_BEGUN)[:MOST_LANES],
        steps=_folded(view["steps"]) if small else ([], []),
        states=states,
        called=called(found["events"]),
        not_called=NOT_CALLED,
        undoing=undoing,
        failed_items={step["name"]: failed_items(key, step) for step in view["steps"]} if small else {},
        events=newest["events"],
        more_events=newest["nextCursor"] is not None,
        told=told,
    )


def _folded(steps: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The steps that are shown, and those that are folded away: not called yet, and many."""
    pending = [step for step in steps if step["status"] == StepStatus.PENDING and not step["compensation"]]
    if len(pending) <= FEW_PENDING:
        return list(steps), []
    return [step for step in steps if step not in pending], pending


def _gantt(view: Json, events: Sequence[Json], definition: Definition) -> Gantt:
    """Of a large workflow those rows that somebody would look for, and no single attempts."""
    now = None if WorkflowStatus(view["status"]) in FINAL else datetime.now(UTC)
    if len(view["steps"]) <= MOST_LANES:
        return gantt(view, events, definition.graph.predecessors, now)
    telling = sorted(view["steps"], key=lambda step: _UNSETTLED.get(step["status"], 3 if step["startedAt"] else 4))
    return gantt({**view, "steps": telling[:MOST_LANES]}, (), definition.graph.predecessors, now)


def _to_decide(view: Mapping[str, Json]) -> list[Json]:
    """The steps that wait for a person's approval."""
    return [step for step in view["steps"] if step["waitingFor"] == Waiting.APPROVAL]


def _orders(view: Mapping[str, Json]) -> list[str]:
    """What can be ordered just now, as far as its status says; the ledger decides."""
    match WorkflowStatus(view["status"]):
        case WorkflowStatus.RUNNING:
            return ["pause", "cancel"]
        case WorkflowStatus.PAUSED:
            return ["resume"] if view["ending"] else ["resume", "cancel"]
        case WorkflowStatus.COMPENSATING:
            return []
        case WorkflowStatus.COMPLETED:
            return ["rerun"]
        case _:
            return ["retry", "rerun"] if view["compensation"] in ("none", "failed") else ["rerun"]
