"""What Celery's canvases do on a real worker: the facts that the plan relies on, to be tried with every new version."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.graph import Graph
from tests.facts.conftest import Run, Worker
from tests.graphs import SMALL, chain, fan, graphs, nested_graphs, real_graphs
from tests.servers import RedisServer

REAL = {name: graph for name, graph in real_graphs().items() if len(graph) < 110}
JOIN = {"a": "", "b": "", "c": "", "join": "a b c"}


def test_a_chord_joins_once_though_a_header_task_came_twice(run: Run) -> None:
    """Redelivery repeats messages: the copies run, and the join is brought once."""
    messages = run.held(JOIN)
    for step in ("a", "a", "b", "a", "c", "c"):
        run.deliver(messages[step])
    run.until_left("join")
    run.until_quiet()
    assert run.count("ended a") == 3
    assert run.count("began join") == 1


def test_an_ignored_header_task_leaves_its_chord_open(run: Run) -> None:
    """The ledger must bring the join, or the step's message again: then the chord goes on, once."""
    run.orders({"b": "ignore"})
    messages = run.held(JOIN)
    for message in messages.values():
        run.deliver(message)
    run.until_left("a", "b", "c")
    run.until_quiet()
    assert run.count("began join") == 0
    run.obey_no_more()
    run.deliver(messages["b"])
    run.deliver(messages["b"])
    run.until_left("join")
    run.until_quiet()
    assert run.count("began join") == 1


def test_a_raising_header_task_leaves_its_chord_open(run: Run) -> None:
    """A step that failed for good brings no join."""
    run.orders({"b": "raise"})
    run.publish_all(JOIN)
    run.until_left("a", "b", "c")
    run.until_quiet()
    assert run.count("began join") == 0


def test_a_chain_stops_after_an_ignored_step(run: Run) -> None:
    """What comes after it must be brought some other way."""
    run.orders({"b": "ignore"})
    run.publish_all({"a": "", "b": "a", "c": "b"})
    run.until_left("b")
    run.until_quiet()
    assert run.count("began c") == 0


def test_a_chain_stops_after_a_step_that_raises(run: Run) -> None:
    """A failed step brings nothing."""
    run.orders({"b": "raise"})
    run.publish_all({"a": "", "b": "a", "c": "b"})
    run.until_left("b")
    run.until_quiet()
    assert run.count("began c") == 0
    assert run.count("ended b") == 0


def test_chords_inside_headers_join_from_the_inside_out(run: Run) -> None:
    """Two levels, chains around them, and a tail."""
    graph = {
        "a": "",
        "b": "a",
        "c": "a",
        "d": "b c",
        "e": "",
        "f": "",
        "g": "e f",
        "h": "g",
        "join": "d h",
        "end": "join",
    }
    run.publish_all(graph)
    run.until_left("end")
    run.until_quiet()
    began = [line.split()[1] for line in run.lines if line.startswith("began ")]
    assert sorted(began[:-1]) == sorted(graph)
    for step, before in graph.items():
        assert all(run.lines.index(f"ended {one}") < run.lines.index(f"began {step}") for one in before.split())


def test_chords_count_though_results_are_ignored(run: Run) -> None:
    """No result of any task is stored."""
    stored = run.broker.keys("celery-task-meta-*")
    run.publish_all(JOIN)
    run.until_left("join")
    assert run.broker.keys("celery-task-meta-*") == stored


def test_publishing_a_chord_subscribes_to_no_result(run: Run) -> None:
    """Neither here nor in a worker that publishes a chord as the tail of a chain."""
    run.publish_all({"start": ""} | JOIN | {"a": "start", "b": "start", "c": "start"})
    run.publish_all(JOIN)
    assert [channel for channel in run.broker.pubsub_channels() if b"task-meta" in channel] == []
    run.until_left("join")


@pytest.mark.parametrize("name", [*SMALL, *REAL])
def test_every_step_of_a_graph_runs_once_and_after_its_prerequisites(run: Run, name: str) -> None:
    """The plan's canvases on a real worker, joined as the ledger joins them."""
    graph = (SMALL | REAL)[name]
    run.drive(graph)
    check_order(run, graph)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=st.one_of(nested_graphs(), graphs()))
def test_every_step_of_any_graph_runs_once_and_after_its_prerequisites(
    broker: RedisServer, worker: Worker, graph: Graph
) -> None:
    """Random graphs, with whatever nestings they become."""
    if len(graph):
        with broker.client() as ledger:
            run = Run(broker.url, ledger)
            run.drive(graph)
            check_order(run, graph)


def check_order(run: Run, graph: Graph) -> None:
    """Each step began once, when its prerequisites had ended, and there is nothing else."""
    run.until_quiet()
    place = {line: at for at, line in enumerate(run.lines)}
    began = [line.split()[1] for line in run.lines if line.startswith("began ")]
    assert sorted(began[:-1]) == sorted(graph.names)  # the last one is the mark of `until_quiet`
    for name in graph.names:
        assert all(place[f"ended {one}"] < place[f"began {name}"] for one in graph.predecessors[name])


@pytest.mark.parametrize(("small", "large"), [(chain(50), chain(500)), (fan(50), fan(490))], ids=["deep", "wide"])
def test_ten_times_the_steps_send_about_ten_times_the_bytes(run: Run, small: Graph, large: Graph) -> None:
    """All that Redis receives while a graph runs: messages, acknowledgements, chord counts, what steps write down."""
    received = []
    for graph in (small, large):
        before = run.broker.info("stats")["total_net_input_bytes"]
        Run(run.url, run.ledger).drive(graph)
        received.append((run.broker.info("stats")["total_net_input_bytes"] - before) / len(graph))
    assert received[1] < 1.1 * received[0]
