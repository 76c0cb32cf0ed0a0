"""The work that one evaluation may still do."""

from collections.abc import Iterable

from orchestrator.errors import ExpressionError
from orchestrator.expressions.limits import MAX_WORK, TEXT_PER_UNIT
from orchestrator.jsontype import Json


class Budget:
    """Counts down from `MAX_WORK`; one evaluation has one, so it needs no lock."""

    __slots__ = ("left",)

    def __init__(self, work: int = MAX_WORK) -> None:
        self.left = work

    def spend(self, units: int) -> None:
        """Take `units` away. Raises ExpressionError where too few are left."""
        self.left -= units
        if self.left < 0:
            raise ExpressionError(f"it takes too much work (more than {MAX_WORK} steps of evaluation)")

    def spend_on(self, values: Iterable[Json]) -> None:
        """Pay for one look at each of `values`: its elements where it has some, the texts among them by length."""
        for value in values:
            if isinstance(value, str):
                self.spend(len(value) // TEXT_PER_UNIT)
            elif isinstance(value, dict):
                self.spend(len(value))
            elif isinstance(value, list):
                self.spend(len(value))
                self.spend(sum(len(part) // TEXT_PER_UNIT for part in value if isinstance(part, str)))

    def spend_on_all_of(self, value: Json) -> None:
        """Pay for a walk over everything in `value`, before it is done: values that share parts can be huge."""
        level = [value]
        while level:
            self.spend_on(level)
            below: list[Json] = []
            for part in level:
                if isinstance(part, dict):
                    below.extend(part.values())
                elif isinstance(part, list):
                    below.extend(part)
            level = below
