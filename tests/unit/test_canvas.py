"""The canvas: each shape as the Celery signature that a Celery user would have written, with ids only."""

import json

import pytest
from celery import Celery, Task, chain, chord, group
from celery.canvas import Signature

from orchestrator.graph import Graph
from orchestrator.plan import Fragment, plan
from orchestrator.priority import Priority
from tasks.canvas import alone, canvas
from tasks.queues import UrgentFirst, queues
from tests.graphs import SMALL
from tests.graphs import chain as chain_graph
from tests.graphs import fan as fan_graph

WORKFLOW = "0197a3c2-58a1-7d44-9f0e-2c7b61d0c5aa"


@pytest.fixture(scope="module")
def step() -> Task:
    """A step task that nobody runs; Redis must not even be looked for."""
    app = Celery("canvas", broker="memory://", backend="redis://127.0.0.1:1/0", set_as_current=False)

    @app.task(name="orchestrator.step", shared=False)
    def step(workflow_id: str, name: str) -> None:
        """Never runs."""

    return step


def fragments(graph: Graph) -> tuple[Fragment, ...]:
    """The fragments of a graph."""
    return plan(graph).fragments


def drawn(fragment: Fragment, step: Task) -> Signature:
    """The fragment's canvas."""
    return canvas(fragment, workflow_id=WORKFLOW, workflow_type="subscription", step_task=step)


def message(name: str, step: Task) -> Signature:
    """What a Celery user would write for one step."""
    return step.si(WORKFLOW, name).set(shadow=f"subscription.{name}")


def test_a_step_alone_is_an_immutable_signature_of_ids(step: Task) -> None:
    """Nothing but the workflow's id and the step's name; a readable name for Flower."""
    assert dict(alone("charge", workflow_id=WORKFLOW, workflow_type="subscription", step_task=step)) == {
        "task": "orchestrator.step",
        "args": (WORKFLOW, "charge"),
        "kwargs": {},
        "options": {"shadow": "subscription.charge"},
        "subtask_type": None,
        "immutable": True,
    }


def test_messages_of_an_urgent_workflow_name_their_queue(step: Task) -> None:
    """All of its canvas, the joins too; those of a usual one are as long as ever."""
    (fragment,) = fragments(SMALL["the diamond of the second guide"])
    told = {"workflow_id": WORKFLOW, "workflow_type": "subscription", "step_task": step}
    made = json.dumps(canvas(fragment, **told, priority=Priority.HIGH))
    assert made.count('"queue": "orchestrator.high"') == 4
    assert "queue" not in json.dumps(canvas(fragment, **told))


def test_workers_take_what_is_urgent_first() -> None:
    """Whatever the order in which kombu names the queues that it consumes."""
    cycle = UrgentFirst(["orchestrator.low", "orchestrator", "orchestrator.high"])
    assert cycle.consume(3) == queues("orchestrator")


def test_the_first_guides_workflow_is_a_chain(step: Task) -> None:
    """As one would write it by hand."""
    graph = SMALL["the chain of the first guide"]
    (fragment,) = fragments(graph)
    assert drawn(fragment, step) == chain(*[message(name, step) for name in graph.names])


def test_the_second_guides_workflow_is_a_chord_after_a_step(step: Task) -> None:
    """As one would write it by hand, and as Celery prints it."""
    (fragment,) = fragments(SMALL["the diamond of the second guide"])
    made = drawn(fragment, step)
    header = [message("charge", step), message("provision", step)]
    assert made == chain(message("validate", step), chord(header, message("welcome", step)))
    assert str(made).replace(f"'{WORKFLOW}', ", "") == (
        "orchestrator.step('validate') | %step([step('charge'), step('provision')], 'welcome')"
    )


def test_a_group_stands_at_the_end(step: Task) -> None:
    """Branches that nothing waits for."""
    header, tail = fragments(SMALL["three groups in a row"])[0], fragments(SMALL["two apart"])[0]
    assert drawn(header, step) == group([message("a", step), message("b", step)])
    assert drawn(tail, step) == group(
        [
            chain(message("a", step), message("b", step)),
            chain(message("x", step), group([message("y", step), message("z", step)])),
        ]
    )


def test_headers_are_lists(step: Task) -> None:
    """Some paths of Celery evaluate a generator twice, others too early."""
    (fragment,) = fragments(SMALL["chords inside a header"])
    assert isinstance(drawn(fragment, step).tasks[1].tasks, list)


def test_no_step_is_lost_or_doubled(step: Task) -> None:
    """Serialized, every step of every small graph is named once."""
    for graph in SMALL.values():
        text = "".join(json.dumps(drawn(fragment, step)) for fragment in fragments(graph))
        assert all(text.count(f'"shadow": "subscription.{name}"') == 1 for name in graph.names)


@pytest.mark.parametrize(
    ("small", "large"),
    [(chain_graph(100), chain_graph(1_000)), (fan_graph(100), fan_graph(1_000))],
    ids=["deep", "wide"],
)
def test_ten_times_the_steps_are_about_ten_times_the_bytes(small: Graph, large: Graph, step: Task) -> None:
    """Serialized canvases, deep and wide; what a run really sends is among the facts."""
    sizes = [sum(len(json.dumps(drawn(fragment, step))) for fragment in fragments(graph)) for graph in (small, large)]
    assert sizes[1] <= 11 * sizes[0]


def test_a_message_is_small(step: Task) -> None:
    """One step's signature, ids and all."""
    assert len(json.dumps(message("charge", step))) < 250
