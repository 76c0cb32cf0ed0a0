"""What works beside the workflows: the schedules that start them, and the deliveries that tell of their ends."""

from uuid import UUID

from flask import Blueprint, flash, redirect, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from orchestrator.api_keys import Scope
from orchestrator.errors import Conflict, Unavailable
from orchestrator.ledger import schedules
from orchestrator.ledger.deliveries import redeliver
from orchestrator.ledger.views.deliveries import STANDINGS, deliveries_page, delivery_view
from orchestrator.ledger.views.schedules import schedule_view, schedules_view
from web.dashboard.ordering import told_of
from web.dashboard.pages import page
from web.guarding import actor, may
from web.parameters import DELIVERIES, query
from web.parts import parts

bp = Blueprint("clockwork", __name__)

_DONE = {
    "pause": "Paused: no tick is made until it is resumed.",
    "resume": "It goes on with its next tick.",
    "trigger": "Started now, besides its ticks.",
}


@bp.get("/schedules")
def scheduled() -> Response:
    """Every schedule with its next runs."""
    ledger = parts().ledger
    told = [schedule_view(ledger, each["scheduleId"]) for each in schedules_view(ledger)["schedules"][:_MOST]]
    return page("schedules.html", schedules=told, most=_MOST, ordering=may(Scope.OPERATE))


_MOST = 200
"""Schedules that the page shows."""


@bp.post("/schedules/<schedule_id>/<verb>")
def steered(schedule_id: str, verb: str) -> Response:
    """Do it, and show them all with the answer."""
    if verb not in _DONE:
        raise NotFound
    ledger = parts().ledger
    try:
        if verb == "trigger":
            parts().publish(schedules.trigger(ledger, schedule_id, actor()).publication)
        elif verb == "pause":
            schedules.pause(ledger, schedule_id)
        else:
            schedules.resume(ledger, schedule_id)
        flash(f"{schedule_id}: {_DONE[verb]}", "done")
    except (Conflict, Unavailable) as error:
        flash(told_of(error), "problem")
    return redirect(url_for("dashboard.clockwork.scheduled"), 303)


@bp.get("/webhooks")
def told() -> Response:
    """A page of the delivery log, newest first."""
    asked = query(DELIVERIES)
    ledger, workflow_id = parts().ledger, asked.get("workflowId")
    found = deliveries_page(ledger, asked.get("status"), workflow_id, asked.get("cursor"), asked.get("limit", 50))
    return page(
        "webhooks.html",
        deliveries=found["deliveries"],
        next=found["nextCursor"],
        standing=asked.get("status"),
        workflow_id=workflow_id,
        standings=STANDINGS,
    )


@bp.get("/webhooks/<uuid:delivery_id>")
def one(delivery_id: UUID) -> Response:
    """One delivery with each of its tries."""
    shown = delivery_view(parts().ledger, str(delivery_id))
    return page("webhook.html", delivery=shown, ordering=may(Scope.OPERATE))


@bp.post("/webhooks/<uuid:delivery_id>/redeliver")
def again(delivery_id: UUID) -> Response:
    """Have it sent again now."""
    redeliver(parts().ledger, str(delivery_id))
    flash("It is sent again, under the same id.", "done")
    return redirect(url_for("dashboard.clockwork.one", delivery_id=delivery_id), 303)
