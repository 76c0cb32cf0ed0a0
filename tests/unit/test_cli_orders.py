"""Orders on the command line: for one workflow, or for all that a filter picks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.exits import CONFLICT, NOT_FOUND
from orchestrator.ledger import Ledger
from orchestrator.ledger.starting import Start, start
from orchestrator.moves.move import Claim, Settle
from orchestrator.outcome import Expanded, Failed, StepError
from orchestrator.reading import read_document
from orchestrator.states import Effect
from tests.unit.test_cli import Terminal

DOCUMENT = {"type": "greeting", "steps": {"hello": {"targetUrl": "http://127.0.0.1:9/hello", "next": ["bye"]},
                                          "bye": {"targetUrl": "http://127.0.0.1:9/bye"}}}  # fmt: skip


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A person in an empty folder, with no broker to send to."""
    person = Terminal(tmp_path)
    person.environment["ORCHESTRATOR_REDIS_URL"] = "redis://127.0.0.1:1/0"
    return person


@pytest.fixture
def ledger(terminal: Terminal) -> Iterator[Ledger]:
    """The ledger that the person works on."""
    opened = terminal.ledger
    yield opened
    opened.database.close()


def begin(ledger: Ledger) -> str:
    """A workflow that was started, with no worker to go on with it."""
    return start(ledger, read_document(DOCUMENT), Start({"who": "ada"})).workflow_id


def test_all_of_a_type_are_paused_and_resumed(terminal: Terminal, ledger: Ledger) -> None:
    """Progress is told on standard error."""
    ids = [begin(ledger) for _ in range(3)]
    paused = terminal.types("pause", "--all", "--type", "greeting")
    assert (paused.exit_code, "3 ordered, 0 refused" in paused.stderr) == (0, True)
    assert json.loads(terminal.types("show", ids[0], "--json").stdout)["status"] == "paused"
    assert terminal.types("resume", "--all", "--status", "paused", "--created-after", "2020-01-01").exit_code == 0
    assert json.loads(terminal.types("show", ids[2], "--json").stdout)["status"] == "running"


def test_who_refuses_is_named_and_the_exit_status_says_so(terminal: Terminal, ledger: Ledger) -> None:
    """The others are ordered all the same."""
    workflow_id = begin(ledger)
    answer = terminal.types("retry", "--all", "--type", "greeting")
    assert answer.exit_code == CONFLICT
    assert f"{workflow_id}: it is running" in answer.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["retry"], "either the id of a workflow, or --all"),
        (["retry", "x", "--all", "--status", "failed"], "either the id of a workflow, or --all"),
        (["cancel", "--all"], "--all needs"),
        (["cancel", "x", "--status", "failed"], "goes with --all"),
        (["rerun", "--all", "--status", "failed", "--from", "hello"], "are for one workflow"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(terminal: Terminal, words: list[str], told: str) -> None:
    """Above all an order for everything."""
    answer = terminal.types(*words)
    assert answer.exit_code == 2
    assert told in answer.stderr


def test_a_rerun_from_a_step_with_another_context(terminal: Terminal, ledger: Ledger) -> None:
    """The copy has it; a step that is not there is told with the one that was meant."""
    workflow_id = begin(ledger)
    terminal.types("cancel", workflow_id)
    answer = terminal.types("rerun", workflow_id, "--from", "hello", "--context", '{"who": "bob"}', "--json")
    assert answer.exit_code == 0, answer.stderr
    copy = json.loads(answer.stdout)["workflowId"]
    assert json.loads(terminal.types("show", copy, "--json").stdout)["context"] == {"who": "bob"}
    assert terminal.types("rerun", workflow_id, "--from", "bye").exit_code == CONFLICT
    missing = terminal.types("rerun", workflow_id, "--from", "helo")
    assert (missing.exit_code, "did you mean hello?" in missing.stderr) == (NOT_FOUND, True)


def test_items_are_counted_by_show_and_told_a_page_at_a_time(terminal: Terminal, ledger: Ledger) -> None:
    """And the events of one of them alone."""
    steps = {"send": {"targetUrl": "http://127.0.0.1:9/send", "forEach": {"items": "${context.who}", "tolerate": 1}}}
    workflow_id = start(ledger, read_document({"type": "mail", "steps": steps}), Start({})).workflow_id
    refused = Failed(StepError("http", "answered 402", 402), Effect.NONE, retryable=False)
    for step, outcome in (("send", Expanded(["ada", "bob"])), ("send[1]", refused)):
        ledger.make([Claim(workflow_id, step, "worker-1")])
        ledger.make([Settle(workflow_id, step, 1, outcome, 0.5)])
    assert "0 of 2 items completed, 1 failed, 1 under way" in terminal.types("show", workflow_id).stdout
    told = terminal.types("show", workflow_id, "--items", "send", "--status", "failed").stdout
    assert ("bob" in told, "ada" in told, "answered 402" in told) == (True, False, True)
    assert "--items" in terminal.types("show", workflow_id, "--cursor", "1").stderr
    events = terminal.types("events", workflow_id, "--step", "send[1]").stdout
    assert ("step.failed" in events, "workflow.started" in events) == (True, False)
    assert terminal.types("events", workflow_id, "--step", "sent").exit_code == NOT_FOUND
