"""Arazzo's runtime expressions (`$inputs.id`, `$steps.a.outputs.b`, `$response.body#/x/0`) → JMESPath."""

import json
import re
from collections.abc import Mapping

from orchestrator.jsontype import Json

_EMBEDDED = re.compile(r"\{(\$[^{}]+)\}")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]+)\]|\['([^']*)'\]")


class Unsupported(Exception):
    """It cannot be said in a definition; the text says what and perhaps what could be done."""


class Names:
    """How the document's steps are called in the definition, and which outputs they have."""

    def __init__(self, steps: Mapping[str, str], outputs: Mapping[str, frozenset[str]]) -> None:
        self._steps = steps
        self._outputs = outputs

    def step(self, name: str) -> str:
        """The step's name in the definition."""
        if name not in self._steps:
            raise Unsupported(f"there is no step '{name}'")
        return self._steps[name]

    def output(self, step: str, output: str) -> str:
        """The path of an output in the definition."""
        if output not in self._outputs.get(step, frozenset()):
            raise Unsupported(f"step '{step}' has no output '{output}'")
        return f"steps.{member(self.step(step))}.result.{member(output)}"


def expression(text: str, names: Names) -> str:
    """One runtime expression as JMESPath. Raises Unsupported."""
    source, _, pointer = text.partition("#")
    parts = source.split(".")
    match parts:
        case ["$statusCode"]:
            return "response.status"
        case ["$response", "body"]:
            return "response.body" + by_pointer(pointer)
        case ["$response", "header", *name]:
            return f"response.headers.{member('.'.join(name).lower())}"
        case ["$inputs", *path] if path:
            return ".".join(["context", *map(member, path)]) + by_pointer(pointer)
        case ["$steps", step, "outputs", output, *path]:
            return ".".join([names.output(step, output), *map(member, path)]) + by_pointer(pointer)
        case ["$response", "body", *path] if path:
            raise Unsupported(f"'{text}' is no runtime expression; write $response.body#/{'/'.join(path)}")
        case ["$response" | "$inputs" | "$steps", *_]:
            raise Unsupported(f"'{text}' is no runtime expression that can be read here")
        case [root, *_]:
            raise Unsupported(f"'{root}' cannot be read by a definition")
    raise Unsupported(f"'{text}' is no runtime expression")


def template(value: Json, names: Names) -> Json:
    """Any value with runtime expressions in its texts → the same with `${ … }`. Raises Unsupported."""
    if isinstance(value, dict):
        return {key: template(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [template(one, names) for one in value]
    if not isinstance(value, str):
        return value
    if value.startswith("$"):
        return f"${{{expression(value, names)}}}"
    parts = _EMBEDDED.split(value)
    return "".join(f"${{{expression(one, names)}}}" if at % 2 else literal(one) for at, one in enumerate(parts))


def literal(text: str) -> str:
    """A text in which nothing is an expression."""
    return text.replace("${", "$${")


def selected(value: Json, names: Names) -> str:
    """An output: a runtime expression, or (1.1) a selector: context, selector and type. Raises Unsupported."""
    if isinstance(value, str):
        return expression(value, names)
    if isinstance(value, dict) and {"context", "selector", "type"} >= value.keys() >= {"context", "selector"}:
        of = expression(str(value["context"]), names)
        kind = value.get("type")
        if kind == "jsonpointer":
            return of + by_pointer(str(value["selector"]))
        if kind == "jsonpath":
            return of + by_path(str(value["selector"]))
        raise Unsupported(f"a selector of type {json.dumps(kind)}; use a JSON Pointer")
    raise Unsupported("must be a runtime expression")


def by_pointer(pointer: str) -> str:
    """A JSON Pointer (RFC 6901) as JMESPath, to be put behind what it is read of."""
    if pointer and not pointer.startswith("/"):
        raise Unsupported(f"'{pointer}' is no JSON Pointer")
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return "".join(f"[{part}]" if part.isdigit() else f".{member(part)}" for part in parts)


def by_path(path: str) -> str:
    """A JSONPath that only leads down as JMESPath. Raises Unsupported for filters, wildcards and the like."""
    if not path.startswith("$"):
        raise Unsupported(f"'{path}' is no JSONPath")
    made, at = "", 1
    while at < len(path):
        found = _PATH.match(path, at)
        if found is None:
            raise Unsupported(f"of JSONPath only plain paths are supported, such as $.pets[0].name; not '{path[at:]}'")
        made += f"[{found[2]}]" if found[2] else f".{member(found[1] or found[3])}"
        at = found.end()
    return made


def member(name: str) -> str:
    """A key as JMESPath writes it."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name)
