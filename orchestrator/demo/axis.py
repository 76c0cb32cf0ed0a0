"""Times as a person reads them: durations, and round moments for an axis."""

import math
from collections.abc import Iterator

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (0, "s"))
_STEPS = (
    *(digit * 10.0**power for power in range(-4, 1) for digit in (1, 2, 5)),
    *(10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000),
)


def ticks(seconds: float, most: int) -> Iterator[tuple[float, str]]:
    """Round moments from 0, at most so many besides it, each with its label."""
    step = next((step for step in _STEPS if seconds / step <= most), seconds)
    unit, word = next((unit or 1, word) for unit, word in _UNITS if step >= unit)
    for number in range(math.floor(seconds / step) + 1):
        yield number * step, f"{round(number * step / unit, 3):g} {word}" if number else "0"


def duration(seconds: float) -> str:
    """Short, with the precision that a person wants at that size."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours < 48 else f"{hours // 24}d {hours % 24:02d}h"
