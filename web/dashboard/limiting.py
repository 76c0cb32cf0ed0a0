"""The limits as a page: what may go where, how it stands, and the buttons that open and close a circuit."""

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from orchestrator.errors import NotFound as NoLimit
from orchestrator.errors import Unavailable
from orchestrator.ledger.allowances import close_circuit, open_circuit
from orchestrator.ledger.views import limits_view
from web.dashboard.pages import page
from web.parts import parts

bp = Blueprint("limiting", __name__, url_prefix="/limits")

A_WHILE = 900.0
"""Seconds for which the button opens a circuit; the API and the command take any time."""


@bp.get("")
def shown() -> Response:
    """All of them, as they are just now."""
    return page("limits.html", limits=limits_view(parts().ledger))


@bp.post("/<verb>")
def ordered(verb: str) -> Response:
    """Open or close the circuit of the key that the form names."""
    if verb not in ("open", "close"):
        raise NotFound
    key = request.form.get("key", "")[:200]
    try:
        if verb == "open":
            open_circuit(parts().ledger, key, A_WHILE)
            flash(f"No call of {key} is let in for 15 minutes; then one probes.", "done")
        else:
            close_circuit(parts().ledger, key)
            flash(f"Calls of {key} are let in.", "done")
    except (NoLimit, Unavailable) as error:
        flash(str(error), "problem")
    return redirect(url_for("dashboard.limiting.shown"), 303)
