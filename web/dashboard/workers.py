"""Who works, what waits: the workers that have signed on, the queue, and the steps that are parked in the ledger."""

from flask import Blueprint, Response

from orchestrator.embedded import embedded_url
from orchestrator.ledger.views import attendance
from orchestrator.ledger.views.attendance import MOST
from tasks.depth import queue_depth
from web.dashboard.pages import page
from web.parts import parts

bp = Blueprint("workers", __name__, url_prefix="/workers")


@bp.get("")
def shown() -> Response:
    """All of it, as it is just now."""
    settings = parts().settings
    depth = queue_depth(settings.redis_url or embedded_url(settings.data))
    return page("workers.html", attendance=attendance(parts().ledger), depth=depth, most=MOST)
