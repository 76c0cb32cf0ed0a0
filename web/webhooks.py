"""The delivery log of webhooks, and sending again what a receiver has lost."""

from uuid import UUID

from flask import Blueprint, Response, jsonify

from orchestrator.ledger.deliveries import redeliver
from orchestrator.ledger.views.deliveries import deliveries_page, delivery_view
from web.bodies import no_body
from web.parameters import DELIVERIES, NONE, query
from web.parts import parts

bp = Blueprint("webhooks", __name__, url_prefix="/api/webhooks/deliveries")


@bp.get("")
def listed() -> Response:
    """A page of deliveries, newest first."""
    asked = query(DELIVERIES)
    page = deliveries_page(
        parts().ledger, asked.get("status"), asked.get("workflowId"), asked.get("cursor"), asked.get("limit", 50)
    )
    return jsonify(page)


@bp.get("/<uuid:delivery_id>")
def one(delivery_id: UUID) -> Response:
    """One delivery with each of its tries."""
    query(NONE)
    return jsonify(delivery_view(parts().ledger, str(delivery_id)))


@bp.post("/<uuid:delivery_id>/redeliver")
def redelivered(delivery_id: UUID) -> Response:
    """Have it sent again now."""
    query(NONE)
    no_body()
    redeliver(parts().ledger, str(delivery_id))
    response = jsonify(delivery_view(parts().ledger, str(delivery_id)))
    response.status_code = 202
    return response
