"""When a workflow begins: at once, after a delay, or not before a time. Read once, from every way to start one."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.durations import seconds_in, span
from orchestrator.errors import ContextError, Fault
from orchestrator.jsontype import Json

LONGEST = 366 * 86_400.0
"""Seconds that a start may be put off."""

_MOMENT = "must be a time with its zone, such as 2026-01-31T12:00:00Z"
_DELAY = f"must be seconds or a duration such as 90s, 15m, 36h or 30d, from 0 to {span(LONGEST)}"


@dataclass(frozen=True, slots=True)
class Beginning:
    """`delay` is seconds from the start, `not_before` seconds since 1970; at once where neither is given."""

    delay: float | None = None
    not_before: float | None = None

    def at(self, now: float) -> float | None:
        """When the workflow begins, by the ledger's clock; None where that is at once.

        Raises ContextError for a time that is too far away.
        """
        begin_at = now + (self.delay or 0.0) if self.not_before is None else self.not_before
        if begin_at > now + LONGEST:
            raise ContextError([Fault("notBefore", f"is more than {span(LONGEST)} away")])
        return begin_at if begin_at > now else None


AT_ONCE = Beginning()


def read_beginning(given: dict[str, Json], faults: list[Fault]) -> Beginning:
    """The beginning that `delay` or `notBefore` asks for; what is wrong with them is added to the faults."""
    if "delay" in given and "notBefore" in given:
        faults.append(Fault("notBefore", "give either delay or notBefore"))
        return AT_ONCE
    try:
        if "delay" in given:
            return Beginning(delay=_delay(given["delay"]))
        if "notBefore" in given:
            return Beginning(not_before=moment(given["notBefore"]))
    except ValueError as error:
        faults.append(Fault("delay" if "delay" in given else "notBefore", str(error)))
    return AT_ONCE


def _delay(value: Json) -> float:
    """Seconds. A number that came as a text, as in a query, is one too."""
    seconds: float | None = None
    if isinstance(value, str):
        seconds = seconds_in(value) if not value.isdecimal() else seconds_in(f"{value}s")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    if seconds is None or not 0 <= seconds <= LONGEST:
        raise ValueError(_DELAY)
    return float(seconds)


def moment(value: Json) -> float:
    """Seconds since 1970 of an RFC 3339 time. A `+` that came unescaped in a query is a blank by now.

    Raises ValueError with what would be right.
    """
    try:
        if not isinstance(value, str) or "T" not in value.upper():
            raise ValueError(_MOMENT)
        read = datetime.fromisoformat(value.replace(" ", "+"))
        if read.tzinfo is None:
            raise ValueError(_MOMENT)
        return read.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(_MOMENT) from None
