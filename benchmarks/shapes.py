"""The workflows that are measured, as stages: every step of a stage waits for every step of the stage before it."""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Shape:
    """Of two neighbouring stages one has a single step, so that every peer can draw it as a chain or a chord."""

    name: str
    stages: tuple[tuple[str, ...], ...]

    @property
    def size(self) -> int:
        """How many steps it has."""
        return sum(len(stage) for stage in self.stages)

    @cached_property
    def before(self) -> dict[str, tuple[str, ...]]:
        """Every step → those that it waits for."""
        earlier: tuple[tuple[str, ...], ...] = ((), *self.stages[:-1])
        return {step: waited for waited, stage in zip(earlier, self.stages, strict=True) for step in stage}


ORDER = Shape("order", (("payment",), ("shipment",), ("confirmation",)))
SUBSCRIPTION = Shape("subscription", (("validate",), ("charge", "provision"), ("welcome",)))


def chain(length: int) -> Shape:
    """Steps one after another."""
    return Shape(f"chain-{length}", tuple((f"s{number}",) for number in range(length)))


def wide(width: int) -> Shape:
    """Steps side by side, and one that waits for all of them."""
    return Shape(f"wide-{width}", (tuple(f"s{number}" for number in range(width)), ("join",)))


def shape_named(name: str) -> Shape:
    """The shape that has this name: it travels to other processes by it. Raises ValueError for a name of none."""
    for shape in (ORDER, SUBSCRIPTION):
        if shape.name == name:
            return shape
    kind, _, number = name.partition("-")
    if kind in ("chain", "wide") and number.isdigit() and int(number) > 0:
        return chain(int(number)) if kind == "chain" else wide(int(number))
    raise ValueError(f"no such shape: {name!r}; there are order, subscription, chain-N, wide-N")
