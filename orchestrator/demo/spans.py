"""A workflow's JSON → what its timeline shows: a row for each step and each undoing, made of spans in seconds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orchestrator.jsontype import Json

Kind = Literal["work", "failed", "waiting"]
_UNDO = ":undo"
_ENDS: dict[str, Kind] = {
    "step.completed": "work",
    "step.retrying": "failed",
    "step.failed": "failed",
    "step.lost": "failed",
}


@dataclass(frozen=True)
class Span:
    """Something that lasted: seconds since the workflow was created."""

    start: float
    end: float
    kind: Kind


@dataclass(frozen=True)
class Row:
    """A step, or where `undo` is set the undoing of one. `lasted` is seconds, waits included."""

    name: str
    status: str
    undo: bool
    attempts: int
    spans: tuple[Span, ...]
    lasted: float | None
    error: str | None


@dataclass(frozen=True)
class Picture:
    """All rows and the length of the time axis in seconds."""

    rows: tuple[Row, ...]
    seconds: float


def picture(view: Json, events: Sequence[Json] = (), now: datetime | None = None) -> Picture:
    """What to draw of `GET /api/workflows/<id>`, with `events` (of `…/events`) each attempt by itself.

    What has not ended goes on to `now`, or where that is not given to the last moment that the JSON knows.
    """
    born = _moment(view["createdAt"])
    last = max([born, *_moments(view, events)] if now is None else [born, now])
    axis = _Axis(born, last)
    rows = [axis.row(step, step["name"], events) for step in view["steps"]]
    undone = [step for step in view["steps"] if step.get("compensation")]
    undone.sort(key=lambda step: step["compensation"].get("startedAt") or "~")
    rows += [axis.row(step["compensation"], step["name"] + _UNDO, events) for step in undone]
    return Picture(tuple(rows), axis.seconds(last))


@dataclass(frozen=True)
class _Axis:
    born: datetime
    last: datetime

    def seconds(self, moment: datetime) -> float:
        """Since the workflow was created; never negative, whatever a clock did."""
        return max(0.0, (moment - self.born).total_seconds())

    def row(self, step: Json, name: str, events: Iterable[Json]) -> Row:
        """The row of a step or of an undoing (`name` is the ledger's, as events have it)."""
        spans = self._attempts([event for event in events if event.get("step") == name]) or self._whole(step)
        error = step.get("error")
        return Row(
            name=name.removesuffix(_UNDO),
            status=step["status"],
            undo=name.endswith(_UNDO),
            attempts=step.get("attempts") or 0,
            spans=tuple(spans),
            lasted=None if not spans else spans[-1].end - spans[0].start,
            error=_said(error) if error else None,
        )

    def _whole(self, step: Json) -> list[Span]:
        if not step.get("startedAt"):
            return []
        end = self.last if not step.get("completedAt") else _moment(step["completedAt"])
        kind: Kind = "failed" if step["status"] == "failed" else "work"
        return [Span(self.seconds(_moment(step["startedAt"])), self.seconds(end), kind)]

    def _attempts(self, events: list[Json]) -> list[Span]:
        spans: list[Span] = []
        started: float | None = None
        for event in events:
            at = self.seconds(_moment(event["at"]))
            if event["type"] == "step.started":
                if spans:
                    spans.append(Span(spans[-1].end, at, "waiting"))
                started = at
            elif event["type"] in _ENDS and started is not None:
                spans.append(Span(started, at, _ENDS[event["type"]]))
                started = None
        if started is not None:
            spans.append(Span(started, self.seconds(self.last), "work"))
        return spans


def _said(error: Json) -> str:
    """An error as one line, its HTTP status before it where the message does not have it already."""
    if not isinstance(error, dict):
        return str(error)
    message = str(error.get("message") or error.get("kind") or "")
    status = error.get("status")
    return message if status is None or str(status) in message else f"{status}: {message}"


def _moments(view: Json, events: Iterable[Json]) -> list[datetime]:
    timed = [view, *view["steps"], *(step["compensation"] for step in view["steps"] if step.get("compensation"))]
    texts = [each.get(name) for each in timed for name in ("startedAt", "completedAt")]
    return [_moment(text) for text in [*texts, *(event["at"] for event in events)] if text]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
