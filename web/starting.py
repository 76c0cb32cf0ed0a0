"""Starting workflows: every definition's entry, and `POST /api/workflows` for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

from flask import Blueprint, Flask, Response, jsonify, request, url_for
from werkzeug.exceptions import BadRequest

from orchestrator.admission import Wish, admit, fault_of_key
from orchestrator.beginning import Beginning, read_beginning
from orchestrator.definition import Definition
from orchestrator.errors import ContextError, DefinitionError, Fault, FaultyInput
from orchestrator.jsontype import Json
from orchestrator.ledger.starting import Start, Started
from orchestrator.ledger.views.summary import PROCESSING
from orchestrator.priority import read_priority
from orchestrator.reading import read_document
from web.bodies import json_object
from web.guarding import actor
from web.operations import ENTRY
from web.parameters import BESIDE, NONE, query
from web.parts import parts
from web.tracing import kept_trace

bp = Blueprint("starting", __name__)
_FIELDS = ("type", "definition", "context", "delay", "notBefore", "webhookUrl", "priority")


@dataclass(frozen=True, slots=True)
class Key:
    """A start key, and what it is bound to where that is not the start's own body."""

    text: str | None
    bound_to: Json = None


def register_entries(app: Flask, definitions: Mapping[str, Definition]) -> None:
    """A route for each definition that has an entry."""
    for definition in definitions.values():
        if definition.entry is not None:
            view = partial(_start_entry, definition)
            app.add_url_rule(definition.entry, f"{ENTRY}{definition.type}", view, methods=["POST"])


def _start_entry(definition: Definition) -> Response:
    faults: list[Fault] = []
    given = query(BESIDE)
    beginning = read_beginning(given, faults)
    if faults:
        raise FaultyInput(faults)
    wanted = wished(definition, json_object(), given, beginning, Key(start_key()))
    return accepted_answer(begin(definition, wanted).workflow_id)


@bp.post("/api/workflows")
def started() -> Response:
    """Start a workflow of a type that there is, or of a definition that comes along."""
    query(NONE)
    return accepted_answer(begin(*wanted_by(json_object(), Key(start_key()))).workflow_id)


def wanted_by(body: dict[str, Json], key: Key) -> tuple[Definition, Start]:
    """The start that a body asks for. Raises ContextError or DefinitionError with every fault."""
    faults = unknown_fields(body, _FIELDS, "a start")
    if ("type" in body) == ("definition" in body):
        faults.append(Fault("type", "give either the type of a definition that there is, or a definition"))
    beginning = read_beginning(body, faults)
    if faults:
        raise ContextError(faults)
    definition = _inline(body["definition"]) if "definition" in body else definition_of(body["type"])
    beside = {name: value for name, value in body.items() if name not in ("type", "context")}
    return definition, wished(definition, body.get("context", {}), beside, beginning, key)


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


def wished(definition: Definition, context: Json, beside: dict[str, Json], beginning: Beginning, key: Key) -> Start:
    """The start that a client asks for; `beside` is what was said beside its context, and bound to its key with it.

    Raises ContextError with every fault.
    """
    faults: list[Fault] = []
    priority = read_priority(beside, faults)
    if faults:
        raise ContextError(faults)
    body = {"context": context, **beside} if beside else None
    wish = Wish(
        context,
        actor(),
        key=key.text,
        traceparent=kept_trace(),
        body=body if key.bound_to is None else key.bound_to,
        beginning=beginning,
        webhook_url=beside.get("webhookUrl"),
        priority=priority,
    )
    return admit(definition, wish, parts().sealer)


def begin(definition: Definition, wanted: Start) -> Started:
    """Start it, and send what is to be sent."""
    new = parts().starter.start(definition, wanted)
    parts().publish(new.publication)
    return new


def unknown_fields(body: dict[str, Json], known: Sequence[str], of: str) -> list[Fault]:
    """A fault for each field that there is not, and for a webhook that is null."""
    faults = [
        Fault(name[:70], f"is no field of {of}; there are {', '.join(known)}") for name in body if name not in known
    ]
    if body.get("webhookUrl", "") is None:
        faults.append(Fault("webhookUrl", "is null; give an address or leave it out"))
    return faults


def definition_of(name: Json) -> Definition:
    """The definition of that type. Raises ContextError, which says what there is."""
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
