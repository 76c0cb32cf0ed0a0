"""What an expression gave → the text that a header, a URL or a form can carry."""

import json

from orchestrator.errors import ExpressionError
from orchestrator.jsontype import Json, kind_of


def text_of(value: Json, place: str) -> str:
    """The text; numbers as JSON writes them. Raises ExpressionError, which says what kind of value `place` got."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ExpressionError(f"{place} must be a text or a number, but is {kind_of(value)}")
