"""A graph with the state of each step: boxes and lines for the SVG, or layers where it is too large. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.definition import Definition
from orchestrator.graph import Graph
from orchestrator.jsontype import Json
from orchestrator.layout import Line, Point, Sizes, layout

MOST_DRAWN = 150
"""Steps of a graph that is drawn; of a larger one the layers are told in a table."""

WIDEST = 1_130.0
"""Pixels of a drawing that a wide screen shows whole."""

MANY = 8
"""Layers down the page, from which on they stand closer."""

MOST_NAMED = 8
MARGIN = 10.0
_HEIGHT = 40.0
_LETTER, _LEAST, _MOST = 7.7, 110.0, 240.0
"""Pixels: of a letter, and of a box's width."""


@dataclass(frozen=True, slots=True)
class Box:
    """A step. `x` and `y` are its upper left corner; `undo` is the status of its undoing, None where there is none."""

    name: str
    label: str
    x: float
    y: float
    status: str
    undo: str | None


@dataclass(frozen=True, slots=True)
class Edge:
    """A line. `fallback`: taken only where the step before fails; `passed`: the step before has settled."""

    path: str
    fallback: bool
    passed: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """One SVG. Sizes are pixels."""

    boxes: Sequence[Box]
    edges: Sequence[Edge]
    width: float
    height: float
    box_width: float
    box_height: float
    down: bool


@dataclass(frozen=True, slots=True)
class Layer:
    """The steps of layer `first`, counted from 1, or of all layers up to `last`.

    Those are layers of one step each, or layers whose steps all stand alike.
    """

    first: int
    last: int
    counts: Mapping[str, int]
    named: Sequence[str]
    size: int

    @property
    def chain(self) -> bool:
        """Whether they come one after another, each by itself."""
        return self.last > self.first and self.size == self.last - self.first + 1


def drawings(definition: Definition, states: Mapping[str, Json]) -> list[Drawing]:
    """One for narrow screens, and where it is another one, before it one for wide screens; none where it is too large.

    `states` are steps of the API's workflow by name; a step that is not among them is pending.
    """
    graph = definition.graph
    if not 0 < len(graph) <= MOST_DRAWN:
        return []
    down, across = (_drawing(definition, states, down=way) for way in (True, False))
    return [across, down] if across.width <= max(WIDEST, down.width) else [down]


def _drawing(definition: Definition, states: Mapping[str, Json], *, down: bool) -> Drawing:
    longest = max(len(name) for name in definition.graph.names)
    width = min(_MOST, max(_LEAST, 34 + longest * _LETTER))
    sizes = Sizes(width, _HEIGHT, between_layers=_gap(definition.graph, down))
    placed = layout(definition.graph, sizes, down=down)
    room = int((width - 34) / _LETTER)
    boxes = [
        Box(
            name=name,
            label=name if len(name) <= room else f"{name[: room - 1]}…",
            x=round(x - width / 2 + MARGIN, 1),
            y=round(y - _HEIGHT / 2 + MARGIN, 1),
            status=_status(states, name),
            undo=_undo(states, name),
        )
        for name, (x, y) in placed.places.items()
    ]
    return Drawing(
        boxes=boxes,
        edges=[_edge(definition, states, line, down) for line in placed.lines],
        width=round(placed.width + 2 * MARGIN),
        height=round(placed.height + 2 * MARGIN),
        box_width=round(width, 1),
        box_height=_HEIGHT,
        down=down,
    )


def _gap(graph: Graph, down: bool) -> float:
    """Room for lines to bend in; less of it where many layers run down the page."""
    return 56 if not down else 34 if max(graph.level.values()) < MANY else 20


def _edge(definition: Definition, states: Mapping[str, Json], line: Line, down: bool) -> Edge:
    return Edge(
        path=_path([(x + MARGIN, y + MARGIN) for x, y in line.points], down),
        fallback=definition.stands_in_for.get(line.after) == line.before,
        passed=_status(states, line.before) in ("completed", "skipped"),
    )


def _path(points: Sequence[Point], down: bool) -> str:
    """A curve between layers, a straight line through each that it passes."""
    parts = [f"M{_at(points[0])}"]
    for number, (one, other) in enumerate(pairwise(points)):
        if number % 2:
            parts.append(f"L{_at(other)}")
        elif down:
            middle = (one[1] + other[1]) / 2
            parts.append(f"C{_at((one[0], middle))} {_at((other[0], middle))} {_at(other)}")
        else:
            middle = (one[0] + other[0]) / 2
            parts.append(f"C{_at((middle, one[1]))} {_at((middle, other[1]))} {_at(other)}")
    return "".join(parts)


def _at(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def layers(graph: Graph, states: Mapping[str, Json]) -> list[Layer]:
    """A row for each layer; layers of one step each share a row, and so do those of which every step stands alike."""
    by_level: list[list[str]] = []
    for name in sorted(graph.names, key=graph.level.__getitem__):
        if len(by_level) <= graph.level[name]:
            by_level.append([])
        by_level[graph.level[name]].append(name)
    found: list[Layer] = []
    at = 0
    while at < len(by_level):
        end = at + 1
        while end < len(by_level) and _alike(by_level[at], by_level[end], states):
            end += 1
        found.append(_layer(at, end, [name for level in by_level[at:end] for name in level], states))
        at = end
    return found


def _alike(one: Sequence[str], other: Sequence[str], states: Mapping[str, Json]) -> bool:
    if len(one) == len(other) == 1:
        return True
    return bool(states) and len({_status(states, name) for name in (*one, *other)}) == 1


def _layer(at: int, end: int, names: Sequence[str], states: Mapping[str, Json]) -> Layer:
    counts: dict[str, int] = {}
    for name in names:
        status = _status(states, name)
        counts[status] = counts.get(status, 0) + 1
    # Those that somebody would look for come first.
    telling = sorted(names, key=lambda name: _INTEREST.get(_status(states, name), 9))
    return Layer(at + 1, end, counts, telling[:MOST_NAMED], len(names))


_INTEREST = {"failed": 0, "waiting": 1, "running": 2, "pending": 3}


def _status(states: Mapping[str, Json], name: str) -> str:
    return str(states[name]["status"]) if name in states else "pending"


def _undo(states: Mapping[str, Json], name: str) -> str | None:
    undo = states[name].get("compensation") if name in states else None
    return undo["status"] if undo else None
