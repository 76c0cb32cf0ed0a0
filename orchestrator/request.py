"""From a claimed step to the request that goes out: expressions filled in, control fields last, the idempotency key."""

import json
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from orchestrator.call import Request
from orchestrator.callbacks import Attempt, Callbacks, Tokens
from orchestrator.definition import Call
from orchestrator.errors import ExpressionError
from orchestrator.expressions import Template
from orchestrator.jsontype import Json
from orchestrator.ledger.materials import Materials
from orchestrator.moments import iso
from orchestrator.outcome import Question
from orchestrator.presenting import credentials_of
from orchestrator.private import private_texts
from orchestrator.rendering import text_of
from orchestrator.sealing import MASK, Sealer, merged, without
from orchestrator.settings import Settings
from orchestrator.states import StepStatus
from orchestrator.tracing import attempt_span, headers_of
from orchestrator.workflow import index_of, step_of

_KEYS = uuid.UUID("6a1f3c52-6f0e-5d0c-9a53-0d2f7c6f1b1e")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What requests may read besides the workflow: `${vars.X}`, `${secret.X}`, and the key to sensitive fields.

    `callbacks` says where services answer later.
    """

    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    sealer: Sealer
    callbacks: Callbacks = field(default_factory=lambda: Callbacks(None, Tokens(())))


def surroundings(settings: Settings) -> Surroundings:
    """Those of this installation."""
    keys = settings.key().split(",")
    callbacks = Callbacks(settings.public_url, Tokens(keys))
    return Surroundings(settings.vars, settings.secrets, Sealer(keys), callbacks)


def idempotency_key(workflow_id: str, step: str, key_round: int) -> str:
    """The same for every attempt of a step; a new one only where a person had it run again on purpose."""
    return str(uuid.uuid5(_KEYS, f"{workflow_id}/{step}/{key_round}"))


def scope_of(materials: Materials, around: Surroundings) -> dict[str, Json]:
    """What the request's expressions read."""
    scope = {
        "context": merged(materials.context, around.sealer.open(materials.sealed)),
        "steps": materials.steps,
        "workflow": {
            "id": materials.workflow_id,
            "type": materials.definition.type,
            "createdAt": iso(materials.created_at),
        },
        "vars": around.variables,
        "secret": around.secrets,
    }
    if materials.step.kind.of_item:
        scope |= {"item": materials.item, "index": index_of(materials.step.name)}
    return scope


def request_for(materials: Materials, around: Surroundings) -> Request:
    """The request of this attempt.

    Raises ExpressionError where it cannot be filled in, SettingsError where this worker is not set up for it.
    """
    told = _told_of_callback(materials, around)
    scope = scope_of(materials, around) | ({"callback": told} if told else {})
    call = materials.call
    payload = _payload(materials, call, scope)
    body, content_type = _encoded(call, payload)
    headers = {"Accept": "application/json", "User-Agent": "celery-orchestrator"}
    if body is not None:
        headers["Content-Type"] = content_type
    headers |= {name: text_of(template.render(scope), f"header {name}") for name, template in call.headers.items()}
    headers |= _control_headers(materials, scope)
    if told:
        headers |= {"X-Callback-Url": told["url"], "X-Callback-Token": told["token"]}
    who = credentials_of(call.auth, scope)
    sealed = around.sealer.open(materials.sealed)
    private = private_texts(materials.definition, around.secrets, sealed)
    private += (told["token"],) if told else ()
    return Request(call.method, _url(call, scope), headers, body, materials.timeout, who, private=private)


def question_for(materials: Materials, around: Surroundings, question: Question) -> Request:
    """The request that asks how an accepted attempt stands; to a foreign address nothing of ours goes along."""
    scope = scope_of(materials, around)
    call = materials.call
    headers = {"Accept": "application/json", "User-Agent": "celery-orchestrator"}
    if question.ours:
        headers |= {name: text_of(template.render(scope), f"header {name}") for name, template in call.headers.items()}
        headers |= _control_headers(materials, scope)
    who = credentials_of(call.auth, scope) if question.ours else None
    private = private_texts(materials.definition, around.secrets, around.sealer.open(materials.sealed))
    return Request("GET", question.url, headers, None, materials.timeout, who, private=private)


def _told_of_callback(materials: Materials, around: Surroundings) -> dict[str, str]:
    step = materials.step
    if step.kind.undoes or materials.own.callback is None:
        return {}
    return around.callbacks.told(materials.workflow_id, step.name, Attempt(materials.attempt, step.key_round))


def shown(materials: Materials, request: Request) -> dict[str, Json]:
    """What the audit log keeps of a request: no body, and where something secret is read, the expression instead."""
    call, sensitive = materials.call, materials.definition.sensitive
    private = any(_reads_private(template, sensitive) for template in (call.target_url, *call.query.values()))
    key = call.idempotency_key
    return {
        "method": request.method,
        "url": call.target_url.source if private else request.url,
        "key": key.source if key and _reads_private(key, sensitive) else request.headers["Idempotency-Key"],
    }


def _reads_private(template: Template, sensitive: Iterable[str]) -> bool:
    reads = template.references
    return bool(reads.secrets) or "callback" in reads.roots or any(reads.touches(path) for path in sensitive)


def _control_headers(materials: Materials, scope: Mapping[str, Json]) -> dict[str, str]:
    step = materials.step
    key = idempotency_key(materials.workflow_id, step.name, step.key_round)
    if materials.call.idempotency_key is not None:
        key = text_of(materials.call.idempotency_key.render(scope), "idempotencyKey")
    return {
        "Idempotency-Key": key,
        **headers_of(materials.traceparent, materials.workflow_id, attempt_span(step.name, materials.attempt)),
        "X-Workflow-Id": materials.workflow_id,
        "X-Step": step.name,
    }


def _payload(materials: Materials, call: Call, scope: Mapping[str, Json]) -> Json:
    if materials.undone is None:
        return _own_payload(materials, call, scope, materials.step.name)
    told = {"result": _told(call, _result_of_undone(materials))}
    rendered = call.payload.render(scope) if call.payload is not None else told
    if not isinstance(rendered, dict):
        return rendered
    if materials.undone.status is not StepStatus.COMPLETED:
        return rendered | _original(materials, scope)
    return rendered | _identity(materials, materials.undone.name) if call.payload is None else rendered


def _own_payload(materials: Materials, call: Call, scope: Mapping[str, Json], step: str) -> Json:
    """What the definition says, else the context and all earlier results, control fields last."""
    if call.payload is not None:
        return call.payload.render(scope)
    if materials.step.kind.of_item:
        # Not the whole context: with every item the whole list would be sent.
        return {"item": scope["item"], "index": scope["index"], **_identity(materials, step)}
    results = {name: seen["result"] for name, seen in materials.steps.items() if seen["status"] == "completed"}
    context = without(materials.context, materials.definition.sensitive)
    return {**context, "previousResults": results, **_identity(materials, step)}


def _identity(materials: Materials, step: str) -> dict[str, Json]:
    return {"workflowId": materials.workflow_id, "step": step}


def _result_of_undone(materials: Materials) -> Json:
    name = step_of(materials.step.name)
    return materials.steps[name]["result"] if name in materials.steps else None


def _original(materials: Materials, scope: Mapping[str, Json]) -> dict[str, Json]:
    """Where the outcome is unknown there is no result to undo by: say what the service was asked, and its key.

    What is secret or sensitive is masked: it was named for the service that was called, not for the one that undoes.
    """
    undone = materials.undone
    assert undone is not None, "only a compensation has an original request"
    call = materials.definition.steps[step_of(undone.name)].call
    original, key = None, idempotency_key(materials.workflow_id, undone.name, undone.key_round)
    # Where either cannot be filled in, the other still says what is meant.
    with suppress(ExpressionError):
        if call.idempotency_key is not None:
            key = text_of(call.idempotency_key.render(scope), "idempotencyKey")
    with suppress(ExpressionError):
        masked = {"context": materials.context, "secret": dict.fromkeys(scope["secret"], MASK)}
        original = _own_payload(materials, call, {**scope, **masked}, undone.name)
    return {
        **_identity(materials, undone.name),
        "outcome": "unknown",
        "originalRequest": _told(materials.call, original),
        "originalIdempotencyKey": key,
    }


def _told(undo: Call, value: Json) -> Json:
    """What an undo is told besides its own payload; the fields of a form are texts, so an object is one as JSON."""
    return _compact(value) if undo.encoding == "form" and isinstance(value, dict | list) else value


def _url(call: Call, scope: Mapping[str, Json]) -> str:
    url = text_of(call.target_url.render(scope), "targetUrl")
    query = {name: template.render(scope) for name, template in call.query.items()}
    present = {name: text_of(value, f"query {name}") for name, value in query.items() if value is not None}
    if not present:
        return url
    address, _, fragment = url.partition("#")
    joined = address + ("&" if "?" in address else "?") + urlencode(present, quote_via=quote)
    return f"{joined}#{fragment}" if fragment else joined


def _encoded(call: Call, payload: Json) -> tuple[bytes | None, str]:
    if call.method in ("GET", "HEAD") and call.payload is None:
        return None, ""
    if call.encoding == "json":
        return _compact(payload).encode(), "application/json"
    if not isinstance(payload, dict):
        raise ExpressionError("a form payload must be an object of texts and numbers")
    fields = {name: text_of(value, f"payload {name}") for name, value in payload.items() if value is not None}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
