"""The plan: every step in one fragment, no added barrier, nothing that Celery cannot carry, bytes that stay linear."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.graph import Graph
from orchestrator.plan import Fragment, Plan, plan
from orchestrator.shape import Chain, Chord, Group, Shape, Single
from tests.graphs import SMALL, chain, fan, graph, graphs, nested_graphs, real_graphs

GRAPHS = SMALL | real_graphs()
LEAST_CARRIED = {  # of the real graphs: how many steps a canvas should bring, where other than one canvas carries all
    "airflow-example_complex": 30,
    "gha-uv-ci": 18,
    "wfinstances-epigenomics-chameleon-hep-1seq-100k-001": 39,
}


def shapes(planned: Plan) -> list[str]:
    """The fragments as text."""
    return [str(fragment) for fragment in planned.fragments]


def parts(shape: Shape) -> Iterator[Shape]:
    """The shape and every shape inside."""
    yield shape
    match shape:
        case Chain(inside) | Group(inside) | Chord(inside):
            for one in inside:
                yield from parts(one)
        case Single():
            return


def repeated(planned: Plan) -> int:
    """How many steps all messages together carry beside their own."""
    return sum(len(fragment.after(step)) for fragment in planned.fragments for step in fragment.steps)


def check(graph: Graph, planned: Plan, window: int = 8, width: int = 500) -> None:
    """The rules that hold for every plan of every graph without partial joins."""
    check_carrying(planned)
    assert planned.order == graph.reduced()
    for fragment in planned.fragments:
        check_legal(fragment, window, width)


def check_carrying(planned: Plan) -> None:
    """Every step in one fragment; heads start together, carried steps when their own prerequisites have settled."""
    before = {name: set(planned.order.predecessors[name]) for name in planned.order.names}
    assert sorted(step for fragment in planned.fragments for step in fragment.steps) == sorted(before)
    for fragment in planned.fragments:
        inside = set(fragment.steps)
        assert set(fragment.heads) | set(fragment.carried) == inside
        assert len({frozenset(before[head]) for head in fragment.heads}) == 1
        assert not any(before[head] & inside for head in fragment.heads)
        assert all(set(fragment.waits[step]) == before[step] for step in fragment.carried)
        assert all(planned.fragment_of(step) is fragment for step in inside)
        assert all(planned.headed_by(step) is fragment for step in fragment.heads)
        assert all(planned.headed_by(step) is None for step in fragment.carried)


def check_legal(fragment: Fragment, window: int, width: int) -> None:
    """What Celery gets wrong does not occur, and the bounds hold."""
    for shape in parts(fragment.shape):
        match shape:
            case Chain(inside):
                assert len(inside) > 1
                assert not any(isinstance(one, Chain) for one in inside)
                assert not any(isinstance(one, Group) for one in inside[:-1])
            case Group(branches):
                assert 1 < len(branches) <= width
                assert not any(isinstance(one, Group) for one in branches)
            case Chord(branches):
                assert 1 < len(branches) <= width
                assert not any(isinstance(one, Group) for one in branches)
                assert not any(isinstance(one, Chain) and isinstance(one.parts[-1], Group) for one in branches)
    after = {step: fragment.after(step) for step in fragment.steps}
    assert sum(map(len, after.values())) <= window * len(after)
    assert max(map(len, after.values())) <= width
    assert max(Graph(fragment.waits).level.values()) < window


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_is_planned_by_the_rules(name: str) -> None:
    """Small graphs that show one thing each, and real ones."""
    check(GRAPHS[name], plan(GRAPHS[name]))


@given(graphs(), st.integers(1, 6), st.integers(1, 6))
def test_any_graph_is_planned_by_the_rules(graph: Graph, window: int, width: int) -> None:
    """Any DAG, cut anywhere."""
    check(graph, plan(graph, window=window, width=width), window, width)


@given(nested_graphs(), st.integers(1, 8), st.integers(1, 6))
def test_any_nested_graph_is_planned_by_the_rules(graph: Graph, window: int, width: int) -> None:
    """Any series-parallel graph, cut anywhere."""
    check(graph, plan(graph, window=window, width=width), window, width)


@given(graphs(), st.data())
def test_partial_joins_are_the_only_heads_of_their_fragments(graph: Graph, data: st.DataObject) -> None:
    """Any DAG, any of its steps: they may start before their prerequisites, so no canvas and no sibling brings them."""
    brought = data.draw(st.sets(st.sampled_from(graph.names))) if graph.names else set()
    planned = plan(graph, brought=brought)
    check_carrying(planned)
    for name in brought:
        fragment = planned.headed_by(name)
        assert fragment is not None
        assert fragment.heads == (name,)
        assert planned.order.predecessors[name] == graph.predecessors[name]


def test_the_guides_workflows_are_one_canvas_each() -> None:
    """A chain, and a chord between two steps."""
    assert shapes(plan(SMALL["the chain of the first guide"])) == ["chain(validate, reserve, pay, ship, notify)"]
    assert shapes(plan(SMALL["the diamond of the second guide"])) == [
        "chain(validate, chord([charge, provision], welcome))"
    ]


def test_a_group_next_to_a_group_is_two_fragments() -> None:
    """Celery would run the second once for each step of the first."""
    assert shapes(plan(SMALL["a group next to a group"])) == ["group(a, b)", "group(c, d)"]
    assert plan(SMALL["a group next to a group"]).fragments[1].heads == ("c", "d")


def test_a_branch_that_ends_in_a_group_is_no_header() -> None:
    """A chord would count it wrong: the ledger brings the join."""
    assert shapes(plan(SMALL["a branch that ends in a group"])) == ["chain(s, group(chain(a, group(b, c)), d))", "join"]


def test_chords_nest_in_headers() -> None:
    """Each branch ends in one step, the inner join."""
    assert shapes(plan(SMALL["chords inside a header"])) == [
        "chain(a, chord([chord([b, c], d), chain(e, chord([f, g], h))], join), end)"
    ]


def test_a_long_chain_is_cut_into_windows() -> None:
    """The last step of a window lets the ledger bring the next."""
    assert shapes(plan(chain(7), window=3)) == ["chain(s0, s1, s2)", "chain(s3, s4, s5)", "s6"]


def test_a_header_that_is_too_wide_is_brought_by_the_ledger() -> None:
    """Its branches one by one, and the join when the last of them has settled."""
    assert shapes(plan(fan(3), width=2)) == ["first", "s0", "s1", "s2", "chain(join, last)"]


def test_a_partial_join_settles_nothing_for_those_behind_it() -> None:
    """`end` waits for `slow` and for `first`, which may settle long before `slow` does."""
    graph_ = graph("slow; quick; first < slow quick; end < first slow")
    planned = plan(graph_, brought=["first"])
    assert planned.order.predecessors["end"] == ("slow", "first")
    assert shapes(planned) == ["group(slow, quick)", "first", "end"]
    assert plan(graph_).order.predecessors["end"] == ("first",)


def test_what_comes_after_a_step_in_its_canvas_is_known() -> None:
    """These must be brought some other way when the step's message is lost or leaves its canvas."""
    (fragment,) = plan(SMALL["chords inside a header"]).fragments
    assert fragment.after("e") == ("f", "g", "h", "join", "end")
    assert fragment.after("b") == ("d", "join", "end")
    assert fragment.after("end") == ()
    with pytest.raises(KeyError):
        fragment.after("elsewhere")


@pytest.mark.parametrize(("window", "width"), [(0, 5), (5, 0)])
def test_a_window_or_width_of_no_steps_is_refused(window: int, width: int) -> None:
    """Nothing could be carried."""
    with pytest.raises(ValueError, match="from 1"):
        plan(chain(3), window=window, width=width)


def test_a_step_to_be_brought_must_exist() -> None:
    """A name that is no step is a mistake of the caller."""
    with pytest.raises(KeyError):
        plan(chain(3), brought=["elsewhere"])


@pytest.mark.parametrize("name", LEAST_CARRIED)
def test_real_graphs_are_mostly_carried_by_canvases(name: str) -> None:
    """Also where no nesting expresses the whole of them."""
    if name not in GRAPHS:
        pytest.skip("the real graphs are not here: set ORCHESTRATOR_TEST_DAGS to their folder")
    assert sum(len(fragment.carried) for fragment in plan(GRAPHS[name]).fragments) >= LEAST_CARRIED[name]


@pytest.mark.parametrize(("small", "large"), [(chain(100), chain(1_000)), (fan(100), fan(1_000))], ids=["deep", "wide"])
def test_ten_times_the_steps_repeat_ten_times_as_much(small: Graph, large: Graph) -> None:
    """Messages repeat what comes after them; the cuts keep that linear."""
    assert repeated(plan(large)) <= 11 * repeated(plan(small))


def test_a_wide_header_does_not_repeat_a_wide_group_in_each_of_its_messages() -> None:
    """A hundred times a hundred: the ledger brings the second hundred."""
    first, second = [f"a{n}" for n in range(100)], [f"b{n}" for n in range(100)]
    wide = Graph({name: [] for name in first} | {"join": first} | {name: ["join"] for name in second})
    header, group_ = plan(wide).fragments
    assert header.carried == ("join",)
    assert group_.heads == tuple(second)


@pytest.mark.parametrize("large", [chain(5_000), fan(5_000)], ids=["deep", "wide"])
def test_five_thousand_steps_are_planned_at_once(large: Graph) -> None:
    """About linear time (a quadratic one takes many seconds)."""
    began = time.process_time()
    planned = plan(large)
    assert len({planned.fragment_of(name).steps for name in large.names}) == len(planned.fragments)
    assert time.process_time() - began < 2


def test_the_same_graph_gives_the_same_plan() -> None:
    """Whatever order its prerequisites were given in: the plan is made anew in every process."""
    first = plan(Graph({"a": [], "b": [], "c": ["a", "b"]}))
    assert first == plan(Graph({"a": set(), "b": set(), "c": {"b", "a"}}))
