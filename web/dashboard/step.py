"""One step of a workflow on a page of its own, and each item of a step with `forEach`."""

import re
from collections.abc import Mapping
from secrets import token_urlsafe
from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from orchestrator.jsontype import Json
from orchestrator.ledger.views import events_page, items_page, pulse, workflow_view
from orchestrator.ledger.views.history import Part
from orchestrator.states import StepStatus
from web.dashboard.pages import page
from web.dashboard.steps import NOT_CALLED, called, told, undoing
from web.parts import parts

bp = Blueprint("step", __name__, url_prefix="/workflows/<uuid:workflow_id>/steps")

MOST_EVENTS = 1_000
"""Events of one step that are looked at, the oldest; its attempts are bounded by its retries."""

ITEMS_SHOWN = 50
FAILED_SHOWN = 5
"""Items that failed and are named on the workflow's own page."""

SORTS = ("all", "failed", "running", "waiting", "pending", "completed")
_ITEM = re.compile(r"(.+)\[([0-9]{1,4})\]")  # there are 10,000 at most


@bp.get("/<path:name>")
def shown(workflow_id: UUID, name: str) -> Response:
    """A step, or an item by its name (`send[3]`)."""
    ledger, key = parts().ledger, str(workflow_id)
    # Read first: what changes after it is told by the stream, and nothing is missed.
    seen = pulse(ledger, key)
    view = workflow_view(ledger, key)
    item = _ITEM.fullmatch(name)
    step = _step(view, name) if item is None else _item(key, item[1], int(item[2]))
    found = events_page(ledger, key, limit=MOST_EVENTS, part=Part(step=name))["events"]
    return page(
        "step.html",
        workflow=view,
        step={**step, "name": name},
        owner=None if item is None else item[1],
        seen=seen,
        listed=_items(key, step) if item is None and step["items"] else None,
        sorts=SORTS,
        once=token_urlsafe(12),
        events=list(reversed(found)),
        called=called(found),
        not_called=NOT_CALLED,
        undoing=undoing,
        told=told,
    )


def failed_items(workflow_id: str, step: Mapping[str, Json]) -> list[Json]:
    """The first of the step's items that failed, for its workflow's page."""
    if not step["items"] or not step["items"]["failed"]:
        return []
    found = items_page(parts().ledger, workflow_id, step["name"], StepStatus.FAILED, limit=FAILED_SHOWN)
    failed: list[Json] = found["items"]
    return failed


def _step(view: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    found: Mapping[str, Json] | None = next((step for step in view["steps"] if step["name"] == name), None)
    if found is None:
        raise NotFound
    return found


def _item(workflow_id: str, step: str, place: int) -> Mapping[str, Json]:
    before = str(place - 1) if place else None
    found: list[Mapping[str, Json]] = items_page(parts().ledger, workflow_id, step, cursor=before, limit=1)["items"]
    if not found or found[0]["index"] != place:
        raise NotFound
    return found[0]


def _items(workflow_id: str, step: Mapping[str, Json]) -> Json:
    """A page of its items: where nothing else is asked for those that failed, if any have."""
    sort = request.args.get("items", "")
    if sort not in SORTS:
        sort = "failed" if step["items"]["failed"] else "all"
    status = None if sort == "all" else StepStatus(sort)
    cursor = request.args.get("cursor")
    found = items_page(parts().ledger, workflow_id, step["name"], status, cursor, ITEMS_SHOWN)
    return {**found, "sort": sort}
