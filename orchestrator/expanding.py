"""The list of a step with `forEach`, from what the step reads: what its calls are made for."""

from collections.abc import Mapping

from orchestrator.definition import ForEach
from orchestrator.errors import ExpressionError
from orchestrator.jsontype import Json, kind_of
from orchestrator.outcome import Expanded

MOST_ITEMS = 10_000


def items_in(scope: Mapping[str, Json], own: ForEach) -> Expanded:
    """The items. Raises ExpressionError where that is no list, or one that is too long."""
    values = own.items.render(scope)
    if not isinstance(values, list):
        raise ExpressionError(f"`forEach` must come out as a list, but {own.items.source} is {kind_of(values)}")
    if len(values) > MOST_ITEMS:
        raise ExpressionError(f"`forEach` may have at most {MOST_ITEMS} items, but its list has {len(values)}")
    return Expanded(values)
