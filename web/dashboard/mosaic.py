"""A graph of hundreds or thousands of steps as tiles, a block a layer: where it stands is seen at a glance. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.graph import Graph
from orchestrator.jsontype import Json

SIZE = 11
"""Pixels of a tile."""

_STEP = SIZE + 3
_GAP = 7
_HIGHEST = 20
"""Tiles of a block's column."""

_WIDEST = 1_120
"""Pixels; what does not fit goes on below."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A step. `x` and `y` are its upper left corner."""

    name: str
    status: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Mosaic:
    """All of them; sizes are pixels."""

    tiles: Sequence[Tile]
    width: int
    height: int
    size: int = SIZE

    @property
    def statuses(self) -> list[str]:
        """Those that there are."""
        return sorted({tile.status for tile in self.tiles})


def mosaic(graph: Graph, states: Mapping[str, Json]) -> Mosaic:
    """`states` are steps of the API's workflow by name; a step that is not among them is pending."""
    layers: dict[int, list[str]] = {}
    for name in graph.names:
        layers.setdefault(graph.level[name], []).append(name)
    tiles: list[Tile] = []
    x = y = lowest = 0
    for _, names in sorted(layers.items()):
        columns = -(-len(names) // _HIGHEST)
        if x and x + columns * _STEP > _WIDEST:
            x, y = 0, lowest + _GAP
        for place, name in enumerate(names):
            column, row = divmod(place, _HIGHEST)
            status = str(states[name]["status"]) if name in states else "pending"
            tiles.append(Tile(name, status, x + column * _STEP, y + row * _STEP))
        lowest = max(lowest, y + min(len(names), _HIGHEST) * _STEP)
        x += columns * _STEP + _GAP
    return Mosaic(tiles, max((tile.x + SIZE for tile in tiles), default=0), max(0, lowest - _STEP + SIZE))
