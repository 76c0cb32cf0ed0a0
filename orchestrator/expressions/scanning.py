"""Where an expression begins and ends in a text, and which parts of it are quoted.

A quoted part is `'text'`, `"name"` or a JSON literal in backticks; a backslash keeps the next character from
closing it.
"""

import json
import math
import re

from orchestrator.errors import ExpressionError
from orchestrator.expressions.limits import MAX_SOURCE
from orchestrator.jsontype import Json

OPENING = re.compile(r"\$\$\{|\$\{")

_QUOTED = r"""'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|`(?:[^`\\]|\\.)*+`"""
_BRACES = re.compile(rf"{_QUOTED}|[{{}}]", re.DOTALL)
_PARTS = re.compile(rf"{_QUOTED}|[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)+", re.DOTALL)
# After these two a name with hyphens cannot be a subtraction: step names are checked, and headers hold texts.
_NAMES_FOLLOW = re.compile(r"(?<![\w.\"-])(?:steps|response\s*\.\s*headers)\s*\.\s*\Z")


def closing_brace(text: str, start: int) -> int:
    """The index of the `}` that closes the expression which starts at `start`, or -1."""
    depth = 0
    for found in _BRACES.finditer(text, start, start + MAX_SOURCE + 1):
        if found[0] == "{":
            depth += 1
        elif found[0] == "}":
            if depth == 0:
                return found.start()
            depth -= 1
    return -1


def with_hyphened_names_quoted(source: str) -> tuple[str, list[int]]:
    """The source with `steps.create-user` as `steps."create-user"`, and where in it the quotes were put.

    JMESPath has no such name and no subtraction, so nothing that means something else is changed. Raises
    ExpressionError for a hyphen anywhere else, and for a literal that is no JSON.
    """
    pieces: list[str] = []
    quotes: list[int] = []
    copied = 0
    for found in _PARTS.finditer(source):
        part = found[0]
        if part[0] == "`":
            _check_literal(part, found.start())
        elif part[0] not in "'\"":
            if not _NAMES_FOLLOW.search(source, 0, found.start()):
                raise ExpressionError(
                    f'column {found.start() + 1}: a name with a hyphen is quoted, as in "{part}"; '
                    "to subtract, write subtract(a, b)"
                )
            pieces += [source[copied : found.start()], '"', part, '"']
            quotes += [found.start(), found.end()]
            copied = found.end()
    return "".join([*pieces, source[copied:]]), quotes


def _check_literal(part: str, start: int) -> None:
    """Literals must be JSON in full: jmespath would take NaN, and bare words with a warning."""
    try:
        value = json.loads(part[1:-1].replace("\\`", "`"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise ExpressionError(
            f"column {start + 1}: {_shortened(part)} is no JSON; a text is written in single quotes, as in 'text'"
        ) from None
    if not _is_text_sound(value):
        raise ExpressionError(f"column {start + 1}: {_shortened(part)} holds half of a surrogate pair")


def _refuse(constant: str) -> Json:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _is_text_sound(value: Json) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shortened(part: str) -> str:
    return part if len(part) <= 40 else f"{part[:37]}…"
