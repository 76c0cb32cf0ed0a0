"""Contraction: what is series-parallel becomes one structure, what is not loses as few joins as it must."""

import pytest
from hypothesis import given

from orchestrator.graph import Graph
from orchestrator.series_parallel import Parallel, Series, Structure, contracted
from tests.graphs import SMALL, chain, graph, nested_graphs


def steps(structure: Structure) -> list[str]:
    """Every step of a structure."""
    if isinstance(structure, str):
        return [structure]
    inside = structure.parts if isinstance(structure, Series) else structure.branches
    return [step for one in inside for step in steps(one)]


def test_a_diamond_is_a_series_around_a_parallel() -> None:
    """The plainest nesting."""
    assert contracted(SMALL["the diamond of the second guide"]) == (
        Series(("validate", Parallel(("charge", "provision")), "welcome")),
    )


def test_a_group_next_to_a_group_is_a_series_of_parallels() -> None:
    """Contraction knows nothing of Celery."""
    assert contracted(SMALL["a group next to a group"]) == (Series((Parallel(("a", "b")), Parallel(("c", "d")))),)


def test_only_the_join_is_set_apart_where_nesting_fails() -> None:
    """`d` begins a structure of its own; `a` still goes on to `c`."""
    assert contracted(SMALL["N: no nesting expresses it"]) == (Parallel((Series(("a", "c")), "b")), "d")


def test_a_step_apart_begins_its_structure_alone() -> None:
    """It is neither a later part of a series nor one of several branches."""
    assert contracted(graph("a; b < a; c < b"), apart=["b"]) == ("a", Series(("b", "c")))
    assert contracted(graph("a; b; c"), apart=["b"]) == (Parallel(("a", "c")), "b")


@pytest.mark.parametrize("deep", [chain(5_000)])
def test_a_long_chain_is_one_series(deep: Graph) -> None:
    """Without recursion and in about linear time."""
    assert contracted(deep) == (Series(deep.names),)


@given(nested_graphs())
def test_every_series_parallel_graph_contracts_to_one_structure(nested: Graph) -> None:
    """Whatever it is built from."""
    (structure,) = contracted(nested.reduced())
    assert sorted(steps(structure)) == sorted(nested.names)
