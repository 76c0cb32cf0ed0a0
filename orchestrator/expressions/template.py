"""JSON with expressions anywhere in its strings, compiled once and rendered for each attempt.

A string that is exactly one `${…}` takes the expression's value with its JSON type. In any other string the values are
put into the text: strings as they are, numbers and booleans as JSON. `$${` stands for a literal `${`. Keys are literal.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.errors import ExpressionError, Fault, FaultyTemplate
from orchestrator.expressions.expression import Expression, compile_expression, excerpt
from orchestrator.expressions.limits import MAX_RESULT_DEPTH, MAX_SOURCE, MAX_TEXT
from orchestrator.expressions.references import NOTHING, References
from orchestrator.expressions.scanning import OPENING, closing_brace
from orchestrator.expressions.weighing import weigh
from orchestrator.jsontype import Json

Scope = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Template:
    """Compiled JSON. Two are equal where their sources are."""

    source: Json
    references: References = field(compare=False, repr=False)
    rendered: "Json | _Part" = field(compare=False, repr=False)

    def render(self, scope: Scope) -> Json:
        """The JSON with the values of `scope` in it; it may share parts with both: read it, do not change it.

        Raises ExpressionError that names the place in the template and never a value.
        """
        if not isinstance(self.rendered, _Part):
            return self.rendered
        value = self.rendered.render(scope)
        if value is not None:
            weigh(value)
        return value

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        """Each expression with the path of its string within the template."""
        return self.rendered.expressions() if isinstance(self.rendered, _Part) else iter(())


def compile_template(value: Json) -> Template:
    """The template that `value` holds. Raises FaultyTemplate with every fault and its path within the template."""
    template, faults = compile_what_can_be(value)
    if faults:
        raise FaultyTemplate(faults)
    return template


def compile_what_can_be(value: Json) -> tuple[Template, list[Fault]]:
    """The template without its faulty expressions, and those as faults: for readers that look for further ones."""
    faults: list[Fault] = []
    rendered = _compiled(value, "", 0, faults)
    if not isinstance(rendered, _Part):
        return Template(value, NOTHING, rendered), faults
    references = References.union(one.references for _, one in rendered.expressions())
    return Template(value, references, rendered), faults


class _Part(ABC):
    """A part of a template that holds expressions. Everything else in a template is plain JSON, made once."""

    @abstractmethod
    def render(self, scope: Scope) -> Json: ...

    @abstractmethod
    def expressions(self) -> Iterator[tuple[str, Expression]]: ...


@dataclass(frozen=True, slots=True)
class _Value(_Part):
    """A string that is one expression."""

    expression: Expression
    place: str

    def render(self, scope: Scope) -> Json:
        try:
            return self.expression.evaluate_unweighed(scope)
        except ExpressionError as error:
            raise _at(self.place, self.expression, str(error)) from None

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        yield self.place, self.expression


@dataclass(frozen=True, slots=True)
class _Text(_Part):
    """A string with expressions in it."""

    pieces: tuple[str | Expression, ...]
    place: str

    def render(self, scope: Scope) -> str:
        texts: list[str] = []
        length = 0
        for piece in self.pieces:
            text = piece if isinstance(piece, str) else self._spelled(piece, scope)
            length += len(text)
            if length > MAX_TEXT:
                raise ExpressionError(f"{self.place or 'the text'}: it would be longer than {MAX_TEXT} characters")
            texts.append(text)
        return "".join(texts)

    def _spelled(self, expression: Expression, scope: Scope) -> str:
        try:
            value = expression.evaluate_unweighed(scope)
            if isinstance(value, str):
                return value
            if isinstance(value, bool | int | float):
                return json.dumps(value, allow_nan=False)
        except ExpressionError as error:
            raise _at(self.place, expression, str(error)) from None
        except ValueError:  # not finite, or digits without end
            raise _at(self.place, expression, "it is a number that JSON cannot write") from None
        kind = "null" if value is None else "an object" if isinstance(value, dict) else "an array"
        raise _at(self.place, expression, f"it is {kind}, which cannot stand inside a text; default() or to_string()?")

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        return ((self.place, piece) for piece in self.pieces if isinstance(piece, Expression))


@dataclass(frozen=True, slots=True)
class _Object(_Part):
    """An object; `constant` has every key, in order."""

    constant: dict[str, Json]
    parts: tuple[tuple[str, _Part], ...]

    def render(self, scope: Scope) -> Json:
        rendered = self.constant.copy()
        for key, part in self.parts:
            rendered[key] = part.render(scope)
        return rendered

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        return (one for _, part in self.parts for one in part.expressions())


@dataclass(frozen=True, slots=True)
class _Array(_Part):
    """An array; `constant` has every place."""

    constant: list[Json]
    parts: tuple[tuple[int, _Part], ...]

    def render(self, scope: Scope) -> Json:
        rendered = self.constant.copy()
        for index, part in self.parts:
            rendered[index] = part.render(scope)
        return rendered

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        return (one for _, part in self.parts for one in part.expressions())


def _compiled(value: Json, place: str, depth: int, faults: list[Fault]) -> Json:
    """A `_Part`, or the plain JSON where there is no expression in `value`."""
    if depth > MAX_RESULT_DEPTH:
        faults.append(Fault(place, f"it is nested more than {MAX_RESULT_DEPTH} levels deep"))
    elif isinstance(value, str):
        return _compiled_text(value, place, faults) if "${" in value else value
    elif isinstance(value, dict):
        made = {
            key: _compiled(below, f"{place}.{key}" if place else str(key), depth + 1, faults)
            for key, below in value.items()
        }
        parts = tuple((key, below) for key, below in made.items() if isinstance(below, _Part))
        return _Object(made, parts) if parts else made
    elif isinstance(value, list):
        row = [_compiled(below, f"{place}[{index}]", depth + 1, faults) for index, below in enumerate(value)]
        cells = tuple((index, below) for index, below in enumerate(row) if isinstance(below, _Part))
        return _Array(row, cells) if cells else row
    return value


def _compiled_text(text: str, place: str, faults: list[Fault]) -> Json:
    pieces: list[str | Expression] = []
    copied = 0
    while (found := OPENING.search(text, copied)) is not None:
        pieces.append(text[copied : found.start()])
        if found[0] == "$${":
            pieces.append("${")
            copied = found.end()
            continue
        end = closing_brace(text, found.end())
        if end < 0:
            faults.append(Fault(place, _unclosed(text, found.start())))
            copied = found.start()
            break
        try:
            pieces.append(compile_expression(text[found.end() : end]))
        except ExpressionError as error:
            faults.append(Fault(place, str(error)))
        copied = end + 1
    pieces = [piece for piece in (*pieces, text[copied:]) if piece != ""]
    if len(pieces) == 1 and isinstance(pieces[0], Expression):
        return _Value(pieces[0], place)
    if any(isinstance(piece, Expression) for piece in pieces):
        return _Text(tuple(pieces), place)
    return "".join(str(piece) for piece in pieces)


def _unclosed(text: str, start: int) -> str:
    if len(text) - start > MAX_SOURCE:
        return f"the expression that begins at column {start + 1} does not end within {MAX_SOURCE} characters"
    return f"the expression that begins at column {start + 1} has no closing }} (a literal ${{ is written $${{)"


def _at(place: str, expression: Expression, problem: str) -> ExpressionError:
    return ExpressionError(f"{place + ': ' if place else ''}{problem} (in {excerpt(expression.source)})")
