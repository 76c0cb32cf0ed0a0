"""How many bytes a value is as JSON, counted with an early stop.

Expressions can build values that share their parts (`[@, @] | [@, @] | …`): small in memory, but 2ⁿ bytes as JSON. So
the count gives up as soon as the limit is passed, before anybody serializes, compares or walks the value.
"""

import math

from orchestrator.errors import ExpressionError
from orchestrator.expressions.limits import MAX_RESULT_BYTES, MAX_RESULT_DEPTH
from orchestrator.jsontype import Json


def weigh(value: Json, limit: int = MAX_RESULT_BYTES) -> int:
    """The size of `value` in bytes of JSON (escapes not counted).

    Raises ExpressionError where it is over `limit`, nested too deep, not a finite number or no JSON at all.
    """
    weight = 0
    level: list[Json] = [value]
    depth = 0
    while level:
        if depth > MAX_RESULT_DEPTH:
            raise ExpressionError(f"the value is nested more than {MAX_RESULT_DEPTH} levels deep")
        below: list[Json] = []
        for part in level:
            weight += _own_weight(part)
            if isinstance(part, dict):
                below.extend(part.values())
                weight += sum(_text_weight(key) + 2 for key in part)
            elif isinstance(part, list):
                below.extend(part)
                weight += len(part)
            if weight > limit:
                raise ExpressionError(f"the value is larger than {limit} bytes of JSON")
        level = below
        depth += 1
    return weight


def _own_weight(part: Json) -> int:
    if isinstance(part, str):
        return _text_weight(part)
    if part is None or isinstance(part, bool | dict | list):
        return 4
    if isinstance(part, int):
        return part.bit_length() // 3 + 1
    if isinstance(part, float):
        if not math.isfinite(part):
            raise ExpressionError("the value holds a number that JSON cannot write (NaN or infinite)")
        return 20
    raise ExpressionError(f"the value holds a {type(part).__name__}, which is no JSON")


def _text_weight(text: Json) -> int:
    if not isinstance(text, str):
        raise ExpressionError("the value holds an object with a key that is no string")
    if text.isascii():
        return len(text) + 2
    return len(text.encode("utf-8", "surrogatepass")) + 2
