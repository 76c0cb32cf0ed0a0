"""Where a reader stands in a document, and the faults found so far.

A reader is given a value and its `Place`; it notes what is wrong there and reads on: one reading finds every fault.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from orchestrator.errors import DefinitionError, Fault

Path = tuple[str | int, ...]

MAX_FAULTS = 100
MAX_SUGGESTIONS = 25  # looking for close names costs time, and nobody reads more


class Faults:
    """What is wrong in one document. `source` is its name, `lines` says on which line each path stands."""

    def __init__(self, source: str | None = None, lines: dict[Path, int] | None = None) -> None:
        self.source = source
        self.lines = {} if lines is None else lines
        self._found: list[Fault] = []
        self._suggestions = MAX_SUGGESTIONS

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, path: Path, message: str) -> None:
        """Note a fault at `path`."""
        if len(self._found) <= MAX_FAULTS:
            self._found.append(Fault(spelled(path), message, self.source, self.line_of(path)))

    def moved(self, written: Path, path: Path) -> None:
        """What is `written` there is spoken of as `path`."""
        if (line := self.lines.get(written)) is not None:
            self.lines[path] = line

    def suggestion(self, name: str, names: Iterable[str]) -> str:
        """`; did you mean 'charge'?` where one of `names` is close to `name`, else nothing."""
        self._suggestions -= 1
        close = get_close_matches(name[:100], names, n=1) if self._suggestions >= 0 else []
        return f"; did you mean '{close[0]}'?" if close else ""

    def all(self) -> tuple[Fault, ...]:
        """Every fault, in the order of the lines; the end says so where there were too many."""
        shown = sorted(self._found[:MAX_FAULTS], key=lambda fault: fault.line or 0)
        if len(self._found) > MAX_FAULTS:
            shown.append(Fault("", f"and more; only {MAX_FAULTS} faults are shown", self.source))
        return tuple(shown)

    def raise_any(self) -> None:
        """Raise DefinitionError where anything was found."""
        if self._found:
            raise DefinitionError(self.all())

    def line_of(self, path: Path) -> int | None:
        """The line on which `path` stands, or what holds it."""
        while path:
            if (line := self.lines.get(path)) is not None:
                return line
            path = path[:-1]
        return self.lines.get(())


class Place:
    """A path in a document, and the faults to which it adds."""

    __slots__ = ("faults", "path")

    def __init__(self, faults: Faults, path: Path = ()) -> None:
        self.faults = faults
        self.path = path

    def __truediv__(self, part: str | int) -> "Place":
        return Place(self.faults, (*self.path, part))

    def fault(self, message: str) -> None:
        """Note that the value here is wrong."""
        self.faults.add(self.path, message)


def spelled(path: Path) -> str:
    """A path as people write it: `steps.charge.next[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
