"""When an attempt is made again: backoff with jitter, and `Retry-After` as services write it. Pure.

The clock (`now`, seconds since the epoch) and the random number (`share`) are arguments.
"""

import calendar
import re
from datetime import datetime

from orchestrator.definition import RetryPolicy

LONGEST_WAIT = 86_400.0
"""Seconds that no single wait exceeds, whatever a definition or a service asks for: one day."""

_BEYOND_ANY_CAP = 1e12

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # IMF-fixdate; a day of one digit and UTC for GMT are common mistakes that leave no doubt
        rf"[A-Z][a-z]{{2}}, (?P<day>\d\d?) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_TIME} (?:GMT|UTC)",
        # RFC 850
        rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d\d) {_TIME} (?:GMT|UTC)",
        # asctime
        rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)


_DELIVERIES = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)


def delivery_delay(attempts: int, share: float) -> float | None:
    """The seconds until a webhook is tried again after so many attempts, None where it is given up: after three days.

    The delays are those that Standard Webhooks names; `share` in [0, 1) moves each by up to a fifth to either side.
    """
    return _DELIVERIES[attempts - 1] * (0.8 + 0.4 * share) if attempts <= len(_DELIVERIES) else None


def parse_retry_after(value: str, now: float) -> float | None:
    """The seconds that a `Retry-After` header asks to be left alone (RFC 9110, 10.2.3).

    None where it asks for nothing: a date that is not in the future, or a text that is neither whole seconds nor one of
    the three HTTP dates. Absurdly long waits are returned as such; `wait_before` caps them.
    """
    text = value.strip(" \t")
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text), _BEYOND_ANY_CAP)
    moment = _http_date(text, now)
    return moment - now if moment is not None and moment > now else None


def wait_before(policy: RetryPolicy, retry: int, retry_after: float | None, share: float) -> float:
    """The seconds to wait before retry number `retry`, counted from 0.

    `share` is a random number in [0, 1) for full jitter. What the service asked for (`retry_after`) is a floor: jitter
    comes on top of it, so that all who were told the same moment do not come back in the same moment. Nothing waits
    longer than `LONGEST_WAIT`.
    """
    backoff = _backoff(policy, retry)
    if policy.jitter == "full":
        backoff *= share
        wait = backoff + (retry_after or 0.0)
    else:
        wait = max(backoff, retry_after or 0.0)
    return min(max(wait, 0.0), LONGEST_WAIT)


def _backoff(policy: RetryPolicy, retry: int) -> float:
    ceiling = min(policy.max_delay, LONGEST_WAIT)
    try:
        return min(ceiling, policy.delay * policy.factor**retry)
    except OverflowError:  # a factor above 1 after very many retries: far beyond any ceiling
        return ceiling


def _http_date(text: str, now: float) -> float | None:
    for pattern in _DATES:
        if (match := pattern.fullmatch(text)) is not None:
            return _epoch(match.groupdict(), now)
    return None


def _epoch(parts: dict[str, str], now: float) -> float | None:
    """Seconds since the epoch, or None where no calendar has that moment."""
    year, day = int(parts["year"]), int(parts["day"])
    hour, minute, second = (int(parts[name]) for name in ("hour", "minute", "second"))
    try:
        month = _MONTHS.index(parts["month"]) + 1
        if len(parts["year"]) == 2:
            year = _full_year(year, now)
        datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - only asked whether it exists
    except ValueError:
        return None
    return None if second > 60 else float(calendar.timegm((year, month, day, hour, minute, second)))


def _full_year(two_digits: int, now: float) -> int:
    """RFC 9110, 5.6.7: what seems more than 50 years ahead is the latest past year that ends so."""
    this_year = 1970 + int(now // 31_556_952)
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + 50 else year
