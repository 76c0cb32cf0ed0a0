"""When a schedule starts a workflow: its ticks, by a cron expression in a time zone or every so many seconds. Pure.

Where clocks are put forward, a tick of the missing hour comes at the end of it; where they are put back, a tick at a
fixed time comes once, in the first of the two hours, and one that comes every hour comes in both (as Debian's cron).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

CatchUp = Literal["skip", "one", "all"]
CATCH_UPS: tuple[CatchUp, ...] = ("skip", "one", "all")

MOST_CAUGHT_UP = 100
"""Ticks that are caught up with at most, the latest: a month of minutes must not become 43,200 workflows."""

PUNCTUAL = 60.0
"""Seconds within which a tick has not been missed."""

SHORTEST, LONGEST = 1.0, 366 * 86_400.0
"""Seconds from tick to tick."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Either `cron` (five fields) in `timezone`, or `every` so many seconds. Make it with `rhythm`."""

    cron: str | None = None
    every: float | None = None
    timezone: str = "UTC"

    def after(self, moment: float, anchor: float) -> float:
        """The first tick after the moment; those of an interval are counted from `anchor`. Seconds since 1970."""
        if self.every is not None:
            return anchor + self.every * (max(0, (moment - anchor) // self.every) + 1)
        return next(self._ticks(moment))

    def until(self, first: float, now: float, anchor: float) -> list[float]:
        """The ticks from `first`, which is one, to now; the last `MOST_CAUGHT_UP` of them."""
        if self.every is not None:
            last = int((now - first) // self.every)
            return [first + n * self.every for n in range(max(0, last - MOST_CAUGHT_UP + 1), last + 1)]
        span = 3_600.0
        while True:
            # Never from the very first: after a year's outage of a cron of minutes that would be half a million.
            begin = max(first, now - span)
            ticks = list(self._between(begin, now))
            if begin == first or len(ticks) >= MOST_CAUGHT_UP:
                return ticks[-MOST_CAUGHT_UP:]
            span *= 4

    def _between(self, begin: float, end: float) -> Iterator[float]:
        for tick in self._ticks(begin - 1):
            if tick > end:
                return
            if tick >= begin:
                yield tick

    def _ticks(self, moment: float) -> Iterator[float]:
        assert self.cron is not None, "a rhythm has either"
        begin = datetime.fromtimestamp(moment, ZoneInfo(self.timezone))
        return (tick.timestamp() for tick in CronSim(self.cron, begin))

    def following(self, moment: float, anchor: float, count: int) -> list[float]:
        """The next ticks after the moment."""
        if self.cron is not None:
            return list(islice(self._ticks(moment), count))
        ticks = [self.after(moment, anchor)]
        while len(ticks) < count:
            ticks.append(self.after(ticks[-1], anchor))
        return ticks


def caught_up(policy: CatchUp, ticks: list[float], now: float) -> list[float]:
    """Which of the ticks that have come start a workflow now."""
    match policy:
        case "all":
            return ticks
        case "one":
            return ticks[-1:]
        case "skip":
            return [tick for tick in ticks[-1:] if now - tick <= PUNCTUAL]


def fault_of_cron(value: object) -> str | None:
    """What is wrong with a cron expression, None where nothing is."""
    if not isinstance(value, str) or len(value.split()) != 5 or len(value) > 200:
        return "must be five fields: minute, hour, day of the month, month, day of the week; such as 30 2 * * mon-fri"
    try:
        next(CronSim(value, datetime(2024, 1, 1)))  # noqa: DTZ001 - only asked whether it has a next tick
    except (CronSimError, StopIteration) as error:
        return f"is no cron expression: {error or 'it never comes'}"
    return None


def fault_of_zone(value: object) -> str | None:
    """What is wrong with the name of a time zone, None where nothing is."""
    try:
        if isinstance(value, str) and value:
            ZoneInfo(value)
            return None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass  # said below
    return "must be a time zone such as Europe/London or UTC"
