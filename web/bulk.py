"""`POST /api/workflows/bulk`: one order for many workflows, answered when it is carried out."""

from typing import Any

from flask import Blueprint, Response, jsonify

from orchestrator.errors import ContextError, Fault
from orchestrator.jsontype import Json
from orchestrator.ledger.ordering import ACTIONS, MOST, Bulk, order_many
from orchestrator.ledger.views import Filters
from web.bodies import json_object
from web.guarding import actor
from web.parameters import FILTERS, NONE, query
from web.parts import parts
from web.starting import start_key

bp = Blueprint("bulk", __name__)

MOST_SECONDS = 30
"""That one request may take: `limit` divided by `rate`. Who wants more goes on with `nextCursor`."""

_FIELDS = {"action": None, "filter": None, "rate": 100, "limit": 100, "cursor": None, "compensate": True}
_NAMES = {"createdAfter": "created_after", "createdBefore": "created_before"}


@bp.post("/api/workflows/bulk")
def ordered() -> Response:
    """Order it for each of up to `limit` workflows that the filter picks, newest first."""
    query(NONE)
    bulk, cursor = _wanted(json_object())
    tally = order_many(parts().ledger, bulk, parts().publish, cursor)
    return jsonify(
        action=bulk.action,
        ordered=tally.ordered,
        refused=[{"workflowId": one, "reason": reason} for one, reason in tally.refused.items()],
        copies=[{"workflowId": copy, "from": one} for one, copy in tally.copies.items()],
        nextCursor=tally.cursor,
    )


def _wanted(body: dict[str, Json]) -> tuple[Bulk, str | None]:
    given = {**_FIELDS, **body}
    faults = [
        Fault(name[:70], f"is no field of a bulk order; there are {', '.join(_FIELDS)}")
        for name in body
        if name not in _FIELDS
    ]
    filters = _filters(given["filter"], faults)
    for name, right, holds in (
        ("action", f"must be one of {', '.join(ACTIONS)}", given["action"] in ACTIONS),
        ("limit", f"must be a whole number from 1 to {MOST}", _whole(given["limit"]) and given["limit"] <= MOST),
        ("rate", "must be a number of workflows per second, from 0.1 to 1000", _number(given["rate"])),
        ("compensate", "must be true or false", isinstance(given["compensate"], bool)),
        ("cursor", "must be `nextCursor` of the answer before", isinstance(given["cursor"], str | None)),
    ):
        if not holds:
            faults.append(Fault(name, right))
    if not faults and given["limit"] / given["rate"] > MOST_SECONDS:
        most = int(MOST_SECONDS * given["rate"])
        faults.append(Fault("limit", f"at {given['rate']:g} a second take {most} at a time, and go on with nextCursor"))
    if faults:
        raise ContextError(faults)
    bulk = Bulk(given["action"], filters, actor(), given["rate"], given["limit"], given["compensate"], start_key())
    return bulk, given["cursor"]


def _filters(value: Json, faults: list[Fault]) -> Filters:
    """The filter, read as the query of the list is. One that picks everything is surely a mistake."""
    known = {parameter.name: parameter for parameter in FILTERS}
    if not isinstance(value, dict) or not value:
        faults.append(Fault("filter", f"must be an object with some of {', '.join(known)}"))
        return Filters()
    wanted: dict[str, Any] = {}
    for name, text in value.items():
        try:
            if name not in known:
                raise ValueError(f"is none that there is; there are {', '.join(known)}")
            if not isinstance(text, str):
                raise ValueError("must be a text")
            wanted[_NAMES.get(str(name), str(name))] = known[name].read(text)
        except ValueError as error:
            faults.append(Fault(f"filter.{name[:70]}", str(error)))
    return Filters(**wanted)


def _whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.1 <= value <= 1000
