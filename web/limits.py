"""`/api/limits`: how many calls may go where, and how that stands; set, taken back, opened and closed by a person."""

from flask import Blueprint, Response, jsonify

from orchestrator.durations import seconds_in
from orchestrator.errors import ContextError, Fault
from orchestrator.jsontype import Json
from orchestrator.ledger.allowances import close_circuit, open_circuit, set_limit, unset_limit
from orchestrator.ledger.limiting import is_key
from orchestrator.ledger.views import limit_view, limits_view
from orchestrator.reading import read_allowance
from web.bodies import json_object, no_body
from web.guarding import actor
from web.parameters import NONE, query
from web.parts import parts

bp = Blueprint("limits", __name__, url_prefix="/api/limits")

LONGEST = 30 * 86_400
"""Seconds for which a circuit can be opened."""


@bp.get("")
def listed() -> Response:
    """Every limit with its usage."""
    query(NONE)
    return jsonify(limits=limits_view(parts().ledger))


@bp.get("/<key>")
def one(key: str) -> Response:
    """One of them."""
    query(NONE)
    return jsonify(limit_view(parts().ledger, key))


@bp.put("/<key>")
def put(key: str) -> Response:
    """From now on this holds for the key, whatever definitions say."""
    query(NONE)
    if not is_key(key):
        raise ContextError([Fault("key", "must be 1 to 200 visible ASCII characters without / ? # % or \\")])
    set_limit(parts().ledger, key.lower() if "." in key else key, read_allowance(json_object()), actor())
    return one(key.lower() if "." in key else key)


@bp.delete("/<key>")
def deleted(key: str) -> Response:
    """Nothing is set for the key any more."""
    query(NONE)
    unset_limit(parts().ledger, key)
    return jsonify(key=key, setBy=None)


@bp.post("/<key>/open")
def opened(key: str) -> Response:
    """Let no call in for a while: `{"for": "15m"}`."""
    query(NONE)
    open_circuit(parts().ledger, key, _seconds(json_object()))
    return one(key)


@bp.post("/<key>/close")
def closed(key: str) -> Response:
    """Let calls in again."""
    query(NONE)
    no_body()
    close_circuit(parts().ledger, key)
    return one(key)


def _seconds(body: dict[str, Json]) -> float:
    wrong = [Fault(name[:70], "is no field of this call; there is for") for name in body if name != "for"]
    value = body.get("for")
    seconds = seconds_in(value) if isinstance(value, str) else value
    number = 0.0 if isinstance(seconds, bool) or not isinstance(seconds, int | float) else float(seconds)
    if not 0 < number <= LONGEST:
        wrong.append(Fault("for", "must be seconds, or a duration such as 90s or 15m, of at most 30d"))
    if wrong:
        raise ContextError(wrong)
    return number
