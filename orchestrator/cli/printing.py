"""What people and scripts read: tables and lines on a terminal, JSON where it was asked for."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.plain import plain
from orchestrator.jsontype import Json

_PIPE_WIDTH = 200

STYLES = {
    "completed": "green",
    "failed": "bold red",
    "cancelled": "magenta",
    "compensating": "yellow",
    "running": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "skipped": "dim",
    "pending": "dim",
}


def console(*, stderr: bool = False, pipe_width: int = _PIPE_WIDTH) -> Console:
    """A console as wide as the terminal; into a pipe or a file it is as wide as said, so that tables are not folded."""
    stream = sys.stderr if stderr else sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else pipe_width
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def status(value: str) -> Text:
    """A status in its colour."""
    return Text(plain(value), style=STYLES.get(value, ""))


def brief(value: Json, longest: int = 60) -> str:
    """A value on one line, cut where it is long."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(plain(text).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def seconds(milliseconds: int | float | None) -> str:
    """A duration as people say it."""
    if milliseconds is None:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1_000:.1f} s"
    minutes, rest = divmod(round(milliseconds / 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Columns without frames: to be read, and to be cut with other tools."""
    made = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for heading in headings:
        made.add_column(heading, no_wrap=heading in ("WORKFLOW", "TIME"), overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    return made


def tell(value: Json, *, as_json: bool, draw: Callable[[Json], RenderableType]) -> None:
    """The value on standard output: as one JSON document, or as it is drawn for people."""
    if as_json:
        echo_json(value)
    else:
        console().print(draw(value))


def echo_json(value: Json) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
