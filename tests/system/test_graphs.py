"""Whole graphs on real workers: each step is called once, as soon as its own prerequisites have ended, never before."""

import random

import pytest

from orchestrator.graph import Graph
from tests.graphs import SMALL, real_graphs
from tests.system.installation import Installation, definition
from tests.system.services import Reply, Services

REAL = real_graphs()
PROMPT = 1.5
"""Seconds from the end of a step's last prerequisite to its call, on a busy machine. An added barrier costs more: the
slow steps take 2 s, and every wait for a step that is no prerequisite shows as that."""


def run(orchestrator: Installation, services: Services, graph: Graph, *, slow: bool) -> None:
    """Run the graph with every tenth step slow, and judge it by the services' books."""
    names = {name: f"n{place}" for place, name in enumerate(graph.names)}
    steps = {
        names[name]: {"payload": {}, "waitFor": [names[before] for before in graph.predecessors[name]]}
        for name in graph.names
    }
    if slow:
        dice = random.Random(7)
        delayed = {names[name] for name in graph.names if dice.random() < 0.1}
        services.answer(**dict.fromkeys(delayed, Reply(delay=2.0)))
    ended = orchestrator.wait(orchestrator.start(definition(services.url, steps)), seconds=110)
    assert ended["status"] == "completed"
    assert sorted(services.called()) == sorted(steps)
    books = {call.service: call for call in services.books}
    late = {}
    for name in graph.names:
        due = max((books[names[before]].ended for before in graph.predecessors[name]), default=None)
        if due is not None:
            assert books[names[name]].at >= due, f"{name} began before its prerequisites had ended"
            late[name] = books[names[name]].at - due
    # The books are stamped in a process of its own: what is late there was late on the wire.
    assert not slow or max(late.values(), default=0) < PROMPT, sorted(late.items(), key=lambda pair: -pair[1])[:5]


@pytest.mark.parametrize("name", SMALL)
def test_a_small_graph_runs_in_its_own_order(orchestrator: Installation, services: Services, name: str) -> None:
    """Shapes that Celery can carry, and shapes that it cannot."""
    run(orchestrator, services, SMALL[name], slow=False)


def test_a_step_never_waits_for_a_step_that_it_does_not_depend_on(
    orchestrator: Installation, services: Services
) -> None:
    """a → c, a → d, b → d with a slow b: no nesting of chains and groups expresses it, and c does not wait for b."""
    services.answer(b=Reply(delay=2.0))
    steps = {"a": {"next": ["c", "d"]}, "b": {"next": ["d"]}, "c": {}, "d": {}}
    orchestrator.wait(orchestrator.start(definition(services.url, steps)))
    [a], [b], [c], [d] = (services.of(name) for name in "abcd")
    assert c.at - a.ended < 1.0
    assert d.at >= b.ended


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="the real graphs are not here: set ORCHESTRATOR_TEST_DAGS to their folder")
@pytest.mark.parametrize("name", REAL)
def test_a_real_graph_runs_without_an_added_barrier(orchestrator: Installation, services: Services, name: str) -> None:
    """Real pipelines of 4 to 619 steps, some of their steps slow."""
    run(orchestrator, services, REAL[name], slow=len(REAL[name]) < 150)
