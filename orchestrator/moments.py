"""Times as the API writes them: ISO 8601 in UTC with milliseconds."""

from datetime import UTC, datetime


def iso(seconds: float | None) -> str | None:
    """Seconds since 1970 as `2026-01-31T12:00:00.000Z`; None stays None."""
    if seconds is None:
        return None
    # Milliseconds are cut off, never rounded up: nothing may seem to have ended before a later thing began.
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def took_ms(started: float | None, ended: float | None) -> int | None:
    """Whole milliseconds between two times, None where one of them is not known."""
    return None if started is None or ended is None else round((ended - started) * 1000)
