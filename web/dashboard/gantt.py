"""A workflow's timeline as bars in percent of its length: attempts, waits, undoing, and the critical path. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.critical_path import critical_path
from orchestrator.demo.axis import duration, ticks
from orchestrator.demo.spans import Row, Span, picture
from orchestrator.jsontype import Json

LEAST = 0.4
"""Percent that the shortest bar is wide: what happened is seen, however short it was."""

MOST_TICKS = 5
_WORDS = {"work": "attempt", "failed": "failed attempt", "waiting": "wait before the next attempt"}


@dataclass(frozen=True, slots=True)
class Bar:
    """Percent of the axis; `kind` is work, failed, waiting or undo."""

    start: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One row: a step, or the undoing of one."""

    name: str
    undo: bool
    status: str
    attempts: int
    bars: Sequence[Bar]
    lasted: str
    critical: bool


@dataclass(frozen=True, slots=True)
class Gantt:
    """All rows, and the axis: (percent, label) of each tick."""

    lanes: Sequence[Lane]
    ticks: Sequence[tuple[float, str]]
    critical: Sequence[str]

    def begun(self, others: int) -> list[Lane]:
        """The rows with something to see, and the first of the others."""
        return [lane for lane in self.lanes if lane.bars] + [lane for lane in self.lanes if not lane.bars][:others]

    @property
    def kinds(self) -> set[str]:
        """The kinds of bars that there are."""
        return {bar.kind for lane in self.lanes for bar in lane.bars}


def gantt(view: Json, events: Sequence[Json], before: Mapping[str, Sequence[str]], now: datetime | None) -> Gantt:
    """The timeline of `GET /api/workflows/<id>` and its events. `before` says what each step waits for; `now` is where
    the axis ends, None where the workflow has.
    """
    drawn = picture(view, events, now)
    length = max(drawn.seconds, 0.001)
    ended = {step["name"]: _seconds(step["completedAt"]) for step in view["steps"] if _took_part(step)}
    critical = critical_path(ended, before) if len(ended) > 1 else ()
    on_path = set(critical)
    return Gantt(
        lanes=[_lane(row, length, row.name in on_path and not row.undo) for row in sorted(drawn.rows, key=_begun)],
        ticks=[(round(moment / length * 100, 2), label) for moment, label in ticks(length, MOST_TICKS)],
        critical=critical,
    )


def _begun(row: Row) -> tuple[bool, bool, float]:
    """Steps before undoings, each in the order in which they began; what has not begun comes last."""
    return row.undo, not row.spans, row.spans[0].start if row.spans else 0.0


def _lane(row: Row, length: float, critical: bool) -> Lane:
    spans = list(row.spans)
    if row.status == "waiting" and spans:
        spans.append(Span(spans[-1].end, length, "waiting"))
    return Lane(
        name=row.name,
        undo=row.undo,
        status="undone" if row.undo and row.status == "completed" else row.status,
        attempts=row.attempts,
        bars=[_bar(span, length, row.undo) for span in spans],
        lasted="" if row.lasted is None else duration(row.lasted),
        critical=critical,
    )


def _bar(span: Span, length: float, undo: bool) -> Bar:
    width = max(LEAST, (span.end - span.start) / length * 100)
    start = min(span.start / length * 100, 100 - width)
    kind = "undo" if undo and span.kind == "work" else span.kind
    title = f"{_WORDS[span.kind]}, {duration(span.end - span.start)}, from {duration(span.start)}"
    return Bar(round(start, 2), round(width, 2), kind, title)


def _took_part(step: Json) -> bool:
    return bool(step["completedAt"]) and step["status"] != "skipped"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
