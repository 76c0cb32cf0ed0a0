"""The API's description (OpenAPI 3.1), made from the app's own routes, and the page that shows it."""

import re
from collections.abc import Iterator
from importlib.metadata import version

from flask import Blueprint, Flask, Response, current_app, jsonify, render_template
from werkzeug.routing import Rule

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from web.guarding import is_open
from web.operations import ENTRY, JSON, OPERATIONS, Operation, needed, start_of
from web.parameters import BESIDE, NONE, query
from web.parts import parts
from web.schemas import CONTEXT, ID, SCHEMAS, TEXT, ref

bp = Blueprint("openapi", __name__, url_prefix="/api")
_PROBLEM = "application/problem+json"
_MEDIA = {"openapi.page": "text/html", "metrics.shown": "text/plain"}


@bp.get("/openapi.json")
def document() -> Response:
    """The description for programs."""
    query(NONE)
    return jsonify(described(current_app))


@bp.get("/docs")
def page() -> str:
    """The description for people."""
    query(NONE)
    return render_template("docs.html", api=described(current_app))


def described(app: Flask) -> Json:
    """The OpenAPI document of the app, every definition's entry included."""
    entries = {
        f"{ENTRY}{definition.type}": definition for definition in parts().definitions.values() if definition.entry
    }
    inputs = {f"{one.type}.context": _input(one) for one in entries.values()}
    paths: dict[str, Json] = {}
    for rule, operation in _operations(app, entries):
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: f"{{{found[1]}}}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(rule, operation)
    components: dict[str, Json] = {"schemas": SCHEMAS | inputs}
    about: dict[str, Json] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Orchestrator",
            "version": version("celery-orchestrator"),
            "description": "Workflows of HTTP calls, run to the end whatever crashes, undone in order where they fail.",
        },
        "paths": paths,
    }
    if parts().settings.api_keys:
        scopes = "Each call names the scope that its key needs; a key without it gets 403, no key 401."
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": scopes}}
        about["security"] = [{"key": []}]
    return {**about, "components": components}


def _operations(app: Flask, entries: dict[str, Definition]) -> Iterator[tuple[Rule, Operation]]:
    """Each route with what the table says about it, entries first."""
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: (rule.endpoint not in entries, rule.rule))
    for rule in rules:
        if (definition := entries.get(rule.endpoint)) is not None:
            summary = definition.description or f"Start a workflow of type {definition.type}"
            yield rule, start_of(ref(f"{definition.type}.context"), summary, BESIDE)
        elif rule.endpoint in OPERATIONS:
            yield rule, OPERATIONS[rule.endpoint]


def _input(definition: Definition) -> Json:
    return CONTEXT if definition.input is None else _led(definition.input, f"{definition.type}.context")


def _led(schema: Json, name: str) -> Json:
    """The schema with its references led to the place that it has in the document, which most tools need."""
    if isinstance(schema, list):
        return [_led(part, name) for part in schema]
    if not isinstance(schema, dict):
        return schema
    led = {key: _led(part, name) for key, part in schema.items()}
    if isinstance(target := schema.get("$ref"), str):
        led["$ref"] = f"#/components/schemas/{name}{target.removeprefix('#')}"
    return led


def _operation(rule: Rule, operation: Operation) -> Json:
    media = _MEDIA.get(rule.endpoint, JSON)
    answers = {str(operation.status): _answer(_MEANING[operation.status], media, operation.answer)}
    if operation.query:
        answers["400"] = _answer("A query parameter is wrong.", _PROBLEM, ref("Problem"))
    answers |= {str(status): _answer(when, _PROBLEM, ref("Problem")) for status, when in operation.problems.items()}
    made: dict[str, Json] = {
        "operationId": re.sub(r"\W+", "_", rule.endpoint),
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*_path_parameters(rule), *_query_parameters(operation)],
        "responses": answers,
    }
    if parts().settings.api_keys and rule.rule.startswith("/api/"):
        method = min((rule.methods or set()) - {"HEAD", "OPTIONS"})
        made["security"] = [] if is_open(rule.rule) else [{"key": [needed(rule.endpoint, method).value]}]
    if operation.body:
        content = {media: {"schema": schema} for media, schema in operation.body.items()}
        made["requestBody"] = {"required": operation.body_required, "content": content}
    return made


_MEANING = {200: "As asked.", 201: "It is made.", 202: "Accepted: it is recorded and will happen."}


def _answer(meaning: str, media: str, schema: Json) -> Json:
    return {"description": meaning, "content": {media: {"schema": schema}}}


def _path_parameters(rule: Rule) -> Iterator[Json]:
    for name in sorted(rule.arguments):
        schema = ID if name == "workflow_id" else TEXT
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: Operation) -> Iterator[Json]:
    for one in operation.query:
        yield {"name": one.name, "in": "query", "description": one.meaning, "schema": one.schema}
    if operation.keyed:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The start key: with the same body it gives the same workflow again.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
