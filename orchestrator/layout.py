"""Where the steps of a graph stand in a drawing: in layers, with few crossings and straight lines. Pure.

The usual four moves for layered drawings (Sugiyama, Tagawa and Toda, 1981): layers by the longest way to a step; lines
that pass a layer get a place in it; the places are ordered by the mean of their neighbours, keeping the order with the
fewest crossings; coordinates come as near to their neighbours' mean as the distances allow (isotonic regression).
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from orchestrator.graph import Graph

Point = tuple[float, float]
SWEEPS = 12
"""Times that the layers are put in order, alternately by what is before and what is after."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """In pixels: a step's box, what lies between two layers, and between two neighbours of one."""

    width: float = 170
    height: float = 40
    between_layers: float = 56
    between_neighbours: float = 18


@dataclass(frozen=True, slots=True)
class Line:
    """From a step to one that waits for it: the points between which it runs, in pairs from layer to layer."""

    before: str
    after: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """`places` are the middles of the boxes. Everything lies between (0, 0) and (width, height)."""

    places: Mapping[str, Point]
    lines: tuple[Line, ...]
    width: float
    height: float
    down: bool


@lru_cache(maxsize=128)
def layout(graph: Graph, sizes: Sizes, *, down: bool) -> Layout:
    """Lay out the graph, without the edges that others imply: layers from top to bottom, or from left to right."""
    drawn = _Drawing(graph.reduced(), sizes, down)
    return drawn.layout()


Cell = tuple[str, ...]
"""A place in a layer: (step,) for a box, (before, after, layer) for a line that passes by."""


class _Drawing:
    """Layers run along one axis, the places of a layer across it; which is which matters at the end only."""

    def __init__(self, graph: Graph, sizes: Sizes, down: bool) -> None:
        self._graph = graph
        self._sizes = sizes
        self._down = down
        self._layers: list[list[Cell]] = [[] for _ in range(1 + max(graph.level.values(), default=-1))]
        self._before: dict[Cell, list[Cell]] = {}
        self._after: dict[Cell, list[Cell]] = {}
        self._fill()

    def layout(self) -> Layout:
        """The whole of it."""
        _order(self._layers, self._before, self._after)
        across = self._across()
        least = min((across[cell] - self._half(cell) for cell in across), default=0.0)
        across = {cell: at - least for cell, at in across.items()}
        most = max((across[cell] + self._half(cell) for cell in across), default=0.0)
        thick, gap = self._thickness, self._sizes.between_layers
        along = max(0.0, len(self._layers) * (thick + gap) - gap)
        places = {name: self._point(level, across[name,]) for name, level in self._graph.level.items()}
        width, height = (most, along) if self._down else (along, most)
        return Layout(places, tuple(self._lines(across)), width, height, self._down)

    @property
    def _thickness(self) -> float:
        return self._sizes.height if self._down else self._sizes.width

    def _half(self, cell: Cell) -> float:
        box = self._sizes.width if self._down else self._sizes.height
        return box / 2 if len(cell) == 1 else 4.0

    def _fill(self) -> None:
        for name in self._graph.order:
            self._add(self._graph.level[name], (name,))
        for name in self._graph.order:
            for following in self._graph.successors[name]:
                last: Cell = (name,)
                for level in range(self._graph.level[name] + 1, self._graph.level[following]):
                    passing = (name, following, str(level))
                    self._add(level, passing)
                    self._join(last, passing)
                    last = passing
                self._join(last, (following,))

    def _add(self, level: int, cell: Cell) -> None:
        self._layers[level].append(cell)
        self._before[cell], self._after[cell] = [], []

    def _join(self, before: Cell, after: Cell) -> None:
        self._after[before].append(after)
        self._before[after].append(before)

    def _across(self) -> dict[Cell, float]:
        """Each cell's middle across the layers."""
        offsets = [self._offsets(layer) for layer in self._layers]
        across: dict[Cell, float] = {}
        for layer, offset in zip(self._layers, offsets, strict=True):
            middle = offset[-1] / 2 if offset else 0.0
            across |= {cell: at - middle for cell, at in zip(layer, offset, strict=True)}
        for sweep in range(SWEEPS):
            forward = sweep % 2 == 0
            one_side = self._before if forward else self._after
            # At last by both sides, so that neither end of a line is left crooked.
            neighbours = (
                one_side if sweep < SWEEPS - 4 else {cell: self._before[cell] + self._after[cell] for cell in across}
            )
            for number in range(len(self._layers)) if forward else reversed(range(len(self._layers))):
                layer, offset = self._layers[number], offsets[number]
                wanted = [_mean([across[one] for one in neighbours[cell]], across[cell]) for cell in layer]
                weights = [1.0 if len(cell) == 1 else 4.0 for cell in layer]
                shifted = [want - at for want, at in zip(wanted, offset, strict=True)]
                for cell, at, shift in zip(layer, offset, _rising(shifted, weights), strict=True):
                    across[cell] = at + shift
        return across

    def _offsets(self, layer: Sequence[Cell]) -> list[float]:
        """How far from the first each cell is where they stand as close as they may."""
        offsets: list[float] = []
        for number, cell in enumerate(layer):
            gap = self._half(layer[number - 1]) + self._sizes.between_neighbours + self._half(cell)
            offsets.append(offsets[-1] + gap if number else 0.0)
        return offsets

    def _point(self, level: int, across: float, side: float = 0.0) -> Point:
        """`side` is -1 where the layer begins, 0 in its middle, 1 where it ends."""
        along = level * (self._thickness + self._sizes.between_layers) + self._thickness * (1 + side) / 2
        return (across, along) if self._down else (along, across)

    def _lines(self, across: Mapping[Cell, float]) -> Iterator[Line]:
        level = self._graph.level
        for name in self._graph.order:
            for following in self._graph.successors[name]:
                points = [self._point(level[name], across[name,], 1)]
                for passed in range(level[name] + 1, level[following]):
                    at = across[name, following, str(passed)]
                    points += [self._point(passed, at, -1), self._point(passed, at, 1)]
                points.append(self._point(level[following], across[following,], -1))
                yield Line(name, following, tuple(points))


def _order(
    layers: list[list[Cell]], before: Mapping[Cell, Sequence[Cell]], after: Mapping[Cell, Sequence[Cell]]
) -> None:
    """Put each layer in an order with few crossings, in place."""
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers, after)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        place = {cell: at for layer in layers for at, cell in enumerate(layer)}
        for layer in layers if forward else reversed(layers):
            # Stable: equal ones keep their order, which is the definition's.
            means = {cell: _mean([float(place[one]) for one in neighbours[cell]], place[cell]) for cell in layer}
            layer.sort(key=means.__getitem__)
            place |= {cell: at for at, cell in enumerate(layer)}
        if (found := _crossings(layers, after)) < fewest:
            fewest, best = found, [list(layer) for layer in layers]
    layers[:] = best


def _crossings(layers: Sequence[Sequence[Cell]], after: Mapping[Cell, Sequence[Cell]]) -> int:
    """How many pairs of lines cross between neighbouring layers."""
    found = 0
    for layer, following in pairwise(layers):
        place = {cell: at for at, cell in enumerate(following)}
        ends: list[int] = []
        for cell in layer:
            arriving = sorted(place[one] for one in after[cell])
            found += sum(len(ends) - bisect_right(ends, at) for at in arriving)
            for at in arriving:
                insort(ends, at)
    return found


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The rising sequence that is nearest to the values by weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        count = 1
        while pools and pools[-1][0] > value:
            mean, heavy, members = pools.pop()
            value = (value * weight + mean * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + members
        pools.append((value, weight, count))
    return [mean for mean, _, members in pools for _ in range(members)]
