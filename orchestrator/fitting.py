"""Whether a context fits its definition's `input` schema: every fault with its place, and never a value.

jsonschema's own messages repeat what was sent, card numbers included; these say what would be right. Pure.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from orchestrator.errors import Fault
from orchestrator.jsontype import Json
from orchestrator.patterns import matches

MOST_FAULTS = 100

_ARTICLES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "object": "an object",
    "array": "a list",
    "boolean": "true or false",
    "null": "null",
}

# What each keyword asks for. `{0}` is its value in the schema.
_WANTED = {
    "const": "must be {0}",
    "enum": "must be one of {0}",
    "minimum": "must be at least {0}",
    "maximum": "must be at most {0}",
    "exclusiveMinimum": "must be more than {0}",
    "exclusiveMaximum": "must be less than {0}",
    "multipleOf": "must be a multiple of {0}",
    "minLength": "must have at least {0} characters",
    "maxLength": "must have at most {0} characters",
    "pattern": "must match the regular expression {0}",
    "minItems": "must have at least {0} elements",
    "maxItems": "must have at most {0} elements",
    "uniqueItems": "must not hold an element twice",
    "minProperties": "must have at least {0} fields",
    "maxProperties": "must have at most {0} fields",
    "dependentRequired": "lacks fields that others in it need: {0}",
    "contains": "must hold an element that fits {0}",
    "not": "must not fit {0}",
    "unevaluatedProperties": "has fields that are not known here",
    "None": "holds something that may not be given",  # no keyword: the schema is `false`
    "oneOf": "fits more than one of the forms that are allowed",
}


def _pattern(_: Json, pattern: str, instance: Json, __: Json) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError("pattern")


def _pattern_properties(validator: Json, patterns: Json, instance: Json, _: Json) -> Iterator[ValidationError]:
    for pattern, below in patterns.items() if isinstance(instance, dict) else ():
        for name, value in instance.items():
            if matches(pattern, name):
                yield from validator.descend(value, below, path=name, schema_path=pattern)


def _additional_properties(validator: Json, wanted: Json, instance: Json, schema: Json) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    patterns = schema.get("patternProperties", {})
    surplus = [
        name
        for name in instance
        if name not in schema.get("properties", {}) and not any(matches(pattern, name) for pattern in patterns)
    ]
    if isinstance(wanted, dict):
        for name in surplus:
            yield from validator.descend(instance[name], wanted, path=name)
    elif wanted is False and surplus:
        yield ValidationError("additionalProperties")


# jsonschema's own use Python's regular expressions, which may take for ever.
_Validator = extend(  # type: ignore[no-untyped-call]  # its annotations leave it out
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)


def faults_in(context: Json, schema: Json) -> list[Fault]:
    """What keeps the context from fitting the schema (one that `orchestrator.reading` has let through), by place."""
    try:
        errors = list(islice(_validator(_Itself(schema)).iter_errors(context), MOST_FAULTS))
    except RecursionError:
        return [Fault("context", "is nested too deep to be checked against the input schema")]
    found = dict.fromkeys(fault for error in errors for fault in _faults(error))
    return sorted(found, key=lambda fault: fault.place)[:MOST_FAULTS]


class _Itself:
    """A schema, told from others by being that very object, which it cannot stop to be while this holds it."""

    def __init__(self, schema: Json) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.schema is self.schema


@lru_cache(maxsize=256)
def _validator(of: _Itself) -> Draft202012Validator:
    """To make one costs half of what a check of a small context does."""
    made: Draft202012Validator = _Validator(of.schema)
    return made


def _faults(error: ValidationError) -> Iterator[Fault]:
    place, wanted, instance = _place(error), _json(error.validator_value), _json(error.instance)
    if error.validator == "required":
        missing = [name for name in wanted if name not in instance]
        yield from (Fault(_below(place, name), "is missing") for name in missing)
    elif error.validator == "additionalProperties" and wanted is False:
        yield from _surplus(_json(error.schema), instance, place)
    else:
        yield Fault(place, _message(error))


def _surplus(schema: Json, instance: Json, place: str) -> Iterator[Fault]:
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    hint = f"; there are {_shown(', '.join(sorted(known)))}" if known else ""
    for name in instance:
        if name not in known and not any(matches(pattern, name) for pattern in patterns):
            yield Fault(_below(place, name), f"is not known here{hint}")


def _message(error: ValidationError) -> str:
    keyword, wanted = str(error.validator), _json(error.validator_value)
    if keyword == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"must be {' or '.join(_ARTICLES.get(kind, kind) for kind in kinds)}"
    if keyword in ("anyOf", "oneOf") and error.context:
        return f"fits none of the forms that are allowed: {_alternatives(error)}"
    if keyword in _WANTED:
        return _WANTED[keyword].format(_shown(wanted if isinstance(wanted, str) else json.dumps(wanted)))
    return f"does not fit `{keyword}` of the input schema"


def _alternatives(error: ValidationError) -> str:
    """What each form lacks first."""
    first: dict[Json, str] = {}
    for inner in error.context or ():
        told = next(_faults(inner), None)
        if told is not None:
            first.setdefault(inner.schema_path[0], f"{told.place.removeprefix('context.')} {told.message}")
    return _shown(" / ".join(first.values()), 500)


def _place(error: ValidationError) -> str:
    place = "context"
    for part in error.absolute_path:
        place = f"{place}[{part}]" if isinstance(part, int) else _below(place, part)
    return place


def _below(place: str, name: str) -> str:
    return f"{place}.{_shown(name)}"


def _json(value: object) -> Json:
    """jsonschema types what it gives as possibly unset; of an error that was found it never is."""
    return value


def _shown(text: str, most: int = 100) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
