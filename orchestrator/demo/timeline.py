"""A workflow as a picture for the terminal: a bar for each step on one time axis, its attempts, undoing and end."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from orchestrator.demo.axis import duration, ticks
from orchestrator.demo.spans import Kind, Picture, Row, picture
from orchestrator.jsontype import Json

_MARKS = {
    "completed": ("✓", "v", "green"),
    "failed": ("✗", "x", "red"),
    "cancelled": ("✗", "x", "red"),
    "skipped": ("–", "-", "dim"),
    "running": ("▶", ">", "cyan"),
    "waiting": ("…", "~", "yellow"),
    "paused": ("…", "~", "yellow"),
    "compensating": ("↺", "<", "magenta"),
    "pending": ("·", ".", "dim"),
}
_UNDOING = {
    "running": "undoing",
    "completed": "what took effect is undone",
    "failed": "an undo failed: a person must look",
}
_UNDONE = ("↺", "<", "magenta")
_FILLS: dict[Kind, tuple[str, str]] = {"work": ("█", "#"), "failed": ("▒", "x"), "waiting": ("·", ".")}
_LONGEST_NAME = 22
_LONGEST_BARS = 100
_TICK_ROOM = 9
_TAIL = 9 + 4  # the duration and the attempts
_SETTLED = {"completed", "failed", "skipped"}


def timeline(view: Json, events: Sequence[Json] = (), now: datetime | None = None) -> "Timeline":
    """The picture of a workflow, from the JSON of `GET /api/workflows/<id>`.

    With the `events` of `GET /api/workflows/<id>/events` every attempt and every wait between them is drawn by itself;
    without them a step is one bar and the number of its attempts. What has not ended is drawn up to `now`.
    """
    return Timeline(view, picture(view, events, now))


class Timeline:
    """Something `rich` can print: as wide as the console, coloured on a terminal, ASCII where nothing else goes."""

    def __init__(self, view: Json, drawn: Picture) -> None:
        self._view = view
        self._picture = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Title, axis, rows, end; each a line that fits."""
        sheet = _Sheet(self._picture, options.max_width, options.ascii_only)
        lines = [self._title(sheet), sheet.axis()]
        for row in self._picture.rows:
            lines += sheet.row(row)
        lines += [*sheet.legend(), self._end(sheet)]
        for line in lines:
            line.truncate(options.max_width, overflow="crop" if options.ascii_only else "ellipsis")
            line.no_wrap = True
            yield line

    def _title(self, sheet: "_Sheet") -> Text:
        title = Text(sheet.clean(self._view["type"]), "bold")
        return title.append("  ").append(sheet.clean(self._view["workflowId"]), "dim not bold")

    def _end(self, sheet: "_Sheet") -> Text:
        status = self._view["status"]
        mark, style = sheet.mark(status)
        end = Text(f"{mark} {status}", f"bold {style}")
        lasted = self._view.get("durationMs")
        if lasted is not None:
            end.append(f" in {duration(lasted / 1000)}", "not bold default")
        if (error := self._view.get("error")) and status != "completed":
            end.append(f"  at {sheet.clean(error.get('step') or '?')}", "not bold default")
        if self._view.get("compensation", "none") != "none":
            end.append(f"  ({_UNDOING[self._view['compensation']]})", "not bold magenta")
        return end


class _Sheet:
    """The columns of one printing: mark, name, bars, duration, attempts."""

    def __init__(self, drawn: Picture, width: int, ascii_only: bool) -> None:
        self._rows = drawn.rows
        self._ascii = ascii_only
        self._name = min(_LONGEST_NAME, max([len(_label(row)) for row in drawn.rows], default=4), max(4, width // 3))
        self._indent = " " * (2 + self._name + 1)
        self._bars = max(8, min(_LONGEST_BARS, width - len(self._indent) - _TAIL))
        # A workflow that took no time at all still has an axis.
        self._seconds = max(drawn.seconds, 0.001)

    def mark(self, status: str, undo: bool = False) -> tuple[str, str]:
        """The sign of a status and its style."""
        unicode, plain, style = _UNDONE if undo and status == "completed" else _MARKS.get(status, ("?", "?", ""))
        return (plain if self._ascii else unicode), style

    def clean(self, text: Json) -> str:
        """One line without control characters: services write errors, and a terminal obeys what it is sent."""
        line = "".join(sign if sign.isprintable() else " " for sign in str(text))
        return line.encode("ascii", "replace").decode() if self._ascii else line

    def axis(self) -> Text:
        """Times above the bars, at round distances."""
        line = [" "] * self._bars
        for moment, label in ticks(self._seconds, max(1, self._bars // _TICK_ROOM)):
            at = self._cell(moment)
            if at + len(label) <= self._bars:
                line[at : at + len(label)] = label
        return Text(self._indent + "".join(line).rstrip(), "dim")

    def row(self, row: Row) -> list[Text]:
        """The step's line, and below it what went wrong."""
        mark, style = self.mark(row.status, row.undo)
        name = Text(self.clean(_label(row)))
        name.truncate(self._name, overflow="crop" if self._ascii else "ellipsis", pad=True)
        line = Text.assemble((mark, style), " ", name, " ")
        line.append_text(self._bar(row))
        settled = row.status in _SETTLED and row.lasted is not None
        line.append(f"{duration(row.lasted or 0) if settled else row.status:>9}")
        if row.attempts > 1:
            line.append(f" {'x' if self._ascii else '×'}{row.attempts}", "yellow")
        return [line, *self._error(row)]

    def _error(self, row: Row) -> list[Text]:
        if row.error is None or row.status == "completed":
            return []
        room = max(20, self._bars + _TAIL)
        lines = textwrap.wrap(self.clean(row.error), room, max_lines=2, placeholder="...", break_long_words=True)
        return [Text(self._indent + line, "red" if row.status == "failed" else "dim") for line in lines]

    def legend(self) -> Iterator[Text]:
        """What the less usual fills mean, where there are any."""
        kinds = {span.kind for row in self._rows for span in row.spans}
        words: dict[Kind, str] = {"failed": "failed attempt", "waiting": "waiting"}
        parts = [f"{_FILLS[kind][self._ascii]} {word}" for kind, word in words.items() if kind in kinds]
        if parts:
            yield Text(self._indent + "   ".join(parts), "dim")

    def _bar(self, row: Row) -> Text:
        cells: list[tuple[str, str]] = [(" ", "")] * self._bars
        work = _UNDONE[2] if row.undo else "green" if row.status == "completed" else "cyan"
        styles: dict[Kind, str] = {"work": work, "failed": "red", "waiting": "yellow dim"}
        # Work last: where a cell holds more than one thing, a wait hides nothing.
        for span in sorted(row.spans, key=lambda span: ("waiting", "failed", "work").index(span.kind)):
            # At least one cell: what happened is seen, however short it was.
            for at in range(self._cell(span.start), self._cell(span.end) + 1):
                cells[at] = (_FILLS[span.kind][self._ascii], styles[span.kind])
        return Text.assemble(*cells)

    def _cell(self, seconds: float) -> int:
        """The cell that a moment falls into."""
        return min(self._bars - 1, math.floor(seconds / self._seconds * self._bars))


def _label(row: Row) -> str:
    return f"undo {row.name}" if row.undo else row.name
