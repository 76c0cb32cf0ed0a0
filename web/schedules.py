"""Schedules over HTTP: made, shown, paused, resumed, triggered, deleted."""

import secrets

from flask import Blueprint, Response, jsonify, url_for

from orchestrator.errors import ContextError
from orchestrator.ledger import schedules
from orchestrator.ledger.views.schedules import schedule_view, schedules_view
from orchestrator.reading.building import schedule_of
from orchestrator.reading.place import Faults, Place
from orchestrator.reading.schedule_kinds import ScheduleKind
from orchestrator.scheduling import check_id, planned
from web.bodies import json_object, no_body
from web.guarding import actor
from web.parameters import NONE, query
from web.parts import parts
from web.starting import accepted_answer, definition_of

bp = Blueprint("schedules", __name__, url_prefix="/api/schedules")

_OWN_FIELDS = ("id", "type")


@bp.get("")
def listed() -> Response:
    """All of them."""
    query(NONE)
    return jsonify(schedules_view(parts().ledger))


@bp.post("")
def created() -> Response:
    """Make one for a type that there is."""
    query(NONE)
    body = json_object()
    schedule_id = check_id(body.get("id", f"s-{secrets.token_hex(6)}"))
    definition = definition_of(body.get("type"))
    at = Place(Faults(None))
    draft = ScheduleKind().read({name: body[name] for name in body if name not in _OWN_FIELDS}, at)
    if found := at.faults.all():
        raise ContextError(found)
    schedules.create(parts().ledger, planned(schedule_id, definition, schedule_of(draft), parts().sealer))
    response = jsonify(schedule_view(parts().ledger, schedule_id))
    response.status_code = 201
    response.headers["Location"] = url_for("schedules.one", schedule_id=schedule_id)
    return response


@bp.get("/<schedule_id>")
def one(schedule_id: str) -> Response:
    """One with its next runs."""
    query(NONE)
    return jsonify(schedule_view(parts().ledger, schedule_id))


@bp.delete("/<schedule_id>")
def deleted(schedule_id: str) -> Response:
    """Start nothing more for it; what it has started goes on."""
    query(NONE)
    told = schedule_view(parts().ledger, schedule_id)
    schedules.delete_schedule(parts().ledger, schedule_id)
    return jsonify(told)


@bp.post("/<schedule_id>/pause")
def paused(schedule_id: str) -> Response:
    """Make no tick until it is resumed."""
    query(NONE)
    no_body()
    schedules.pause(parts().ledger, schedule_id)
    return jsonify(schedule_view(parts().ledger, schedule_id))


@bp.post("/<schedule_id>/resume")
def resumed(schedule_id: str) -> Response:
    """Go on with the next tick from now."""
    query(NONE)
    no_body()
    schedules.resume(parts().ledger, schedule_id)
    return jsonify(schedule_view(parts().ledger, schedule_id))


@bp.post("/<schedule_id>/trigger")
def triggered(schedule_id: str) -> Response:
    """Start its workflow now, besides its ticks."""
    query(NONE)
    no_body()
    started = schedules.trigger(parts().ledger, schedule_id, actor())
    parts().publish(started.publication)
    return accepted_answer(started.workflow_id)
