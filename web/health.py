"""For those who keep the process running: does it live, can it take work."""

from flask import Blueprint, Response, jsonify

from orchestrator.embedded import embedded_url
from orchestrator.errors import Unavailable
from orchestrator.ledger.migrating import pending
from tasks.broker import broker_answers
from web.parts import parts
from web.problems import problem

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> Response:
    """The process answers. It asks nobody else: a restart would not mend them."""
    return jsonify(status="alive")


@bp.get("/readyz")
def ready() -> Response:
    """The ledger can be reached and its tables are this release's. Redis may be away: starts are kept in the ledger."""
    try:
        missing = pending(parts().ledger.database)
    except Unavailable:
        return problem(503, "the database cannot be reached")
    if missing is not None:
        return problem(503, f"the database lacks migration {missing}; run: orchestrator migrate")
    settings = parts().settings
    redis = broker_answers(settings.redis_url or embedded_url(settings.data))
    return jsonify(
        status="ready",
        database="ok",
        definitions=len(parts().definitions),
        redis="ok" if redis else "away: what is started is sent to the workers when it is back",
    )
