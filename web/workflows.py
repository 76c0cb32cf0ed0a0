"""Reading workflows: one, its summary, its events, why it is not moving, and pages of them."""

from uuid import UUID

from flask import Blueprint, Response, jsonify

from orchestrator.ledger.views import Filters, events_page, items_page, summary_view, why, workflow_view, workflows_page
from orchestrator.ledger.views.history import Part
from web.parameters import EVENTS, ITEMS, LISTING, NONE, ONE, View, query
from web.parts import parts

bp = Blueprint("workflows", __name__, url_prefix="/api/workflows")


@bp.get("")
def listed() -> Response:
    """A page of workflows, newest first."""
    asked = query(LISTING)
    filters = Filters(
        status=asked.get("status"),
        type=asked.get("type"),
        compensation=asked.get("compensation"),
        created_after=asked.get("createdAfter"),
        created_before=asked.get("createdBefore"),
    )
    return jsonify(workflows_page(parts().ledger, filters, asked.get("cursor"), asked.get("limit", 50)))


@bp.get("/<uuid:workflow_id>")
def one(workflow_id: UUID) -> Response:
    """One workflow, in full or in brief."""
    view = summary_view if query(ONE).get("view") is View.SUMMARY else workflow_view
    return jsonify(view(parts().ledger, str(workflow_id)))


@bp.get("/<uuid:workflow_id>/events")
def events(workflow_id: UUID) -> Response:
    """A page of the audit log, oldest first."""
    asked = query(EVENTS)
    part = Part(step=asked.get("step"))
    return jsonify(events_page(parts().ledger, str(workflow_id), asked.get("cursor"), asked.get("limit", 200), part))


@bp.get("/<uuid:workflow_id>/steps/<step>/items")
def items(workflow_id: UUID, step: str) -> Response:
    """A page of the items of a step with `forEach`."""
    asked = query(ITEMS)
    page = items_page(
        parts().ledger, str(workflow_id), step, asked.get("status"), asked.get("cursor"), asked.get("limit", 100)
    )
    return jsonify(page)


@bp.get("/<uuid:workflow_id>/why")
def explained(workflow_id: UUID) -> Response:
    """Why it is not moving."""
    query(NONE)
    return jsonify(why(parts().ledger, str(workflow_id)))
