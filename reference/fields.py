"""The fields of definitions and of test scripts, from the tables that read them."""

import json
from collections.abc import Iterator

from orchestrator.durations import span
from orchestrator.jsontype import Json
from orchestrator.reading.fields import COMPENSATION, DEFINITION, STEP
from orchestrator.reading.kinds import Field, Group, Kind, Named
from orchestrator.testkit.fields import SCRIPT
from reference.tables import table

_HEADINGS = ("field", "what it says", "may hold", "left out")


def definition_page() -> str:
    """Every field of a definition."""
    below = "Durations are seconds, or texts such as `500ms`, `90s`, `15m`, `36h`, `30d`. Fields may be written in "
    parts = [
        "# Definitions\n\nA YAML or JSON file for each workflow type, in the folder `ORCHESTRATOR_DEFINITIONS`. "
        "`orchestrator validate` checks one, `orchestrator schema` prints the JSON Schema for editors.\n\n"
        f"{below}snake_case too (`target_url`). Where a text may hold `${{ … }}`, see [expressions](expressions.md).\n",
        _section("A definition", DEFINITION),
        _section("A step: `steps.<name>`", STEP),
        _section("A compensation: `steps.<name>.compensate`", COMPENSATION),
    ]
    seen = {id(DEFINITION), id(STEP), id(COMPENSATION)}
    for title, group in (*_groups("steps.<name>", STEP, seen), *_groups("", DEFINITION, seen)):
        parts.append(_section(f"`{title}`", group))
    return "\n".join(parts)


def script_page() -> str:
    """Every field of a script of test cases."""
    parts = [
        "# Test scripts\n\nA file such as `order.tests.yaml` beside `order.yaml`: what `orchestrator test` tries. "
        "[How to test your definitions](../how-to/test-definitions.md) shows it at work.\n",
        _section("A script", SCRIPT),
    ]
    parts += [_section(f"`{title}`", group) for title, group in _groups("", SCRIPT, {id(SCRIPT)})]
    return "\n".join(parts)


def _section(title: str, group: Group) -> str:
    rows = [_row(name, field, name in group.required) for name, field in group.fields.items()]
    return f"## {title}\n\n{table(_HEADINGS, rows)}"


def _row(name: str, field: Field, required: bool) -> tuple[str, str, str, str]:
    left_out = "**required**" if required else "" if field.default is None else f"`{json.dumps(field.default)}`"
    return f"`{name}`", field.meaning, spelled(field.kind.schema()), left_out


def _groups(at: str, kind: Kind, seen: set[int]) -> Iterator[tuple[str, Group]]:
    """The groups of fields within a kind, each once, with the path of the first that holds it."""
    if isinstance(kind, Group):
        if id(kind) not in seen:
            seen.add(id(kind))
            yield at, kind
        for name, field in kind.fields.items():
            yield from _groups(f"{at}.{name}".lstrip("."), field.kind, seen)
        return
    for attribute, suffix in (("kind", ".<name>" if _keyed(kind) else ""), ("group", "")):
        if isinstance(within := getattr(kind, attribute, None), Kind):
            yield from _groups(f"{at}{suffix}", within, seen)


def _keyed(kind: Kind) -> bool:
    return isinstance(kind, Named) or type(kind).__name__ == "Keyed"


def spelled(schema: Json) -> str:
    """A JSON Schema in a few words."""
    if not schema:
        return "any value"
    for word in ("oneOf", "anyOf"):
        if word in schema and _is_duration(schema[word]):
            return f"a duration, at most `{span(schema[word][0]['maximum'])}`"
        if word in schema:
            return " or ".join(dict.fromkeys(spelled(one) for one in schema[word]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kinds = schema.get("type", "any value")
    return " or ".join(_one(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _one(kind: str, schema: Json) -> str:
    match kind:
        case "array":
            return f"a list, each {spelled(schema['items'])}" if "items" in schema else "a list"
        case "object":
            return "fields, see below" if "properties" in schema else _named(schema)
        case "string":
            return _text(schema)
        case "boolean":
            return "`true`, `false`"
        case "integer" | "number":
            return ("a whole number" if kind == "integer" else "a number") + _bounds(schema)
        case _:
            return kind


def _is_duration(kinds: list[Json]) -> bool:
    number, text = kinds[0], kinds[-1]
    return len(kinds) == 2 and "maximum" in number and str(text.get("pattern", "")).endswith("(ms|s|m|h|d)$")


def _named(schema: Json) -> str:
    below = schema.get("additionalProperties")
    return f"names, each with {spelled(below)}" if isinstance(below, dict) else "an object"


def _text(schema: Json) -> str:
    pattern = schema.get("pattern", "")
    return "a name" if pattern.startswith("^[A-Za-z][A-Za-z0-9_-]{0,63}") else "a text"


def _bounds(schema: Json) -> str:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum")
    above = "above " if "exclusiveMinimum" in schema else ""
    if least is None and most is None:
        return ""
    return f", {above}{least:,} to {most:,}" if most is not None and least is not None else f", {least} or more"
