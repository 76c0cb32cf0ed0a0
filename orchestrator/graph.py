"""An immutable directed acyclic graph of step names: its order, its ancestors, its reduction, its restrictions.

Everything is deterministic: names keep the order in which they were given, and so does whatever is derived from them.
Nothing recurses, and what can grow with the square of the number of steps (who comes before whom) is kept as integers
used as bit sets, and only where a question needs it.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from heapq import heapify, heappop, heappush
from types import MappingProxyType

from orchestrator.errors import OrchestratorError


class CycleError(OrchestratorError):
    """Steps wait for each other in a circle; `cycle` names them in their order, the first one again at the end."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        self.cycle = cycle
        super().__init__(f"steps wait for each other in a circle: {' → '.join(cycle)}")


class Graph:
    """Which step comes after which.

    `after` maps every step to the steps that come directly before it. Raises `CycleError` where steps wait for each
    other, and ValueError where a step waits for a name that is no step. Equal graphs have the same steps and the same
    edges, in whatever order they were given.
    """

    def __init__(self, after: Mapping[str, Collection[str]]) -> None:
        self.names = tuple(after)
        self._index = {name: index for index, name in enumerate(self.names)}
        self.predecessors: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {name: self._known(name, before) for name, before in after.items()}
        )
        self.order = self._ordered()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self._edges == other._edges

    def __hash__(self) -> int:
        return hash(frozenset(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __repr__(self) -> str:
        return f"Graph({dict(self.predecessors)!r})"

    @cached_property
    def successors(self) -> Mapping[str, tuple[str, ...]]:
        """Every step → the steps that come directly after it."""
        following: dict[str, list[str]] = {name: [] for name in self.names}
        for name, before in self.predecessors.items():
            for predecessor in before:
                following[predecessor].append(name)
        return MappingProxyType({name: tuple(after) for name, after in following.items()})

    @cached_property
    def starts(self) -> tuple[str, ...]:
        """The steps that wait for nothing."""
        return tuple(name for name in self.names if not self.predecessors[name])

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The steps that nothing waits for."""
        return tuple(name for name in self.names if not self.successors[name])

    @cached_property
    def level(self) -> Mapping[str, int]:
        """Every step → the length of the longest way to it; 0 for a start."""
        levels: dict[str, int] = {}
        for name in self.order:
            levels[name] = 1 + max((levels[before] for before in self.predecessors[name]), default=-1)
        return MappingProxyType(levels)

    def ancestors(self, name: str) -> frozenset[str]:
        """Every step that comes before this one, directly or not. Raises KeyError for a name that is no step."""
        return _reached(name, self.predecessors)

    def descendants(self, name: str) -> frozenset[str]:
        """Every step that comes after this one, directly or not. Raises KeyError for a name that is no step."""
        return _reached(name, self.successors)

    def precedes(self, earlier: str, later: str) -> bool:
        """Whether `earlier` is an ancestor of `later`; cheap to ask again and again."""
        return bool(self._before[later] >> self._position[earlier] & 1)

    def reduced(self) -> "Graph":
        """The graph with the fewest edges that has the same ancestors (its transitive reduction)."""
        return self._reduced

    def reversed(self) -> "Graph":
        """The same steps, every edge turned round."""
        return Graph(self.successors)

    def restricted(self, names: Iterable[str]) -> "Graph":
        """These steps only, in the same order as here, with no edge too many.

        One is an ancestor of another exactly where it is one in this graph, whether or not the steps between them
        were kept. Raises KeyError for a name that is no step.
        """
        kept = set(names)
        for name in kept:
            self._index[name]  # a KeyError is better here than a graph that silently lacks a step
        nearest: dict[str, int] = {}
        for name in self.order:
            found = 0
            for before in self.predecessors[name]:
                found |= 1 << self._position[before] if before in kept else nearest[before]
            nearest[name] = found
        latest: dict[int, tuple[str, ...]] = {}
        for name in kept:
            if nearest[name] not in latest:
                latest[nearest[name]] = self._latest(self._named(nearest[name]))
        return Graph({name: latest[nearest[name]] for name in self.names if name in kept})

    @cached_property
    def _reduced(self) -> "Graph":
        reduced = {name: self._latest(before) for name, before in self.predecessors.items()}
        if reduced == self.predecessors:
            return self
        return Graph(reduced)

    @cached_property
    def _edges(self) -> Mapping[str, frozenset[str]]:
        return {name: frozenset(before) for name, before in self.predecessors.items()}

    @cached_property
    def _position(self) -> Mapping[str, int]:
        return {name: position for position, name in enumerate(self.order)}

    @cached_property
    def _before(self) -> Mapping[str, int]:
        """Every step → its ancestors, as a bit set by position in `order`."""
        bits: dict[str, int] = {}
        for name in self.order:
            ancestors = 0
            for before in self.predecessors[name]:
                ancestors |= bits[before] | 1 << self._position[before]
            bits[name] = ancestors
        return bits

    def _named(self, bits: int) -> tuple[str, ...]:
        """The steps of a bit set."""
        names: list[str] = []
        while bits:
            highest = bits.bit_length() - 1
            names.append(self.order[highest])
            bits ^= 1 << highest
        return tuple(names)

    def _latest(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the names that are no ancestor of another one of them."""
        # Steps of one level never come before each other: chains and plain fan-ins need no bit sets at all.
        if len({self.level[name] for name in names}) < 2:
            return names
        earlier = 0
        for name in names:
            earlier |= self._before[name]
        return tuple(name for name in names if not earlier >> self._position[name] & 1)

    def _known(self, name: str, before: Collection[str]) -> tuple[str, ...]:
        for predecessor in before:
            if predecessor not in self._index:
                raise ValueError(f"step {name!r} waits for {predecessor!r}, which is no step")
        return tuple(sorted(set(before), key=self._index.__getitem__))

    def _ordered(self) -> tuple[str, ...]:
        """Topological; of several steps that may come next, the one that was given first."""
        missing = {name: len(before) for name, before in self.predecessors.items()}
        ready = [self._index[name] for name in self.starts]
        heapify(ready)
        order: list[str] = []
        while ready:
            name = self.names[heappop(ready)]
            order.append(name)
            for following in self.successors[name]:
                missing[following] -= 1
                if not missing[following]:
                    heappush(ready, self._index[following])
        if len(order) < len(self.names):
            raise CycleError(self._cycle(set(self.names) - set(order)))
        return tuple(order)

    def _cycle(self, stuck: set[str]) -> tuple[str, ...]:
        """A cycle among steps each of which has a predecessor among them: walk back until one comes again."""
        walked: dict[str, int] = {}
        name = next(name for name in self.names if name in stuck)
        while name not in walked:
            walked[name] = len(walked)
            name = next(before for before in self.predecessors[name] if before in stuck)
        backwards = [*walked][walked[name] :]
        forwards = [name, *backwards[:0:-1], name]
        # Start where the reader's file starts, so that the same circle always reads the same.
        first = min(range(len(forwards) - 1), key=lambda at: self._index[forwards[at]])
        return (*forwards[first:-1], *forwards[:first], forwards[first])


def _reached(name: str, edges: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    reached: set[str] = set()
    waiting = list(edges[name])
    while waiting:
        found = waiting.pop()
        if found not in reached:
            reached.add(found)
            waiting.extend(edges[found])
    return frozenset(reached)
