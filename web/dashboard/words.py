"""Statuses, times and JSON as people read them: the templates' filters."""

import json
from datetime import UTC, datetime

from flask import Blueprint

from orchestrator.demo.axis import duration
from orchestrator.jsontype import Json

LONGEST_JSON = 20_000
"""Characters of a value that a page shows; the API gives the whole."""

LONGEST_BRIEF = 120
"""Characters of a value in a row of a table."""

_MARKS = {
    "completed": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "skipped": "–",
    "running": "▶",
    "waiting": "…",
    "paused": "‖",
    "compensating": "↺",
    "pending": "·",
    "undone": "↺",
}


def register(bp: Blueprint) -> None:
    """Make the filters known to all templates."""
    for each in (mark, lasting, age, soon, clock, pretty, brief, short, share):
        bp.add_app_template_filter(each)


def mark(status: str) -> str:
    """A sign for a status, beside its colour and its word."""
    return _MARKS.get(status, "?")


def lasting(milliseconds: int | None) -> str:
    """A duration."""
    return "" if milliseconds is None else duration(milliseconds / 1000)


def age(moment: str | None, now: datetime | None = None) -> str:
    """How long ago, or how long until."""
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    if abs(seconds) < 1:
        return "now"
    size = abs(seconds)
    unit, word = next(
        (unit, word) for unit, word in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")) if size >= unit
    )
    return f"{int(size // unit)} {word} ago" if seconds > 0 else f"in {int(size // unit)} {word}"


def soon(moment: str | None, now: datetime | None = None) -> str:
    """How long until; what should have happened by now is due."""
    told = age(moment, now)
    return "due now" if told == "now" or told.endswith(" ago") else told


def clock(moment: str | None) -> str:
    """Date and time in UTC, to the second."""
    return "" if moment is None else f"{moment[:10]} {moment[11:19]} UTC"


def pretty(value: Json) -> str:
    """JSON as text, cut where nobody would read on."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST_JSON else f"{text[:LONGEST_JSON]}\n… {len(text):,} characters in all"


def brief(value: Json) -> str:
    """A value on one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_BRIEF else f"{text[: LONGEST_BRIEF - 1]}…"


def short(identifier: str) -> str:
    """The end of an id, which differs where its beginning is the time."""
    return f"…{identifier[-8:]}"


def share(part: float | None) -> str:
    """A share as a percentage; none where there is nothing to share."""
    return "–" if part is None else f"{part:.0%}" if part in (0, 1) or 0.095 <= part <= 0.995 else f"{part:.1%}"
