"""The text of an expression → its syntax tree, within the limits and with an error that says where and what instead.

The tree is jmespath's: dicts with `type`, `value` and `children`.
"""

import re
from bisect import bisect_left
from difflib import get_close_matches

from jmespath.exceptions import EmptyExpressionError, JMESPathError, LexerError, ParseError
from jmespath.parser import Parser

from orchestrator.errors import ExpressionError
from orchestrator.expressions.functions import ARITIES, ON_ELEMENTS
from orchestrator.expressions.limits import MAX_DEPTH, MAX_NODES, MAX_SOURCE
from orchestrator.expressions.scanning import with_hyphened_names_quoted
from orchestrator.jsontype import Json

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_CALLS_FOR = {
    "+": "add(a, b), or concat(a, b) for texts",
    "-": "subtract(a, b)",
    "*": "multiply(a, b)",
    "/": "divide(a, b)",
    "%": "modulo(a, b)",
}


def plain_path(source: str) -> tuple[str, ...] | None:
    """The names of a pure chain such as `steps.charge.result`, which needs no parser; else None."""
    if len(source) <= MAX_SOURCE and _PATH.fullmatch(source) and source.count(".") < MAX_DEPTH:
        return tuple(source.split("."))
    return None


def path_of(tree: Json) -> tuple[str, ...] | None:
    """The names, where the tree is nothing but a chain of fields (some of them quoted); else None."""
    nodes = tree["children"] if tree["type"] == "subexpression" else [tree]
    return tuple(node["value"] for node in nodes) if all(node["type"] == "field" for node in nodes) else None


def parse(source: str) -> Json:
    """The syntax tree. Raises ExpressionError."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"it is longer than {MAX_SOURCE} characters")
    prepared, quotes = with_hyphened_names_quoted(source)
    try:
        tree = Parser().parse(prepared).parsed
    except JMESPathError as error:
        raise ExpressionError(_told(error, source, quotes)) from None
    except RecursionError:
        raise ExpressionError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    except (ValueError, IndexError, UnicodeError):
        raise ExpressionError("it is no JMESPath") from None
    _check_tree(tree)
    return tree


def _told(error: JMESPathError, source: str, quotes: list[int]) -> str:
    """The library's error in the words of whoever wrote the expression."""
    if isinstance(error, EmptyExpressionError):
        return "it is empty"
    if not isinstance(error, ParseError):
        return "it is no JMESPath"
    position = error.lexer_position if isinstance(error, LexerError) else error.lex_position
    position -= bisect_left(quotes, position - len(quotes))
    position = max(0, min(position, len(source)))
    if position >= len(source.rstrip()):
        return f"column {position + 1}: it ends too early"
    return f"column {position + 1}: {_what_is_wrong(source, position)}"


def _what_is_wrong(source: str, position: int) -> str:
    found = source[position]
    if found in _CALLS_FOR and not source[position + 1 : position + 2].isdigit():
        return f"JMESPath has no operator '{found}'; write {_CALLS_FOR[found]}"
    if found.isdigit() or found == "-":
        return f"a number is written in backticks, as in `{found}`"
    if found == "$":
        return "an expression holds no other ${…}; write it as one, without ${ }"
    if found == "=":
        return "compare with =="
    return f"'{found}' cannot stand here"


def _check_tree(tree: Json) -> None:
    """Raises ExpressionError for a tree over the limits, an unknown function, or `&` where no function takes it."""
    level = [(tree, "")]
    count = depth = 0
    while level:
        depth += 1
        count += len(level)
        if depth > MAX_DEPTH:
            raise ExpressionError(f"it is nested more than {MAX_DEPTH} levels deep")
        if count > MAX_NODES:
            raise ExpressionError(f"it has more than {MAX_NODES} parts")
        below: list[tuple[Json, str]] = []
        for node, parent in level:
            if node["type"] == "expref" and parent not in ON_ELEMENTS:
                raise ExpressionError(f"`&` may stand only in the arguments of {', '.join(sorted(ON_ELEMENTS))}")
            called = node["value"] if node["type"] == "function_expression" else ""
            if called:
                _check_call(called, len(node["children"]))
            if node["type"] == "slice":
                _check_slice(node["children"])
            else:
                _check_not(node)
                below += [(child, called) for child in node["children"]]
        level = below


def _check_call(name: str, count: int) -> None:
    if name not in ARITIES:
        close = get_close_matches(name, ARITIES, n=1)
        hint = f"did you mean {close[0]}()?" if close else f"there are {', '.join(sorted(ARITIES))}"
        raise ExpressionError(f"there is no function {name}(); {hint}")
    wanted, or_more = ARITIES[name]
    if count < wanted or (count > wanted and not or_more):
        raise ExpressionError(f"{name}() takes {wanted}{' or more' if or_more else ''} arguments, not {count}")


def _check_not(node: Json) -> None:
    """`!a.b` is `(!a).b` to JMESPath, which is always null and never what was meant."""
    looks_into = node["type"] in ("subexpression", "value_projection")
    if looks_into and node["children"][0]["type"] == "not_expression":
        raise ExpressionError("`!` takes only the name right after it; write !(a.b)")


def _check_slice(bounds: list[int | None]) -> None:
    if bounds[2] == 0:
        raise ExpressionError("the step of a slice cannot be 0")
