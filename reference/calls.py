"""The API, from the OpenAPI document that the web process gives out."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.settings import Settings
from reference.fields import spelled
from reference.tables import table
from web.application import create_app
from web.openapi import described


def api_page() -> str:
    """Every call with its parameters, its body and its answers."""
    document = _document()
    parts = [
        "# The API\n\nThe same as `/api/docs` of a running installation shows, and `/api/openapi.json` for programs. "
        "Errors are `application/problem+json` (RFC 9457), every fault named with its place.\n"
    ]
    for tag, calls in _by_tag(document).items():
        parts.append(f"## {tag.capitalize()}\n")
        parts += [_call(method, path, call) for method, path, call in calls]
    parts.append("## Shapes\n")
    parts += [_shape(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "\n".join(parts)


def _document() -> Json:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_environment({"ORCHESTRATOR_DATA": folder, "ORCHESTRATOR_LOG_LEVEL": "ERROR"})
        database = Database(f"sqlite:///{Path(folder) / 'none.sqlite3'}")
        app = create_app(settings, ledger=Ledger(database), definitions={}, publish=lambda _: None)
        with app.app_context():
            document = described(app)
        database.close()
    return document


def _by_tag(document: Json) -> dict[str, list[tuple[str, str, Json]]]:
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            found.setdefault(call["tags"][0], []).append((method.upper(), path, call))
    return found


def _call(method: str, path: str, call: Json) -> str:
    lines = [f"### {method} {path}", "", call["summary"], ""]
    if call["parameters"]:
        rows = [
            (f"`{one['name']}`", one["in"], one.get("description", ""), _told(one["schema"]))
            for one in call["parameters"]
        ]
        lines += [table(("parameter", "in", "", "may hold"), rows)]
    if "requestBody" in call:
        lines += [f"Body: {_contents(call['requestBody']['content'])}", ""]
    answers = [
        (status, answer["description"], _contents(answer["content"])) for status, answer in call["responses"].items()
    ]
    return "\n".join([*lines, table(("answer", "", "holds"), answers)])


def _contents(content: Json) -> str:
    return " or ".join(f"`{media}`: {_told(one['schema'])}" for media, one in content.items())


def _told(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if schema.get("type") == "array" and "$ref" in schema.get("items", {}):
        return f"a list of {_told(schema['items'])}"
    return spelled(schema)


def _shape(name: str, schema: Json) -> str:
    said = [f"### {name}", ""]
    if "description" in schema:
        said += [schema["description"], ""]
    if rows := list(_properties(schema)):
        return "\n".join([*said, table(("field", "", "holds"), rows)])
    return "\n".join([*said, _told(schema), ""])


def _properties(schema: Json) -> Iterator[tuple[str, str, str]]:
    for name, below in schema.get("properties", {}).items():
        yield f"`{name}`", below.get("description", ""), _told(below)
