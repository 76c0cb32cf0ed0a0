"""Many starts in one request: every fault is named by its place in the list, and either all are started or none."""

import hashlib
import json
from collections.abc import Callable

from flask import Response, jsonify, request

from orchestrator.definition import Definition
from orchestrator.errors import ContextError, DefinitionError, Fault
from orchestrator.jsontype import Json
from orchestrator.ledger.starting import Start, Started
from orchestrator.ledger.starting_many import MOST, start_many
from orchestrator.ledger.views.summary import PROCESSING
from web.bodies import json_object
from web.pacing import count_starts
from web.parts import parts
from web.starting import Key, start_key

MOST_BYTES = 10_000_000
"""Of the body of such a request."""

_LONGEST_KEY = 250
_MOST_FAULTS = 100

__all__ = ["Key", "batch", "batch_answer"]


def batch(name: str, wanted: Callable[[dict[str, Json], Key], tuple[Definition, Start]]) -> list[Started]:
    """Start what the list in the field `name` asks for; `wanted` reads one of its items.

    Raises ContextError with every fault.
    """
    request.max_content_length = MOST_BYTES
    items = _items(json_object(), name)
    count_starts(len(items) - 1)  # the request itself counts as one
    keys = _keys(items)
    starts: list[tuple[Definition, Start]] = []
    faults: list[Fault] = []
    for place, item in enumerate(items):
        try:
            starts.append(wanted(item, keys[place]))
        except (ContextError, DefinitionError) as error:
            faults += [Fault(f"{name}[{place}].{fault.place}".rstrip("."), fault.message) for fault in error.faults]
    if faults:
        more = [Fault("", f"and {len(faults) - _MOST_FAULTS} more")] if len(faults) > _MOST_FAULTS else []
        raise ContextError([*faults[:_MOST_FAULTS], *more])
    started = start_many(parts().ledger, starts)
    for one in started:
        parts().publish(one.publication)
    return started


def batch_answer(name: str, started: list[Started]) -> Response:
    """202: all of them are in the ledger. In the order in which they were asked for."""
    response = jsonify({name: [{"workflowId": one.workflow_id, "status": PROCESSING} for one in started]})
    response.status_code = 202
    return response


def _items(body: dict[str, Json], name: str) -> list[dict[str, Json]]:
    faults = [Fault(other[:70], f"is no field here; there is {name}") for other in body if other != name]
    items = body.get(name)
    if not isinstance(items, list) or not 1 <= len(items) <= MOST:
        faults.append(Fault(name, f"must be a list of 1 to {MOST}"))
        items = []
    faults += [
        Fault(f"{name}[{place}]", "must be an object") for place, item in enumerate(items) if not isinstance(item, dict)
    ]
    if faults:
        raise ContextError(faults[:_MOST_FAULTS])
    return items


def _keys(items: list[dict[str, Json]]) -> list[Key]:
    """Each item's own start key, bound to the whole list: the same key with another list is refused."""
    key = start_key()
    if key is None:
        return [Key(None)] * len(items)
    if len(key) > _LONGEST_KEY:
        raise ContextError([Fault("Idempotency-Key", f"must be at most {_LONGEST_KEY} characters here")])
    digest = hashlib.sha256(json.dumps(items, sort_keys=True).encode()).hexdigest()
    return [Key(f"{key}/{place}", {"list": digest}) for place in range(len(items))]
