"""The meters: what is told is counted under words of which there are few, and a listener cannot stop the work."""

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator import meters
from orchestrator.cli.programs import workers
from orchestrator.exposition import OTHER, Metrics
from orchestrator.reading import read_document
from orchestrator.settings import Settings
from orchestrator.states import Compensation, WorkflowStatus
from orchestrator.workflow import Event, Head, Kind, StepState, Workflow

ORDER = read_document(
    {"type": "order", "steps": {"pay": {"targetUrl": "http://x", "compensate": {"targetUrl": "http://x"}}}}
)


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    """Those of a process whose folder has the type `order`."""
    made = Metrics([ORDER])
    meters.listen(made)
    yield made
    meters.unlisten(made)


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of one series, 0 where there is none."""
    families = text_string_to_metric_families(metrics.exposed().decode())
    found = [
        each.value for family in families for each in family.samples if each.name == name and each.labels == labels
    ]
    return found[0] if found else 0.0


def moved(*events: Event, type_: str = "order", step: StepState | None = None, **head: object) -> Workflow:
    """A workflow whose moves are committed."""
    workflow = Workflow(Head("1", type_, "v", created_at=100.0), ORDER, lambda names: [])
    for name, value in head.items():
        setattr(workflow.head, name, value)
    workflow.have(
        [step or StepState("pay", attempts=1, sent_at=10.0, attempt_at=10.2, started_at=10.2, completed_at=10.7)]
    )
    workflow.events = list(events)
    return workflow


def test_attempts_steps_and_workflows_are_counted_as_they_end(metrics: Metrics) -> None:
    """One step that was tried twice, and its workflow."""
    call = {"key": "k", "durationMs": 500}
    meters.started("order")
    meters.moved(moved(Event("step.started", "pay")))
    meters.moved(moved(Event("step.retrying", "pay", {**call, "delayMs": 100})))
    ended = {"status": WorkflowStatus.COMPLETED, "completed_at": 103.0}
    meters.moved(moved(Event("step.completed", "pay", call), Event("workflow.completed"), **ended))
    of_step = {"type": "order", "step": "pay"}
    assert sample(metrics, "orchestrator_workflows_started_total", type="order") == 1
    assert sample(metrics, "orchestrator_attempts_total", **of_step, outcome="retrying") == 1
    assert sample(metrics, "orchestrator_attempts_total", **of_step, outcome="completed") == 1
    assert sample(metrics, "orchestrator_attempt_seconds_sum", **of_step) == 1
    assert sample(metrics, "orchestrator_steps_ended_total", **of_step, status="completed") == 1
    assert sample(metrics, "orchestrator_step_seconds_sum", **of_step) == pytest.approx(0.5)
    assert sample(metrics, "orchestrator_hop_seconds_sum") == pytest.approx(0.2)
    assert sample(metrics, "orchestrator_workflow_seconds_sum", type="order", status="completed") == 3
    none = Compensation.NONE.value
    assert (
        sample(metrics, "orchestrator_workflows_ended_total", type="order", status="completed", compensation=none) == 1
    )


def test_a_step_that_fails_while_it_waits_has_failed_without_an_attempt(metrics: Metrics) -> None:
    """Its last attempt was counted when it ended."""
    late = {"attempt": 1, "durationMs": 7, "error": {"kind": "deadline"}}
    meters.moved(moved(Event("step.failed", "pay", late)))
    assert sample(metrics, "orchestrator_steps_ended_total", type="order", step="pay", status="failed") == 1
    assert sample(metrics, "orchestrator_attempts_total", type="order", step="pay", outcome="failed") == 0


def test_what_the_folder_does_not_have_is_other(metrics: Metrics) -> None:
    """Whoever may send definitions along cannot make labels without end; an undo has the name of its step."""
    for number in range(100):
        meters.moved(moved(Event("step.completed", "pay", {"key": "k", "durationMs": 1}), type_=f"mine-{number}"))
    strange = StepState("strange", attempts=1)
    meters.moved(moved(Event("step.failed", "strange", {"key": "k", "durationMs": 1}), step=strange))
    undo = StepState("pay:undo", kind=Kind.UNDO, attempts=1)
    meters.moved(moved(Event("step.completed", "pay:undo", {"key": "k", "durationMs": 1}), step=undo))
    assert sample(metrics, "orchestrator_attempts_total", type=OTHER, step=OTHER, outcome="completed") == 100
    assert sample(metrics, "orchestrator_attempts_total", type="order", step=OTHER, outcome="failed") == 1
    assert sample(metrics, "orchestrator_attempts_total", type="order", step="pay:undo", outcome="completed") == 1
    assert metrics.exposed().count(b"orchestrator_attempts_total{") == 3


def test_a_listener_that_fails_stops_nothing(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    """What it is told of is committed: the message of the next step must still go out."""
    broken = cast(meters.Listener, SimpleNamespace())
    meters.listen(broken)
    try:
        meters.batch(3, 0.01)
    finally:
        meters.unlisten(broken)
    assert sample(metrics, "orchestrator_clerk_batch_moves_sum") == 3
    assert "could not take in" in caplog.text


def test_an_attempt_costs_a_few_dozen_microseconds() -> None:
    """A claim and a settle, each in a transaction of its own, counted: well below a millisecond of CPU."""
    made = Metrics([ORDER])
    begun, settled = (
        moved(Event("step.started", "pay")),
        moved(Event("step.completed", "pay", {"key": "k", "durationMs": 5})),
    )
    began = time.process_time()
    for _ in range(1_000):
        for workflow in (begun, settled):
            made.moved(workflow)
            made.batch(1, 0.002)
    microseconds = (time.process_time() - began) * 1_000
    assert microseconds < 300


def test_each_worker_process_of_a_host_has_a_port_of_its_own() -> None:
    """The second takes the next one; without a port none of them is told of any."""
    environment = {"ORCHESTRATOR_METRICS_PORT": "9101"}
    several = replace(Settings.from_environment(environment), processes=3)
    ports = [program.environment["ORCHESTRATOR_METRICS_PORT"] for program in workers(several, environment)]
    assert ports == ["9101", "9102", "9103"]
    none = replace(Settings.from_environment({}), processes=2)
    assert [program.environment for program in workers(none, {})] == [{}, {}]
