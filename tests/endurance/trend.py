"""Whether something that is looked at again and again grows: a slope that no peak bends, and the steps that it hides.

The slope is Theil and Sen's: the median of those between all pairs of looks. A least-squares line leans towards one
late peak; this one needs more than a quarter of the looks to lie otherwise. It is blind to one or two large steps, so
medians of the earlier and the later part are compared too. Only the second half of the time counts: the first is for
warming up (pools, caches, one arena of memory for each thread).
"""

from collections.abc import Sequence
from itertools import combinations
from statistics import median

MOST_LOOKS = 300
"""Looks that are compared, each with each; of more than that each so-manieth is taken."""

LEAST_SECONDS = 900.0
"""What the second half must last to be judged: after less, warming up goes on in it."""

Looks = Sequence[tuple[float, float]]
"""When (seconds) and what."""


def second_half(looks: Looks) -> Looks:
    """Those later than the middle of the time."""
    middle = (looks[0][0] + looks[-1][0]) / 2
    return [look for look in looks if look[0] >= middle]


def slope(looks: Looks) -> float:
    """How much more it is an hour later."""
    some = looks[:: -(-len(looks) // MOST_LOOKS)]
    return median((late - early) / (end - begin) for (begin, early), (end, late) in combinations(some, 2)) * 3600


def parts(looks: Looks) -> tuple[float, float]:
    """The median of the earlier half, and that of the later one."""
    middle = len(looks) // 2
    earlier, later = (median(value for _, value in part) for part in (looks[:middle], looks[middle:]))
    return earlier, later


def can_be_judged(looks: Looks) -> bool:
    """Whether the time was long enough for a slope to mean something."""
    half = second_half(looks)
    return half[-1][0] - half[0][0] >= LEAST_SECONDS * 0.99
