"""Durations as people write them (`500ms`, `90s`, `15m`, `36h`, `30d`) and as programs count them: seconds."""

import re

DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPANS = ((86_400, "d"), (3600, "h"), (60, "m"))


def seconds_in(text: str) -> float | None:
    """The seconds that a text says, None where it is no duration."""
    found = DURATION.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else None


def rate_text(rate: float) -> str:
    """So many a second in the smallest unit that gives a whole number: `100/s`, `90/m`, `7/h`."""
    for letter, seconds in (("s", 1), ("m", 60), ("h", 3600)):
        if abs(rate * seconds - round(rate * seconds)) < 1e-6:
            return f"{round(rate * seconds)}/{letter}"
    return f"{rate * 3600:g}/h"


def span(seconds: float) -> str:
    """Seconds in the largest unit that gives a whole number."""
    for size, letter in _SPANS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{letter}"
    return f"{seconds:g}s"
