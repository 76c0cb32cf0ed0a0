"""JSON that can be kept: in jsonb, in SQLite and in every reader's number type. Pure.

Whoever sends a text from outside (a service's answer, a client's context) gets it parsed here, or refused with what is
wrong. The limits are those of the strictest reader: PostgreSQL refuses NUL and lone surrogates, JSON has no NaN,
64-bit integers are what databases and other languages hold, and deep nesting overflows parsers that recurse.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from orchestrator.jsontype import Json

MAX_DEPTH = 100
_LARGEST = 2**63
_MOST_PLACES = 20
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?+|[\[\]{}]', re.DOTALL)


class NotStorable(ValueError):
    """The text or value cannot be kept; says why, and never what it holds."""


class DoubledKeys(NotStorable):
    """Keys come twice in one object; `places` are their paths, such as `context.amount`."""

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(f"a key comes twice in one object: {', '.join(places)}")
        self.places = tuple(places)


def parse_json(text: str, *, doubles: bool = True) -> Json:
    """The value that `text` holds. Raises NotStorable.

    Of a key that comes twice in one object the last counts; without `doubles` that raises DoubledKeys.
    """
    _check_depth(text)
    doubled: dict[int, tuple[Json, list[str]]] = {}
    try:
        if doubles:
            value = json.loads(text, parse_constant=_refuse_constant)
        else:
            hook = partial(_noting_doubles, doubled)
            value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=hook)
    except json.JSONDecodeError as error:
        raise NotStorable(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except NotStorable:
        raise
    except ValueError:  # int() refuses thousands of digits, which would take it quadratic time
        raise NotStorable("a whole number is too large (beyond 64 bits)") from None
    check_storable(value)
    if doubled:
        raise DoubledKeys(list(_places(value, "", doubled))[:_MOST_PLACES] or ["(in a part that another one replaces)"])
    return value


def check_storable(value: Json) -> None:
    """Raise NotStorable where a decoded value holds something that cannot be kept."""
    level, depth = [value], 0
    while level:
        below: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                for key in item:
                    check_text(key)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            else:
                _check_scalar(item)
        depth += 1
        if depth >= MAX_DEPTH and any(isinstance(item, dict | list) for item in below):
            raise NotStorable(f"nested deeper than {MAX_DEPTH}")
        level = below


def check_text(text: str) -> None:
    """Raise NotStorable where a text holds NUL or half of a surrogate pair."""
    if "\0" in text:
        raise NotStorable("a text holds the character NUL (\\u0000)")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NotStorable("a text holds a lone surrogate (\\ud800 to \\udfff)") from None


def _check_scalar(value: str | float | bool | None) -> None:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotStorable("a number is too large for a 64-bit float")
    elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise NotStorable("a whole number is too large (beyond 64 bits)")


def _check_depth(text: str) -> None:
    """Before parsing: the parser recurses, and how deep it may do so depends on Python and on the thread's stack."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        bracket = match[0]
        if bracket in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise NotStorable(f"nested deeper than {MAX_DEPTH}")
        elif bracket in ("]", "}"):
            depth -= 1


def _noting_doubles(doubled: dict[int, tuple[Json, list[str]]], pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object of these pairs. What came twice is noted with the object, which so keeps its identity."""
    made = dict(pairs)
    if len(made) < len(pairs):
        counted = Counter(key for key, _ in pairs)
        doubled[id(made)] = made, [key for key, times in counted.items() if times > 1]
    return made


def _places(value: Json, at: str, doubled: Mapping[int, tuple[Json, list[str]]]) -> Iterator[str]:
    if isinstance(value, dict):
        _, keys = doubled.get(id(value), (None, []))
        yield from (f"{at}.{key[:70]}".lstrip(".") for key in keys)
        for key, below in value.items():
            yield from _places(below, f"{at}.{key[:70]}".lstrip("."), doubled)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _places(below, f"{at}[{index}]", doubled)


def _refuse_constant(name: str) -> Json:
    raise NotStorable(f"{name} is not a number that JSON has")
