"""The benchmarks measure what they say: the services' books, the load generator, and one whole small run."""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.books import Services
from benchmarks.load import generate, request

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """The process that all peers call."""
    made = Services(tmp_path)
    yield made
    made.end()


def call(services: Services, path: str, workflow: str, step: str) -> int:
    """One step's request."""
    connection = http.client.HTTPConnection("127.0.0.1", services.port, timeout=10)
    connection.request("POST", path, b'{"a": 1}', {"x-workflow-id": workflow, "X-Step": step})
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_books_say_who_was_called_and_how_long_it_took(services: Services) -> None:
    """A service that takes a tenth of a second is seen to take it; a reset empties the books."""
    assert call(services, "/payment", "w-1", "payment") == 200
    assert call(services, "/after/100/shipment", "w-1", "shipment") == 200
    services.wait(2, seconds=5)
    at_once, later = services.calls()
    assert (at_once.workflow, at_once.step, later.step) == ("w-1", "payment", "shipment")
    assert at_once.answered - at_once.arrived < 0.05
    assert 0.09 < later.answered - later.arrived < 1
    services.reset()
    assert services.calls() == []


def test_waiting_for_calls_that_do_not_come_ends_and_says_how_many_came(services: Services) -> None:
    """A peer that loses a workflow fails its turn instead of hanging the run."""
    call(services, "/payment", "w-1", "payment")
    with pytest.raises(TimeoutError, match="2 calls; there were 1"):
        services.wait(2, seconds=0.2)


def test_the_load_generator_keeps_its_pace_and_counts_statuses(services: Services) -> None:
    """Half a second at 100 requests a second is 50 requests, each answered in time."""
    sent = request("POST", "/x", b"{}").replace(b"\r\n\r\n", b"\r\nX-Workflow-Id: w\r\nX-Step: s\r\n\r\n")
    load = generate(services.port, lambda _: sent, connections=4, seconds=0.5, pace=100)
    assert load.statuses == {200: 50}
    assert len(services.calls()) == 50
    load.expect(200)
    with pytest.raises(RuntimeError, match="expected only answers 202"):
        load.expect(202)


def test_an_answer_that_is_late_is_charged_from_when_its_request_was_due(services: Services) -> None:
    """One connection, services that take 100 ms, a request due each 20 ms: the queue is seen in the times."""
    slow = request("POST", "/after/100/x", b"{}").replace(b"\r\n\r\n", b"\r\nX-Workflow-Id: w\r\nX-Step: s\r\n\r\n")
    load = generate(services.port, lambda _: slow, connections=1, seconds=0.2, pace=50)
    assert load.p(100) > 0.5 * 1000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_run_of_this_project_and_bare_celery_prints_their_table() -> None:
    """`--quick --only order --rounds 1`: both peers really run, both have figures."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "order", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--peers", "bare,orchestrator"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert "| | bare Celery | celery-orchestrator | to reach |" in done.stdout
    found = {
        row[1].strip(): row[2:4] for row in (line.split("|") for line in done.stdout.splitlines()) if len(row) == 6
    }
    for figure in ("CPU a step, all processes", "workflows a second", "hop, median, nothing queued"):
        bare, ours = found[figure]
        assert "1.00 ×" in bare, done.stdout + done.stderr
        assert "×" in ours, done.stdout + done.stderr
