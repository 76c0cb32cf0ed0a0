"""One compiled expression: its text, what it reads, its value in a scope."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from orchestrator.errors import ExpressionError
from orchestrator.expressions.interpreting import interpret
from orchestrator.expressions.parsing import parse, path_of, plain_path
from orchestrator.expressions.references import References, places_read, references_of
from orchestrator.expressions.scanning import OPENING, closing_brace
from orchestrator.expressions.weighing import weigh
from orchestrator.jsontype import Json

_EXCERPT = 80


@dataclass(frozen=True, slots=True)
class Expression:
    """A JMESPath expression. Two are equal where their texts are.

    A chain of names (`path`) is answered without the interpreter, with the same value.
    """

    source: str
    references: References = field(compare=False, repr=False)
    path: tuple[str, ...] | None = field(compare=False, repr=False)
    tree: Json = field(compare=False, repr=False)

    def evaluate(self, scope: Mapping[str, Json]) -> Json:
        """The value in `scope`, which it may share parts with: read it, do not change it.

        Raises ExpressionError, whose text names the expression and never a value.
        """
        try:
            value = self.evaluate_unweighed(scope)
            if not isinstance(value, bool | None):
                weigh(value)
        except ExpressionError as error:
            raise ExpressionError(f"{error} (in {excerpt(self.source)})") from None
        return value

    def evaluate_unweighed(self, scope: Mapping[str, Json]) -> Json:
        """Like `evaluate`, for callers that weigh the whole of which this is a part and name it in their errors."""
        if self.path is None:
            return interpret(self.tree, scope)
        value: Json = scope
        try:
            for name in self.path:
                value = value.get(name)
        except AttributeError:  # jmespath's own test for "no object", and the quickest
            return None
        return value


def compile_expression(text: str) -> Expression:
    """The expression that `text` holds, with or without `${ }` around it.

    Raises ExpressionError that says where it is wrong and what would be right.
    """
    try:
        return _compiled(_bare(text))
    except ExpressionError as error:
        raise ExpressionError(f"{error} (in {excerpt(text)})") from None


def excerpt(source: str) -> str:
    """As much of the source as an error shows."""
    shown = " ".join(source.split())
    shown = shown if len(shown) <= _EXCERPT else f"{shown[: _EXCERPT - 1]}…"
    return shown if shown.startswith("${") else f"${{{shown}}}"


def _bare(text: str) -> str:
    stripped = text.strip()
    if OPENING.match(stripped) and stripped.startswith("${") and closing_brace(stripped, 2) == len(stripped) - 1:
        return stripped[2:-1].strip()
    return stripped


@lru_cache(maxsize=4096)
def _compiled(source: str) -> Expression:
    """Cached: workers rebuild the same definitions again and again, and an expression never changes."""
    path = plain_path(source)
    if path is not None:
        return Expression(source, references_of([path]), path, None)
    tree = parse(source)
    return Expression(source, references_of(places_read(tree)), path_of(tree), tree)
