"""The graph: its order, its ancestors, what reduction and restriction keep, and how it refuses what is no DAG."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import OrchestratorError
from orchestrator.graph import CycleError, Graph
from tests.graphs import graphs

DIAMOND = Graph({"validate": (), "charge": ["validate"], "provision": ["validate"], "welcome": ["charge", "provision"]})


def test_a_diamond_knows_its_neighbours() -> None:
    """Names, edges both ways, starts, ends, order and levels of the plainest fan-out and fan-in."""
    assert DIAMOND.names == ("validate", "charge", "provision", "welcome")
    assert DIAMOND.predecessors["welcome"] == ("charge", "provision")
    assert DIAMOND.successors["validate"] == ("charge", "provision")
    assert DIAMOND.starts == ("validate",)
    assert DIAMOND.ends == ("welcome",)
    assert DIAMOND.order == DIAMOND.names
    assert [DIAMOND.level[name] for name in DIAMOND.names] == [0, 1, 1, 2]
    assert len(DIAMOND) == 4
    assert "charge" in DIAMOND
    assert "refund" not in DIAMOND


def test_the_order_is_topological_and_keeps_to_the_given_one_where_it_can() -> None:
    """Of two steps that could come next, the one that was written first does."""
    assert Graph({"c": ["a"], "b": ["a"], "a": ()}).order == ("a", "c", "b")


def test_a_cycle_is_shown_as_a_cycle() -> None:
    """The error names the steps of the circle in their order, and none that merely hang on it."""
    with pytest.raises(CycleError, match="a → b → c → a") as caught:
        Graph({"start": (), "end": ["c"], "a": ["c", "start"], "b": ["a"], "c": ["b"]})
    assert caught.value.cycle == ("a", "b", "c", "a")
    assert isinstance(caught.value, OrchestratorError)


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    """The smallest circle."""
    with pytest.raises(CycleError) as caught:
        Graph({"a": ["a"]})
    assert caught.value.cycle == ("a", "a")


def test_a_name_that_is_no_step_is_refused() -> None:
    """The error says which step waits for what."""
    with pytest.raises(ValueError, match="step 'welcome' waits for 'chrage', which is no step"):
        Graph({"charge": (), "welcome": ["chrage"]})


def test_an_edge_given_twice_is_one_edge() -> None:
    """Repeats and the order of prerequisites make no difference."""
    twice = Graph({"a": (), "b": (), "c": ["b", "a", "b"]})
    assert twice.predecessors["c"] == ("a", "b")
    assert twice == Graph({"b": (), "a": (), "c": {"a", "b"}})
    assert hash(twice) == hash(Graph({"b": (), "a": (), "c": {"a", "b"}}))
    assert twice != Graph({"a": (), "b": (), "c": ["b"]})
    assert twice != {"a": ()}


def test_reduction_drops_only_what_the_rest_says_already() -> None:
    """`validate` before `welcome` follows from the branches between them."""
    with_shortcut = Graph(dict(DIAMOND.predecessors) | {"welcome": ("validate", "charge", "provision")})
    assert with_shortcut.reduced() == DIAMOND
    assert DIAMOND.reduced() is DIAMOND


def test_restriction_keeps_the_order_of_what_it_keeps() -> None:
    """Undoing skips steps without compensation, yet what came after them still comes after what came before."""
    assert DIAMOND.restricted(["validate", "welcome"]) == Graph({"validate": (), "welcome": ["validate"]})
    assert DIAMOND.restricted(["charge", "provision"]) == Graph({"charge": (), "provision": ()})
    with pytest.raises(KeyError, match="refund"):
        DIAMOND.restricted(["refund"])


@given(graphs())
def test_order_puts_every_step_after_its_prerequisites(graph: Graph) -> None:
    """Any DAG."""
    place = {name: at for at, name in enumerate(graph.order)}
    assert sorted(place) == sorted(graph.names)
    assert all(place[before] < place[name] for name in graph.names for before in graph.predecessors[name])


@given(graphs())
def test_ancestors_and_descendants_mirror_each_other(graph: Graph) -> None:
    """Also when asked pair by pair, and in the reversed graph."""
    for name in graph.names:
        assert graph.ancestors(name) == {other for other in graph.names if name in graph.descendants(other)}
        assert graph.ancestors(name) == {other for other in graph.names if graph.precedes(other, name)}
        assert graph.ancestors(name) == graph.reversed().descendants(name)


@given(graphs())
def test_reduction_keeps_every_ancestor_and_no_edge_too_many(graph: Graph) -> None:
    """The same ancestors; and without any one of its edges they would not be the same."""
    reduced = graph.reduced()
    assert all(reduced.ancestors(name) == graph.ancestors(name) for name in graph.names)
    for before in reduced.predecessors.values():
        assert not any(reduced.precedes(one, other) for one in before for other in before)


@given(graphs(), st.data())
def test_restriction_orders_two_steps_exactly_as_the_whole_graph_does(graph: Graph, data: st.DataObject) -> None:
    """Any DAG, any of its steps."""
    kept = data.draw(st.sets(st.sampled_from(graph.names))) if graph.names else set()
    restricted = graph.restricted(kept)
    assert restricted.names == tuple(name for name in graph.names if name in kept)
    assert all(restricted.ancestors(name) == graph.ancestors(name) & kept for name in kept)
    assert restricted.reduced() == restricted


@pytest.mark.parametrize(
    "graph",
    [
        Graph({f"s{n}": [f"s{n - 1}"] if n else () for n in range(5_000)}),
        Graph({f"s{n}": () for n in range(5_000)} | {"join": [f"s{n}" for n in range(5_000)]}),
    ],
    ids=["chain", "fan-in"],
)
def test_five_thousand_steps_are_cheap(graph: Graph) -> None:
    """Deep and wide: no recursion, and about linear time (a quadratic one takes many seconds)."""
    began = time.process_time()
    assert graph.reduced() == graph
    assert graph.reversed().reversed() == graph
    assert len(graph.restricted(graph.names[::2])) == len(graph.names[::2])
    assert len(graph.ancestors(graph.ends[-1])) == len(graph) - 1
    assert time.process_time() - began < 2
