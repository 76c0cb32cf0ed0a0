"""Layouts: nothing overlaps, lines run forward, crossings that need not be are not there."""

import time
from itertools import combinations, pairwise

from hypothesis import given, settings

from orchestrator.critical_path import critical_path
from orchestrator.graph import Graph
from orchestrator.layout import Layout, Sizes, layout
from tests.graphs import graphs

SIZES = Sizes()


def overlapping(drawn: Layout) -> list[tuple[str, str]]:
    """The pairs of boxes that lie on each other."""
    return [
        (one, other)
        for (one, (x, y)), (other, (u, v)) in combinations(drawn.places.items(), 2)
        if abs(x - u) < SIZES.width - 0.01 and abs(y - v) < SIZES.height - 0.01
    ]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_in_any_graph_no_two_boxes_overlap_and_every_line_runs_forward(graph: Graph) -> None:
    """In both directions; everything lies within the drawing."""
    for down in (True, False):
        drawn = layout(graph, SIZES, down=down)
        assert overlapping(drawn) == []
        along = 1 if down else 0
        for line in drawn.lines:
            assert all(one[along] <= other[along] for one, other in pairwise(line.points))
        for x, y in drawn.places.values():
            assert SIZES.width / 2 - 0.01 <= x <= drawn.width - SIZES.width / 2 + 0.01
            assert SIZES.height / 2 - 0.01 <= y <= drawn.height - SIZES.height / 2 + 0.01


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_exactly_the_edges_that_no_others_imply_are_drawn(graph: Graph) -> None:
    """A line for each edge of the transitive reduction."""
    drawn = layout(graph, SIZES, down=True)
    edges = [(before, name) for name, all_before in graph.reduced().predecessors.items() for before in all_before]
    assert sorted((line.before, line.after) for line in drawn.lines) == sorted(edges)


def test_a_crossing_that_need_not_be_is_undone() -> None:
    """The second layer is given in the wrong order."""
    drawn = layout(Graph({"a": (), "b": (), "of b": ("b",), "of a": ("a",)}), SIZES, down=True)
    assert (drawn.places["a"] < drawn.places["b"]) == (drawn.places["of a"] < drawn.places["of b"])


def test_a_chain_is_a_straight_line_and_a_diamond_is_symmetric() -> None:
    """What has one neighbour stands where that one stands."""
    chain = layout(Graph({"a": (), "b": ("a",), "c": ("b",)}), SIZES, down=False)
    assert len({y for _, y in chain.places.values()}) == 1
    diamond = layout(Graph({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}), SIZES, down=True)
    (ax, _), (bx, _), (cx, _), (dx, _) = (diamond.places[name] for name in "abcd")
    assert ax == dx
    assert ax - bx == cx - ax > 0


def test_nothing_is_laid_out_as_nothing() -> None:
    """A graph without steps has no size."""
    assert (layout(Graph({}), SIZES, down=True).width, layout(Graph({}), SIZES, down=True).height) == (0, 0)


def test_a_dense_graph_of_150_steps_is_laid_out_within_two_seconds() -> None:
    """The largest that the dashboard draws, with many long lines."""
    names = [f"s{number}" for number in range(150)]
    after = {name: [names[(number * 7) % number], names[number // 2]] for number, name in enumerate(names) if number}
    began = time.monotonic()
    layout(Graph({names[0]: (), **after}), SIZES, down=True)
    assert time.monotonic() - began < 2


def test_the_critical_path_leads_back_from_the_last_end_over_the_latest_prerequisites() -> None:
    """Not over the longest step, but over what was waited for."""
    before = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "aside": ()}
    assert critical_path({"a": 1, "b": 5, "c": 3, "d": 6, "aside": 2}, before) == ("a", "b", "d")
    assert critical_path({"a": 1, "c": 3}, before) == ("a", "c")
    assert critical_path({}, before) == ()
