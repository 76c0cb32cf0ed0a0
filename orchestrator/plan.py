"""A graph → fragments, each of which one Celery canvas can carry; the ledger joins them.

The steps that are first in a fragment are brought by the ledger, when the last of their prerequisites has settled;
all others are carried by the canvas. There is no added barrier: a carried step waits for exactly its own (reduced)
prerequisites, and the first steps of one fragment all wait for the same. Wherever Celery cannot carry what follows,
or carrying it would cost too many bytes, the fragment is cut and the ledger brings the rest.

The bytes of a canvas are those of all its messages, and each message repeats all that comes after its step. Three
bounds keep them linear: no more than `window` steps one after another in a fragment, no more than `window` steps
repeated by its messages on average (a wide header before a long tail), no more than `width` steps in any one message.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from orchestrator.graph import Graph
from orchestrator.series_parallel import Series, Structure, contracted
from orchestrator.shape import Group, Shape, Single, follow, waits


@dataclass(frozen=True)
class Fragment:
    """A part of the plan that is published as one canvas when the prerequisites of its heads have settled."""

    shape: Shape

    def __str__(self) -> str:
        return str(self.shape)

    @cached_property
    def waits(self) -> Mapping[str, tuple[str, ...]]:
        """Every step → the steps that the canvas waits for before it brings it: none for a head."""
        return dict(waits(self.shape))

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """Every step, as one reads the shape: a step comes later than those it waits for."""
        return tuple(self.waits)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The steps that are first: more than one where the fragment begins with branches."""
        return tuple(step for step, before in self.waits.items() if not before)

    @cached_property
    def carried(self) -> tuple[str, ...]:
        """The steps that the canvas brings: all but the heads."""
        return tuple(step for step, before in self.waits.items() if before)

    def after(self, step: str) -> tuple[str, ...]:
        """The steps that the canvas would bring after this one, at once or later.

        They must be brought some other way when the message of this step is lost or leaves its canvas. Raises
        KeyError for a step of another fragment.
        """
        after: dict[str, None] = {}
        waiting = [step]
        while waiting:
            for following in self._following[waiting.pop()]:
                if following not in after:
                    after[following] = None
                    waiting.append(following)
        return tuple(sorted(after, key=self._place.__getitem__))

    def next_to(self, step: str) -> tuple[str, ...]:
        """The steps that the canvas brings once this one has ended, alone or together with others."""
        return tuple(self._following[step])

    @cached_property
    def _following(self) -> Mapping[str, list[str]]:
        following: dict[str, list[str]] = {step: [] for step in self.steps}
        for step, before in self.waits.items():
            for one in before:
                following[one].append(step)
        return following

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {step: place for place, step in enumerate(self.steps)}


@dataclass(frozen=True)
class Plan:
    """All fragments of a graph, in the order of their first steps; every step is in exactly one.

    `order` is the graph that the fragments follow: the given one without the edges that the others imply.
    """

    fragments: tuple[Fragment, ...]
    order: Graph

    def fragment_of(self, step: str) -> Fragment:
        """The fragment that the step is in. Raises KeyError for a name that is no step."""
        return self._fragment_of[step]

    def headed_by(self, step: str) -> Fragment | None:
        """The fragment that the step is a head of; None for a carried step."""
        fragment = self._fragment_of[step]
        return None if fragment.waits[step] else fragment

    @cached_property
    def _fragment_of(self) -> Mapping[str, Fragment]:
        return {step: fragment for fragment in self.fragments for step in fragment.steps}


def plan(graph: Graph, *, brought: Collection[str] = (), window: int = 8, width: int = 500) -> Plan:
    """Cuts the graph into fragments.

    `brought` are the steps that the ledger must bring whatever the graph looks like, because they may start before
    all of their prerequisites have settled (partial joins): each is the only head of its fragment. `window` and
    `width` are numbers of steps, as the module says, and `width` is also the most branches of a group or a chord.
    Raises KeyError for a name in `brought` that is no step, ValueError for a window or width below 1.
    """
    if window < 1 or width < 1:
        raise ValueError(f"window and width are numbers of steps from 1, not {window} and {width}")
    order = _implied_left_out(graph, frozenset(brought))
    cutter = _Cutter(window, width)
    for structure in contracted(order, brought):
        cutter.cut(structure)
    place = {name: at for at, name in enumerate(order.order)}
    fragments = sorted(map(Fragment, cutter.shapes), key=lambda fragment: place[fragment.steps[0]])
    return Plan(tuple(fragments), order)


def _implied_left_out(graph: Graph, brought: frozenset[str]) -> Graph:
    """The transitive reduction, except that a step of `brought` implies nothing about what came before it.

    It may settle while some of its prerequisites have not, so what waits for both must keep both edges; and it
    counts its own prerequisites, so it keeps them all.
    """
    own = {name: graph.predecessors[name] for name in brought}
    certain = Graph({name: () if name in brought else before for name, before in graph.predecessors.items()})
    return Graph(dict(certain.reduced().predecessors) | own)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The beginning of a structure as far as one canvas carries it.

    `shape` is None where not even the first steps are in one canvas, `whole` is whether the shape reaches all ends of
    the structure. Numbers of steps: `size` in all, `depth` one after another, `largest` in the largest message after
    its own step, `repeated` in all messages together after their own steps.
    """

    shape: Shape | None
    whole: bool = True
    size: int = 1
    depth: int = 1
    largest: int = 0
    repeated: int = 0


class _Cutter:
    """Collects the shapes that structures are cut into, from the inside out."""

    def __init__(self, window: int, width: int) -> None:
        self._window = window
        self._width = width
        self.shapes: list[Shape] = []

    def cut(self, structure: Structure) -> None:
        """Adds the shapes of one structure. A walk with a stack: structures may be nested thousands deep."""
        pieces: list[_Piece] = []
        waiting: list[tuple[Structure, bool]] = [(structure, False)]
        while waiting:
            part, inside_done = waiting.pop()
            if isinstance(part, str):
                pieces.append(_Piece(Single(part)))
                continue
            inside = part.parts if isinstance(part, Series) else part.branches
            if not inside_done:
                waiting.append((part, True))
                waiting.extend((one, False) for one in reversed(inside))
                continue
            made = pieces[-len(inside) :]
            del pieces[-len(inside) :]
            pieces.append(self._series(made) if isinstance(part, Series) else self._parallel(made))
        self._close(pieces[0])

    def _series(self, pieces: list[_Piece]) -> _Piece:
        """The beginning of the series; what does not fit behind it is closed, as fragments of their own."""
        lines = [pieces[0]]
        for piece in pieces[1:]:
            joined = self._joined(lines[-1], piece)
            if joined is None:
                lines.append(piece)
            else:
                lines[-1] = joined
        for line in lines[1:]:
            self._close(line)
        return lines[0] if len(lines) == 1 else replace(lines[0], whole=False)

    def _parallel(self, pieces: list[_Piece]) -> _Piece:
        """The beginnings of all branches side by side; too many of them are fragments of their own."""
        begun = [piece for piece in pieces if piece.shape is not None]
        branches = [branch for piece in begun for branch in _branches(piece.shape)]
        if len(branches) > self._width or not branches:
            self.shapes += branches
            return _Piece(None, whole=False)
        return _Piece(
            branches[0] if len(branches) == 1 else Group(tuple(branches)),
            whole=all(piece.whole for piece in pieces),
            size=sum(piece.size for piece in begun),
            depth=max(piece.depth for piece in begun),
            largest=max(piece.largest for piece in begun),
            repeated=sum(piece.repeated for piece in begun),
        )

    def _joined(self, earlier: _Piece, later: _Piece) -> _Piece | None:
        """Both in one canvas; None where Celery or a bound forbids it."""
        if not earlier.whole or earlier.shape is None or later.shape is None:
            return None
        size = earlier.size + later.size
        depth = earlier.depth + later.depth
        largest = earlier.largest + later.size
        repeated = earlier.repeated + later.repeated + earlier.size * later.size
        if depth > self._window or largest > self._width or repeated > self._window * size:
            return None
        shape = follow(earlier.shape, later.shape)
        return None if shape is None else _Piece(shape, later.whole, size, depth, largest, repeated)

    def _close(self, piece: _Piece) -> None:
        if piece.shape is not None:
            self.shapes.append(piece.shape)


def _branches(shape: Shape | None) -> tuple[Shape, ...]:
    """The shape as branches side by side: a branch that was cut after its first group is just that group."""
    match shape:
        case None:
            return ()
        case Group(branches):
            return branches
        case _:
            return (shape,)
