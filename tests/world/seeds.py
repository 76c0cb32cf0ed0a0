"""Which random worlds a test run sees: the same each time, or new ones where ORCHESTRATOR_TEST_RANDOM is set."""

import os
import random
from collections.abc import Iterator

FIXED = "ORCHESTRATOR_TEST_RANDOM" not in os.environ
"""Whether this run repeats every other one. Hypothesis is told so too (`derandomize`)."""


def dices(how_many: int) -> Iterator[tuple[int, random.Random]]:
    """So many seeds, each with its dice."""
    first = 0 if FIXED else random.SystemRandom().randrange(1 << 32)
    for seed in range(first, first + how_many):
        yield seed, random.Random(seed)
