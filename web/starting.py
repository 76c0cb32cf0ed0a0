"""Starting workflows: every definition's entry, and `POST /api/workflows` for all of them."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial

from flask import Blueprint, Flask, Response, jsonify, request, url_for
from werkzeug.exceptions import BadRequest

from orchestrator.admission import Wish, admit, fault_of_key
from orchestrator.definition import Definition
from orchestrator.errors import ContextError, DefinitionError, Fault
from orchestrator.jsontype import Json
from orchestrator.ledger.starting import start
from orchestrator.ledger.views.summary import PROCESSING
from orchestrator.reading import read_document
from orchestrator.tracing import accepted
from web.bodies import json_object
from web.guarding import actor
from web.operations import ENTRY
from web.parameters import NONE, query
from web.parts import parts

bp = Blueprint("starting", __name__)


def register_entries(app: Flask, definitions: Mapping[str, Definition]) -> None:
    """A route for each definition that has an entry."""
    for definition in definitions.values():
        if definition.entry is not None:
            view = partial(_start_entry, definition)
            app.add_url_rule(definition.entry, f"{ENTRY}{definition.type}", view, methods=["POST"])


def _start_entry(definition: Definition) -> Response:
    query(NONE)
    return _started(definition, json_object())


@bp.post("/api/workflows")
def started() -> Response:
    """Start a workflow of a type that there is, or of a definition that comes along."""
    query(NONE)
    body = json_object()
    _check_shape(body)
    context = body.get("context", {})
    if "definition" in body:
        return _started(_inline(body["definition"]), context, {"definition": body["definition"], "context": context})
    return _started(_of_type(body["type"]), context)


def start_key() -> str | None:
    """The client's start key, a 400 where it cannot be one."""
    key = request.headers.get("Idempotency-Key")
    if (fault := fault_of_key(key)) is not None:
        raise BadRequest(f"{fault.place} {fault.message}")
    return key


def accepted_answer(workflow_id: str) -> Response:
    """202: it is in the ledger, and will run to its end."""
    response = jsonify(workflowId=workflow_id, status=PROCESSING)
    response.status_code = 202
    response.headers["Location"] = url_for("workflows.one", workflow_id=workflow_id)
    return response


def _started(definition: Definition, context: Json, body: Json = None) -> Response:
    trace = accepted(request.headers.get("traceparent"))
    wish = Wish(context, actor(), key=start_key(), traceparent=trace, body=body)
    new = start(parts().ledger, definition, admit(definition, wish, parts().sealer))
    parts().publish(new.publication)
    return accepted_answer(new.workflow_id)


def _check_shape(body: dict[str, Json]) -> None:
    faults = [
        Fault(name[:70], "is no field of a start; there are type, definition, context")
        for name in body
        if name not in ("type", "definition", "context")
    ]
    if ("type" in body) == ("definition" in body):
        faults.append(Fault("type", "give either the type of a definition that there is, or a definition"))
    if faults:
        raise ContextError(faults)


def _of_type(name: Json) -> Definition:
    known = parts().definitions
    if isinstance(name, str) and name in known:
        return known[name]
    meant = get_close_matches(str(name)[:70], known, n=1)
    hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(sorted(known)) or 'none'}"
    raise ContextError([Fault("type", f"there is no such definition; {hint}")])


def _inline(document: Json) -> Definition:
    """Whoever may start workflows may bring a definition, but not one that sends our secrets where they like."""
    try:
        definition = read_document(document)
    except DefinitionError as error:
        faults = [Fault(f"definition.{fault.place}".rstrip("."), fault.message) for fault in error.faults]
        raise DefinitionError(faults) from None
    if definition.secrets:
        names = ", ".join(f"secret.{name}" for name in sorted(definition.secrets))
        message = f"reads {names}: only definitions in the orchestrator's own folder may read secrets"
        raise DefinitionError([Fault("definition", message)])
    return definition
