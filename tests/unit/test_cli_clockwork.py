"""Schedules, webhooks and put-off starts on the command line."""

import json
from pathlib import Path

import pytest

from orchestrator.cli.exits import CONFLICT, NOT_FOUND
from orchestrator.reading import read_document
from orchestrator.settings import Settings
from orchestrator.signing import secrets_in
from orchestrator.wants import unset_variables
from tests.unit.test_cli import Terminal

GREETING = "type: greeting\nsteps: {hello: {targetUrl: 'http://127.0.0.1:9/hello'}}\n"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A person in a folder with one definition, with no broker to send to."""
    person = Terminal(tmp_path)
    person.environment["ORCHESTRATOR_REDIS_URL"] = "redis://127.0.0.1:1/0"
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "greeting.yaml").write_text(GREETING)
    person.environment["ORCHESTRATOR_DEFINITIONS"] = str(folder)
    person.ledger.database.close()
    return person


def test_a_schedule_is_made_steered_and_deleted(terminal: Terminal) -> None:
    """Each order shows how it stands then."""
    made = terminal.types("schedules", "create", "often", "greeting", "--every", "15m")
    assert (made.exit_code, "starts greeting every 15m" in made.stdout) == (0, True), made.stderr
    assert terminal.types("schedules", "create", "often", "greeting", "--every", "1h").exit_code == CONFLICT
    assert "it is paused" in terminal.types("schedules", "pause", "often").stdout
    assert terminal.types("schedules", "resume", "often").exit_code == 0
    started = json.loads(terminal.types("schedules", "trigger", "often", "--json").stdout)
    assert json.loads(terminal.types("show", started["workflowId"], "--json").stdout)["type"] == "greeting"
    assert "often" in terminal.types("schedules", "list").stdout
    assert terminal.types("schedules", "delete", "often").exit_code == 0
    assert terminal.types("schedules", "show", "often").exit_code == NOT_FOUND


def test_what_is_wrong_with_a_schedule_is_said(terminal: Terminal) -> None:
    """With what would be right."""
    answer = terminal.types("schedules", "create", "often", "greeting", "--cron", "soon", "--timezone", "Mars")
    assert answer.exit_code != 0
    assert "five fields" in answer.stderr
    assert "Europe/London" in answer.stderr


def test_a_start_is_put_off_and_its_end_is_told(terminal: Terminal) -> None:
    """A delivery is there once it has ended, and is sent again on demand."""
    started = terminal.types("start", "greeting", "--delay", "1h", "--webhook-url", "http://127.0.0.1:9/x", "--json")
    workflow_id = json.loads(started.stdout)["workflowId"]
    assert "the start was put off" in terminal.types("why", workflow_id).stdout
    terminal.types("cancel", workflow_id)
    [delivery] = json.loads(terminal.types("webhooks", "list", "--json").stdout)["deliveries"]
    assert delivery["event"] == "workflow.cancelled"
    assert "will be sent again" in terminal.types("webhooks", "redeliver", delivery["deliveryId"]).stdout
    assert terminal.types("webhooks", "redeliver", "none").exit_code == NOT_FOUND
    assert "workflow.cancelled" in terminal.types("webhooks", "list").stdout


def test_the_secret_that_signs_can_be_told_to_receivers(terminal: Terminal) -> None:
    """The one that is set, or one that stays the same."""
    derived = terminal.types("webhooks", "secret").stdout.strip()
    assert secrets_in(derived) == (derived,)
    assert terminal.types("webhooks", "secret").stdout.strip() == derived
    terminal.environment["ORCHESTRATOR_WEBHOOK_SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert terminal.types("webhooks", "secret").stdout.strip() == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_what_webhooks_want_of_the_environment_is_told_before_they_fail() -> None:
    """A secret that is not set would be found out three days later."""
    hook = {"url": "${vars.HOOK_URL}/x", "secret": "${secret.HOOK}"}
    definition = read_document({"type": "t", "steps": {"a": {"targetUrl": "http://a/"}}, "webhooks": [hook]})
    unset = unset_variables([definition], Settings.from_environment({}))
    assert set(unset) == {"ORCHESTRATOR_VAR_HOOK_URL", "ORCHESTRATOR_SECRET_HOOK"}
