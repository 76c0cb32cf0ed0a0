"""The pure functions that expressions may call: JMESPath's own, and these where it has a gap.

| function | gives |
|---|---|
| `add(a, b)`, `subtract(a, b)`, `multiply(a, b)` | a number |
| `divide(a, b)` | a number; whole where both are whole and it comes out even |
| `modulo(a, b)` | the remainder, with the sign of `b` |
| `round(number, digits)` | a number; halves go away from zero, as in `round(2.675, 2)` → 2.68 (digits 0 to 15) |
| `format_number(number, digits)` | a string with exactly that many decimals: `"12.30"` |
| `concat(a, b, …)` | strings, numbers and booleans as one string; or arrays as one array |
| `default(value, fallback)` | `fallback` where `value` is null |
| `if(condition, then, else)` | one of the two; the other is not evaluated (false are: false, null, empty) |
| `lower(s)`, `upper(s)`, `trim(s)` | a string |
| `split(s, separator)` | an array of strings |
| `replace(s, old, new)` | a string, all occurrences replaced; `old` is a plain text |
| `base64_encode(s)`, `base64_decode(s)` | a string; the bytes are UTF-8 (RFC 4648, section 4) |
| `sha256(s)` | 64 hexadecimal digits, of the UTF-8 bytes |
| `uuid5(namespace, name)` | the same UUID for the same two (RFC 9562, section 5.5) |

A namespace is a UUID or one of `dns`, `url`, `oid`, `x500`. There is no regular expression, no clock and no chance:
the same scope gives the same value, in bounded time.
"""

import base64
import binascii
import hashlib
import json
import math
import re
import uuid
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from jmespath.functions import Functions, signature

from orchestrator.errors import ExpressionError
from orchestrator.expressions.budget import Budget
from orchestrator.expressions.limits import MAX_DIGITS, MAX_INTEGER_BITS, MAX_TEXT
from orchestrator.jsontype import Json

ON_ELEMENTS = frozenset({"map", "sort_by", "min_by", "max_by"})  # the functions that take `&expression`
LAZY = {"if": 3, "default": 2}  # the interpreter evaluates their arguments by need
_WALKS_ALL = frozenset({"to_string", "contains"})
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}

Number = int | float


class PureFunctions(Functions):
    """JMESPath's functions and ours, paid for from one evaluation's budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    # mypy: the stubs have an Iterable here; the interpreter always passes a list.
    def call_function(self, function_name: str, resolved_args: Any) -> Json:
        """The value of one call. Raises ExpressionError, or what jmespath raises for arguments of a wrong type."""
        self._budget.spend_on(resolved_args)
        if function_name in _WALKS_ALL:
            self._budget.spend_on_all_of(resolved_args)
        return _storable(super().call_function(function_name, resolved_args))

    @signature({"types": ["number"]}, {"types": ["number"]})
    def _func_add(self, a: Number, b: Number) -> Number:
        return a + b

    @signature({"types": ["number"]}, {"types": ["number"]})
    def _func_subtract(self, a: Number, b: Number) -> Number:
        return a - b

    @signature({"types": ["number"]}, {"types": ["number"]})
    def _func_multiply(self, a: Number, b: Number) -> Number:
        return a * b

    @signature({"types": ["number"]}, {"types": ["number"]})
    def _func_divide(self, a: Number, b: Number) -> Number:
        if b == 0:
            raise ExpressionError("divide() by zero")
        if isinstance(a, int) and isinstance(b, int) and a % b == 0:
            return a // b
        return a / b

    @signature({"types": ["number"]}, {"types": ["number"]})
    def _func_modulo(self, a: Number, b: Number) -> Number:
        if b == 0:
            raise ExpressionError("modulo() by zero")
        return a % b

    @signature({"types": ["number"]}, {"types": ["number"]})
    def _func_round(self, number: Number, digits: Number) -> Number:
        rounded = _rounded("round", number, digits)
        return int(rounded) if digits == 0 or isinstance(number, int) else float(rounded)

    @signature({"types": ["number"]}, {"types": ["number"]})
    def _func_format_number(self, number: Number, digits: Number) -> str:
        return f"{_rounded('format_number', number, digits):f}"

    @signature({"types": ["number", "string", "boolean", "array"], "variadic": True})
    def _func_concat(self, *parts: Json) -> Json:
        if all(isinstance(part, list) for part in parts):
            return [element for part in parts for element in part]
        texts = [part if isinstance(part, str) else _spelled(part) for part in parts]
        return self._joined("", texts)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: list[str]) -> str:
        return self._joined(separator, array)

    @signature({"types": ["string"]})
    def _func_lower(self, text: str) -> str:
        return text.lower()

    @signature({"types": ["string"]})
    def _func_upper(self, text: str) -> str:
        return text.upper()

    @signature({"types": ["string"]})
    def _func_trim(self, text: str) -> str:
        return text.strip()

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_split(self, text: str, separator: str) -> list[str]:
        if not separator:
            raise ExpressionError("split() needs a separator that is not empty")
        parts = text.split(separator)
        self._budget.spend(len(parts))
        return parts

    @signature({"types": ["string"]}, {"types": ["string"]}, {"types": ["string"]})
    def _func_replace(self, text: str, old: str, new: str) -> str:
        if not old:
            raise ExpressionError("replace() needs a text to replace that is not empty")
        _check_length(len(text) + text.count(old) * (len(new) - len(old)))
        return text.replace(old, new)

    @signature({"types": ["string"]})
    def _func_base64_encode(self, text: str) -> str:
        return base64.b64encode(text.encode()).decode("ascii")

    @signature({"types": ["string"]})
    def _func_base64_decode(self, text: str) -> str:
        try:
            return base64.b64decode(text, validate=True).decode()
        except (binascii.Error, ValueError):
            raise ExpressionError("base64_decode() was given a text that is not base64 of UTF-8") from None

    @signature({"types": ["string"]})
    def _func_sha256(self, text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_uuid5(self, namespace: str, name: str) -> str:
        try:
            space = _NAMESPACES.get(namespace) or uuid.UUID(namespace)
        except ValueError:
            raise ExpressionError(f"uuid5() needs a UUID or one of {', '.join(_NAMESPACES)} as namespace") from None
        return str(uuid.uuid5(space, name))

    @signature({"types": []})
    def _func_to_string(self, value: Json) -> str:
        return (
            value
            if isinstance(value, str)
            else json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        )

    @signature({"types": []})
    def _func_to_number(self, value: Json) -> Number | None:
        """Python's own reading would take `nan`, `1_000` and digits of other scripts."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        matched = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 400 else None
        if matched is None:
            return None
        whole = matched[2] is None and matched[3] is None
        number = int(matched[0]) if whole else float(matched[0])
        return number if math.isfinite(number) else None

    def _joined(self, separator: str, texts: list[str]) -> str:
        _check_length(sum(map(len, texts)) + len(separator) * max(0, len(texts) - 1))
        return separator.join(texts)


ARITIES: dict[str, tuple[int, bool]] = {
    name: (len(entry["signature"]), bool(entry["signature"] and entry["signature"][-1].get("variadic")))
    for name, entry in PureFunctions.FUNCTION_TABLE.items()
} | {name: (count, False) for name, count in LAZY.items()}
"""For each function how many arguments it takes, and whether it takes more."""


def _storable(value: Json) -> Json:
    """The function's value, unless it is one that JSON or its readers cannot take."""
    if isinstance(value, str):
        _check_length(len(value))
    elif isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("the number is too large")
    elif isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise ExpressionError(f"the whole number is too large (more than {MAX_INTEGER_BITS} bits)")
    return value


def _check_length(length: int) -> None:
    if length > MAX_TEXT:
        raise ExpressionError(f"the text would be longer than {MAX_TEXT} characters")


def _rounded(name: str, number: Number, digits: Number) -> Decimal:
    if digits not in range(MAX_DIGITS + 1):
        raise ExpressionError(f"{name}() takes 0 to {MAX_DIGITS} digits")
    if abs(number) >= 10**MAX_DIGITS:
        raise ExpressionError(f"{name}() takes numbers below 10 to the {MAX_DIGITS}th")
    # By way of the shortest decimal that means the same float: 2.675 is 2.675 to whoever wrote it.
    return Decimal(repr(number)).quantize(Decimal(1).scaleb(-int(digits)), rounding=ROUND_HALF_UP)


def _spelled(part: Json) -> str:
    if isinstance(part, list):
        raise ExpressionError("concat() takes either arrays only or no array at all")
    return json.dumps(part, allow_nan=False)
