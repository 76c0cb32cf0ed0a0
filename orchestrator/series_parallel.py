"""Series-parallel contraction: a graph as nested series and parallels, as far as it can be written so.

Series: u and v become one where v is u's only successor and u is v's only predecessor. Parallel: steps with the same
predecessors and the same successors become one. Repeated until nothing changes, a series-parallel graph (most graphs
of API calls) ends as one structure (Valdes, Tarjan and Lawler 1982). In any other graph some joins are set apart: each
begins a structure of its own, and the rest contracts as if nothing led to them.

Between the parts of a series every end of the one comes before every start of the other, and whatever comes before one
start of a structure comes before all of its starts.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orchestrator.graph import Graph


@dataclass(frozen=True, slots=True)
class Series:
    """Parts of which each waits for the whole of the one before; never a series itself, and at least two."""

    parts: tuple["Structure", ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches that wait for the same and are waited for by the same; never a parallel itself, and at least two."""

    branches: tuple["Structure", ...]


Structure = str | Series | Parallel
"""A step by its name, or several in series or in parallel. May be nested thousands deep: walk it with a stack."""


def contracted(graph: Graph, apart: Collection[str] = ()) -> tuple[Structure, ...]:
    """The structures that a reduced graph contracts to, in the order of their first steps.

    What comes before a step of `apart` is left out of account: such a step is the only first one of its structure.
    """
    return _Contraction(graph, frozenset(apart)).run()


_Neighbours = tuple[frozenset[int], frozenset[int]]


class _Contraction:
    """Nodes are numbers in topological order. Each stands for a line of structures in series that begins with it."""

    def __init__(self, graph: Graph, apart: frozenset[str]) -> None:
        number = {name: at for at, name in enumerate(graph.order)}
        self._apart = {number[name] for name in apart}
        self._line: dict[int, list[Structure]] = {at: [name] for name, at in number.items()}
        self._after: dict[int, set[int]] = {at: set() for at in self._line}
        self._before: dict[int, set[int]] = {
            at: set() if name in apart else {number[one] for one in graph.predecessors[name]}
            for name, at in number.items()
        }
        for at, before in self._before.items():
            for one in before:
                self._after[one].add(at)
        self._neighbours: dict[int, _Neighbours] = {}
        self._alike: dict[_Neighbours, set[int]] = {}

    def run(self) -> tuple[Structure, ...]:
        self._merge(set(self._line))
        # Of what is left, a join must begin a structure anyway. Setting it apart first often lets the rest contract.
        for node in [node for node, before in self._before.items() if len(before) > 1]:
            if node in self._line and len(self._before[node]) > 1:
                self._merge(self._set_apart(node))
        return tuple(self._closed(node) for node in sorted(self._line))

    def _merge(self, changed: set[int]) -> None:
        while changed:
            changed |= self._merge_series(changed)
            changed = self._merge_parallel(changed)

    def _set_apart(self, node: int) -> set[int]:
        """Leaves what comes before the node out of account; returns the nodes that have fewer neighbours now."""
        before, self._before[node] = self._before[node], set()
        for leading in before:
            self._after[leading].remove(node)
        if node in self._neighbours:
            self._alike[self._neighbours.pop(node)].discard(node)
        self._apart.add(node)
        return before

    def _merge_series(self, changed: Iterable[int]) -> set[int]:
        """Merges around the changed nodes; returns the nodes that have other neighbours than before."""
        touched: set[int] = set()
        for start in sorted(changed):
            node = start
            while node in self._line and (leading := _only(self._before[node])) is not None:
                if len(self._after[leading]) > 1:
                    break
                node = leading
            while node in self._line and (following := _only(self._after[node])) is not None:
                if len(self._before[following]) > 1:
                    break
                self._append(node, following)
                touched |= {node} | self._after[node]
        return touched

    def _append(self, node: int, following: int) -> None:
        self._line[node] += self._line[following]
        self._after[node] = self._after[following]
        for later in self._after[node]:
            self._before[later].remove(following)
            self._before[later].add(node)
        self._forget(following)

    def _merge_parallel(self, changed: Iterable[int]) -> set[int]:
        """Merges the changed nodes with those like them; returns the nodes that have fewer neighbours than before."""
        mergeable = [node for node in sorted(changed) if node in self._line and node not in self._apart]
        touched: set[int] = set()
        for neighbours in dict.fromkeys([self._look_at(node) for node in mergeable]):
            alike = sorted(self._alike.get(neighbours, ()))
            if len(alike) > 1:
                self._gather(alike)
                touched |= {alike[0]} | self._before[alike[0]] | self._after[alike[0]]
        return touched

    def _look_at(self, node: int) -> _Neighbours:
        """Files the node under its present neighbours."""
        if node in self._neighbours:
            self._alike[self._neighbours[node]].discard(node)
        neighbours = frozenset(self._before[node]), frozenset(self._after[node])
        self._neighbours[node] = neighbours
        self._alike.setdefault(neighbours, set()).add(node)
        return neighbours

    def _gather(self, alike: list[int]) -> None:
        branches: list[Structure] = []
        for node in alike:
            branch = self._closed(node)
            branches.extend(branch.branches if isinstance(branch, Parallel) else (branch,))
        first, *others = alike
        for leading in self._before[first]:
            self._after[leading].difference_update(others)
        for following in self._after[first]:
            self._before[following].difference_update(others)
        self._line[first] = [Parallel(tuple(branches))]
        for node in others:
            self._forget(node)

    def _closed(self, node: int) -> Structure:
        line = self._line[node]
        return line[0] if len(line) == 1 else Series(tuple(line))

    def _forget(self, node: int) -> None:
        del self._line[node], self._before[node], self._after[node]
        if node in self._neighbours:
            self._alike[self._neighbours.pop(node)].discard(node)


def _only(nodes: set[int]) -> int | None:
    return next(iter(nodes)) if len(nodes) == 1 else None
