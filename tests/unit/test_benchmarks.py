"""The arithmetic of the benchmarks: medians, ratios, percentiles, hops, whose sample it is."""

import pytest

from benchmarks.books import Call, hops
from benchmarks.figures import Figure, Spread, percentile, ratio
from benchmarks.profile import component_of, read_samples
from benchmarks.rounds import rotated
from benchmarks.shapes import ORDER, SUBSCRIPTION, chain, shape_named, wide
from benchmarks.table import cell, table

TIME = Figure("time", "time", "ms", "≤ 1 ×", 1)


def test_a_spread_is_the_median_and_the_furthest_rounds() -> None:
    """One round that was disturbed moves the ends, not the middle."""
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)
    assert Spread.of([1.0, 2.0]) == Spread(1.5, 1.0, 2.0)
    with pytest.raises(ValueError, match="no rounds"):
        Spread.of([])


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """Nearest rank: with a hundred values the 99th percentile is the second largest."""
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 99) == 99.0
    assert percentile(values, 50) == 50.0
    assert percentile(values, 100) == 100.0
    assert percentile([7.0], 1) == 7.0


def test_a_ratio_to_nothing_says_nothing() -> None:
    """A yardstick of zero gives no ratio instead of an error or infinity."""
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(3.0, 0.0) is None


def test_a_hop_is_from_an_answer_to_the_next_request() -> None:
    """Every step but the first has one, and workflows are not mixed up."""
    calls = [
        Call("a", "payment", 0.0, 1.0),
        Call("b", "payment", 0.0, 5.0),
        Call("a", "shipment", 1.5, 2.0),
        Call("b", "shipment", 5.25, 6.0),
        Call("a", "confirmation", 2.125, 3.0),
    ]
    assert sorted(hops(calls, ORDER)) == [0.125, 0.25, 0.5]


def test_the_hop_of_a_join_begins_with_the_last_answer_that_it_waits_for() -> None:
    """In the diamond, `welcome` waits for the slower of the two."""
    calls = [
        Call("a", "validate", 0.0, 1.0),
        Call("a", "charge", 1.0, 2.0),
        Call("a", "provision", 1.0, 4.0),
        Call("a", "welcome", 4.5, 5.0),
    ]
    assert sorted(hops(calls, SUBSCRIPTION)) == [0.0, 0.0, 0.5]


def test_of_a_step_that_was_called_twice_the_first_call_counts() -> None:
    """A retry is no hop."""
    calls = [
        Call("a", "payment", 0.0, 1.0),
        Call("a", "shipment", 1.5, 2.0),
        Call("a", "shipment", 9.0, 9.5),
    ]
    assert hops(calls, ORDER) == [0.5]


def test_shapes_travel_by_name() -> None:
    """What a peer's processes draw is what the harness counts."""
    for shape in (ORDER, SUBSCRIPTION, chain(10), wide(7)):
        assert shape_named(shape.name) == shape
    assert (chain(10).size, wide(7).size, SUBSCRIPTION.size) == (10, 8, 4)
    assert wide(2).before == {"s0": (), "s1": (), "join": ("s0", "s1")}
    for name in ("chain-0", "chain-x", "diamond", ""):
        with pytest.raises(ValueError, match="no such shape"):
            shape_named(name)


def test_a_cell_has_the_median_the_spread_and_the_ratio_to_bare_celery() -> None:
    """The ratio is that of the medians, not of the rounds."""
    ours = [{"time": 2.0}, {"time": 3.0}, {"time": 10.0}]
    bare = [{"time": 4.0}, {"time": 6.0}, {"time": 7.0}]
    assert cell(TIME, ours, bare) == "**3.0** ms (2.0–10.0) 0.50 ×"
    assert cell(TIME, ours[:1], bare[:1]) == "**2.0** ms 0.50 ×"
    assert cell(TIME, ours[:1], []) == "**2.0** ms"
    assert cell(TIME, [{}], bare) == "–"


def test_a_table_has_a_column_for_each_peer_also_for_one_that_failed() -> None:
    """A peer without results is seen to have none."""
    lines = list(table("Orders", [TIME], {"bare": "bare Celery", "dbos": "DBOS"}, {"bare": [{"time": 4.0}]}))
    assert lines[2:] == [
        "| | bare Celery | DBOS | to reach |",
        "|---|---|---|---|",
        "| time | **4.0** ms 1.00 × | – | ≤ 1 × |",
        "",
    ]


def test_another_peer_begins_each_round() -> None:
    """Nobody always has the quiet or the warm machine, and nobody is left out."""
    peers = ["a", "b", "c"]
    assert [rotated(peers, number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_a_sample_belongs_to_the_innermost_component() -> None:
    """The standard library works for whoever calls it; the reconciler's thread is one thing whatever it calls."""
    task = ["Thread._bootstrap (threading.py:1)", "step (tasks/step.py:2)"]
    sql = "execute (sqlalchemy/engine/base.py:3)"
    assert component_of([*task, sql]) == "ledger: SQLAlchemy, SQLite"
    assert component_of([*task, sql, "wait (threading.py:5)"]) == "ledger: SQLAlchemy, SQLite"
    assert component_of([*task, sql, "dumps (json/__init__.py:5)"]) == "JSON"
    assert component_of([*task, "claim (orchestrator/ledger/clerk.py:4)"]) == "ledger: our own code"
    assert component_of(["Thread._bootstrap (threading.py:1)", "run (tasks/reconciler.py:2)", sql]) == (
        "the reconciler's thread"
    )
    assert component_of(["Thread._bootstrap (threading.py:1)"]) == "other"


def test_samples_are_counted_by_function_and_torn_stacks_are_left_out() -> None:
    """A function that calls itself is counted once a sample."""
    samples = read_samples(
        [
            "Thread._bootstrap (threading.py:1);f (tasks/step.py:2);f (tasks/step.py:9);g (json/encoder.py:1) 3",
            "Thread._bootstrap (threading.py:1);f (tasks/step.py:2) 1",
            "g (json/encoder.py:1) 5",
        ]
    )
    assert (samples.total, samples.torn) == (4, 5)
    assert samples.within["f (tasks/step.py)"] == 4
    assert samples.own == {"g (json/encoder.py)": 3, "f (tasks/step.py)": 1}
    assert samples.components == {"JSON": 3, "our task and dispatch": 1}
