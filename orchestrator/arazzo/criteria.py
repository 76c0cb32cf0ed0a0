"""Arazzo's conditions (criterion objects) → JMESPath."""

import json
import re
from collections.abc import Iterable, Iterator

from orchestrator.arazzo.document import Thing
from orchestrator.arazzo.expressions import Names, Unsupported, by_path, expression

_TOKEN = re.compile(
    r"\s*(?:(?P<operator>==|!=|<=|>=|<|>|&&|\|\||!|\(|\))|(?P<text>'(?:[^']|'')*')|"
    r"(?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])|(?P<word>true|false|null)\b|(?P<read>\$[A-Za-z][^\s=!<>&|()]*))"
)
_COMPARED = re.compile(r"(?P<path>\$[^\s=!<>]*)\s*(?P<rest>(?:==|!=|<=|>=|<|>).*)")


def condition(criteria: Iterable[Thing], names: Names) -> str | None:
    """All of the criteria as one expression, None where there are none. Raises Unsupported."""
    parts = [_criterion(one, names) for one in criteria]
    if len(parts) < 2:
        return parts[0] if parts else None
    return " && ".join(f"({part})" for part in parts)


def _criterion(thing: Thing, names: Names) -> str:
    text, context, kind = thing.text("condition") or "", thing.text("context"), thing.take("type", "simple")
    thing.close()
    if isinstance(kind, dict):
        kind = kind.get("type")
    if "'" in text:
        thing.notes.tell(thing.at, "texts are compared letter for letter here; Arazzo ignores upper and lower case")
    if kind == "simple":
        return simple(text, names)
    if kind == "jsonpath" and context is not None:
        found = _COMPARED.fullmatch(text.strip())
        if found is None:
            raise Unsupported(f"a JSONPath condition is supported where it compares one value, not '{text}'")
        return f"{expression(context, names)}{by_path(found['path'])} {simple(found['rest'], names)}"
    raise Unsupported(f"a condition of type {json.dumps(kind)}; only simple ones, and plain JSONPath")


def simple(text: str, names: Names) -> str:
    """A simple condition: comparisons of runtime expressions and literals, with && || ! and parentheses."""
    made = " ".join(_tokens(text, names))
    return re.sub(r"(?<=\() | (?=\))|(?<=!) ", "", made)


def _tokens(text: str, names: Names) -> Iterator[str]:
    at, negated = 0, False
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unsupported(f"the condition cannot be read from '{text[at:].strip()[:40]}' on")
        at = found.end()
        if found["operator"]:
            yield found["operator"]
        elif found["text"]:
            plain = json.dumps(found["text"][1:-1].replace("''", "'"))
            yield "`" + plain.replace("`", "\\`") + "`"
        elif found["read"]:
            read = _read(found["read"], names)
            yield f"({read})" if negated else read
        else:
            yield f"`{found['number'] or found['word']}`"
        negated = found["operator"] == "!"


def _read(text: str, names: Names) -> str:
    """A runtime expression in a condition, where `.` and `[0]` may lead further down."""
    found = re.fullmatch(r"(\$response\.body(?:#[^\[.]*)?)((?:\.[\w-]+|\[[0-9]+\])*)", text)
    if found is None or not found[2]:
        return expression(text, names)
    return expression(found[1], names) + by_path(f"${found[2]}")
