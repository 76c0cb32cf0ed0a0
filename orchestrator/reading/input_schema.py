"""The `input` field: a JSON Schema (2020-12) of the context that can be applied to any context, and comes to an end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jsonschema import Draft202012Validator

from orchestrator.graph import CycleError, Graph
from orchestrator.jsontype import Json
from orchestrator.patterns import check_pattern
from orchestrator.reading.kinds import Kind, shown
from orchestrator.reading.place import Path, Place

MOST_PARTS = 2_000
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_META = Draft202012Validator(Draft202012Validator.META_SCHEMA)

# Where schemas stand within a schema: under chosen names, alone, or in a list.
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_ALONE = (
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
)
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
# Those that are applied to the same value as the schema they stand in.
_SAME_VALUE = ("allOf", "anyOf", "oneOf", "dependentSchemas", "not", "if", "then", "else")
_NO_NAMES = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor")


@dataclass(frozen=True)
class InputSchema(Kind):
    """A JSON Schema of an object."""

    def schema(self) -> Json:
        return {"$ref": _DIALECT}

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict):
            at.fault(f"must be a JSON Schema, such as {{type: object, required: [email]}}, not {shown(value)}")
            return None
        schemas = dict(_schemas(value, ()))
        if len(schemas) > MOST_PARTS:
            at.fault(f"has more than {MOST_PARTS} parts")
            return None
        sound = True
        for error in _META.iter_errors(value):
            sound = False
            _below(at, tuple(error.absolute_path)).fault(f"is no JSON Schema: {error.message[:200]}")
        if sound:
            _check_references(schemas, at)
            for path, schema in schemas.items():
                _check_patterns(schema, _below(at, path))
            _check_unevaluated(schemas, at)
        return value


def _schemas(schema: Json, path: Path) -> Iterator[tuple[Path, dict[str, Json]]]:
    """Every schema in a schema, itself first, with its path."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, value in schema.items():
        if key in _ALONE:
            yield from _schemas(value, (*path, key))
        elif key in _NAMED and isinstance(value, dict):
            for name, below in value.items():
                yield from _schemas(below, (*path, key, name))
        elif key in _LISTED and isinstance(value, list):
            for index, below in enumerate(value):
                yield from _schemas(below, (*path, key, index))


def _check_references(schemas: dict[Path, dict[str, Json]], at: Place) -> None:
    """References stay within the schema, lead to a schema, and not in a circle on the same value."""
    waits: dict[str, list[str]] = {str(path): [] for path in schemas}
    for path, schema in schemas.items():
        here = _below(at, path)
        for key in _NO_NAMES:
            if key in schema:
                (here / key).fault("is not supported; refer with $ref: '#/$defs/…'")
        if schema.get("$schema", _DIALECT) != _DIALECT:
            (here / "$schema").fault(f"must be {_DIALECT}")
        if len(path) >= 2 and _applies_to_same_value(path, schemas):
            waits[str(_parent(path, schemas))].append(str(path))
        if "$ref" in schema:
            target = _target(schema["$ref"])
            if target not in schemas:
                (here / "$ref").fault(
                    f"must lead to a schema in this one, as '#/$defs/…' does, not {shown(schema['$ref'])}"
                )
            else:
                waits[str(path)].append(str(target))
    try:
        Graph({name: dict.fromkeys(targets) for name, targets in waits.items()})
    except CycleError:
        at.fault("has a $ref that leads back to itself on the same value, without end")


def _parent(path: Path, schemas: dict[Path, dict[str, Json]]) -> Path:
    above = path[:-1]
    while above not in schemas:
        above = above[:-1]
    return above


def _applies_to_same_value(path: Path, schemas: dict[Path, dict[str, Json]]) -> bool:
    return path[len(_parent(path, schemas))] in _SAME_VALUE


def _target(reference: Json) -> Path | None:
    if not isinstance(reference, str) or not re.match(r"#(/|\Z)", reference) or "%" in reference:
        return None
    parts = [part.replace("~1", "/").replace("~0", "~") for part in reference.split("/")[1:]]
    return tuple(int(part) if part.isdigit() and before in _LISTED else part for before, part in _pairs(parts))


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    return zip(["", *parts], parts, strict=False)


def _check_patterns(schema: dict[str, Json], at: Place) -> None:
    patterns = {("pattern",): schema.get("pattern")} | {
        ("patternProperties", name): name for name in schema.get("patternProperties", {})
    }
    for path, pattern in patterns.items():
        try:
            check_pattern(pattern or "")
        except ValueError as error:
            _below(at, path).fault(f"is no regular expression (of RE2, which has no lookaround): {error}")


def _check_unevaluated(schemas: dict[Path, dict[str, Json]], at: Place) -> None:
    """jsonschema matches names for it with Python's regular expressions, which need not come to an end."""
    if any("patternProperties" in schema for schema in schemas.values()):
        for path, schema in schemas.items():
            if "unevaluatedProperties" in schema:
                (_below(at, path) / "unevaluatedProperties").fault("is not supported beside patternProperties")


def _below(at: Place, path: Path) -> Place:
    return Place(at.faults, (*at.path, *path))
