"""Medians, spread and ratios of what was measured in several rounds; and the figures themselves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Measured = Mapping[str, float]
"""One run of a workload by one peer: the name of a figure → its value."""


@dataclass(frozen=True)
class Figure:
    """What is measured, its unit, what the project wants to reach (`×` is the ratio to bare Celery).

    `compared` says whether its ratio to bare Celery means something.
    """

    name: str
    title: str
    unit: str
    target: str = ""
    digits: int = 1
    compared: bool = True


@dataclass(frozen=True)
class Spread:
    """The middle of several rounds, and how far they went."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Raises ValueError where there are none."""
        if not values:
            raise ValueError("no rounds, no spread")
        return cls(median(values), min(values), max(values))


def ratio(value: float, yardstick: float) -> float | None:
    """How many times the yardstick; None where that says nothing."""
    return value / yardstick if yardstick > 0 else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed (nearest rank). Raises ValueError where there are none."""
    if not values:
        raise ValueError("no values, no percentile")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
