"""A graph as lanes of text, from top to bottom, one step a row, as `git log --graph` draws commits.

A step stands in a lane. A lane leads down to one step, the same for all lines that join it on the way, so every line
that enters a step from above is one that it waits for. `┼` joins a lane; a lane that is crossed stays whole: `─│─`.
"""

from collections.abc import Callable, Iterator

from orchestrator.graph import Graph

_JUNCTIONS = {  # by where its lines lead: up, down, left, right
    (True, True, False, True): "├",
    (True, True, True, False): "┤",
    (True, True, True, True): "┼",
    (False, True, True, True): "┬",
    (True, False, True, True): "┴",
    (False, True, False, True): "╭",
    (False, True, True, False): "╮",
    (True, False, False, True): "╰",
    (True, False, True, False): "╯",
}


def lanes(graph: Graph, mark: Callable[[str], str]) -> Iterator[tuple[str, str | None]]:
    """The rows: their lines, and the name of the step that stands in them (None where lines only branch and join).

    `mark` gives the character that stands for a step.
    """
    leads_to: list[str | None] = []
    for name in _by_layers(graph, leads_to):
        arriving = {lane for lane, target in enumerate(leads_to) if target == name} or {_free_lane(leads_to, 0)}
        at, before = min(arriving), list(leads_to)
        for lane in arriving - {at}:
            leads_to[lane] = None
        if len(arriving) > 1:
            yield _crossing_row(before, leads_to, arriving), None
        leads_to[at] = name
        yield _step_row(leads_to, at, mark(name)), name
        before = list(leads_to)
        leads_to[at] = None
        leaving = _leave(graph.successors[name], leads_to, at)
        if leaving - {at}:
            yield _crossing_row(before, leads_to, leaving | {at}), None


def _by_layers(graph: Graph, leads_to: list[str | None]) -> Iterator[str]:
    """Layer by layer, each from left to right as its lanes then are."""
    layers: dict[int, list[str]] = {}
    for name in graph.names:
        layers.setdefault(graph.level[name], []).append(name)
    for level in sorted(layers):
        place = {name: at for at, name in enumerate(leads_to) if name is not None}
        yield from sorted(layers[level], key=lambda name: place.get(name, len(leads_to)))


def _leave(following: tuple[str, ...], leads_to: list[str | None], at: int) -> set[int]:
    """Lets lanes lead from `at` to the steps that follow; returns these lanes."""
    if len(following) == 1:
        # It keeps its own lane although another may lead there too: all of them join in one row above that step.
        leads_to[at] = following[0]
        return {at}
    leaving = set()
    for one in following:
        near = [lane for lane, target in enumerate(leads_to) if target == one]
        lane = min(near, key=lambda lane: abs(lane - at)) if near else _free_lane(leads_to, at)
        leads_to[lane] = one
        leaving.add(lane)
    return leaving


def _free_lane(leads_to: list[str | None], at: int) -> int:
    """The nearest one from `at` to the right, else a new one."""
    for lane in range(at, len(leads_to)):
        if leads_to[lane] is None:
            return lane
    leads_to.append(None)
    return len(leads_to) - 1


def _step_row(leads_to: list[str | None], at: int, mark: str) -> str:
    row = ["│" if lane is not None else " " for lane in leads_to]
    row[at] = mark
    return " ".join(row).rstrip()


def _crossing_row(above: list[str | None], below: list[str | None], connected: set[int]) -> str:
    """The row between two others in which the connected lanes become one or one becomes several."""
    low, high = min(connected), max(connected)
    row = ""
    for lane, leads in enumerate(below):
        if lane in connected:
            was_there = lane < len(above) and above[lane] is not None
            row += _JUNCTIONS.get((was_there, leads is not None, lane > low, lane < high), "│")
        elif leads is not None:
            row += "│"
        else:
            row += "─" if low < lane < high else " "
        row += "─" if low <= lane < high else " "
    return row.rstrip()
