"""Each change of state is a line with its ids, for people or for machines, and nothing of what was sent is in it."""

import json
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from orchestrator.changes import SHOWN, log_changes
from orchestrator.jsontype import Json
from orchestrator.logs import Console, JsonLines, set_up
from orchestrator.setting_texts import LogFormat
from orchestrator.supervisor import console
from orchestrator.workflow import Event

Screen = Callable[[], list[str]]
CANARY = "topsecret"
FAILED = Event(
    "step.failed",
    "charge",
    {
        "attempt": 2,
        "durationMs": 31,
        "error": {"kind": "http", "message": f"came out as {CANARY}", "status": 402},
        "effect": "none",
        "url": f"https://s.example/{CANARY}",
        "key": CANARY,
        "anything": CANARY,
        "worker": {"not": CANARY},
    },
)


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Iterator[Screen]:
    """The lines on standard error; logging is as it was afterwards."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield lambda: capsys.readouterr().err.splitlines()
    root.setLevel(level)
    root.handlers[:] = handlers


def written(screen: Screen, form: LogFormat, *events: Event, level: str = "INFO") -> list[str]:
    """The lines for these events."""
    set_up(level, form)
    log_changes("w-1", "order", events)
    return screen()


def test_a_line_for_people_has_the_event_and_the_ids(screen: Screen) -> None:
    """Time in UTC, level, logger, then what happened to whom."""
    [line] = written(screen, "console", FAILED)
    moment, _, rest = line.partition(" ")
    assert moment.endswith("Z")
    assert rest == (
        "WARNING orchestrator: step.failed workflowId=w-1 type=order step=charge "
        "attempt=2 durationMs=31 effect=none error=http status=402"
    )


def test_a_line_for_machines_is_an_object(screen: Screen) -> None:
    """The ids are fields of their own."""
    [line] = written(screen, "json", FAILED)
    said: dict[str, Json] = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert isinstance(said.pop("process"), int)
    assert said == {
        "level": "warning",
        "logger": "orchestrator",
        "event": "step.failed",
        "workflowId": "w-1",
        "type": "order",
        "step": "charge",
        "attempt": 2,
        "durationMs": 31,
        "effect": "none",
        "error": "http",
        "status": 402,
    }


@pytest.mark.parametrize("form", ["console", "json"])
def test_nothing_that_was_sent_is_in_a_line(screen: Screen, form: LogFormat) -> None:
    """Neither messages, addresses, keys nor details that nobody chose."""
    assert CANARY not in "".join(written(screen, form, FAILED))
    assert not {"url", "key", "message", "result", "context", "reason"} & set(SHOWN)


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_name_cannot_forge_a_line(screen: Screen, form: LogFormat) -> None:
    """A message for a step of any name may come; its name is logged when it is late."""
    for name in ("x\nworkflow.completed", "x type=other", 'x"', "x\x1b[2J"):
        [line] = written(screen, form, Event("step.late", name, {"attempt": 1}))
        assert json.dumps(name) in line


def test_levels_tell_what_a_person_should_see(screen: Screen) -> None:
    """What went well and what somebody asked for is INFO, a failure WARNING, an undoing that failed ERROR."""
    lines = written(
        screen,
        "console",
        Event("workflow.completed"),
        Event("workflow.failing", details={"error": {"kind": "cancelled"}}),
        Event("step.retrying", "charge"),
        Event("workflow.failed", details={"compensation": "failed"}),
    )
    assert [line.split()[1] for line in lines] == ["INFO", "INFO", "WARNING", "ERROR"]


def test_a_line_that_nobody_reads_is_not_made(screen: Screen) -> None:
    """Below the level it costs one question per event: a tenth of a millisecond would show."""
    events = [Event("step.started", "a", {"attempt": 1})] * 1_000
    began = time.perf_counter()
    assert written(screen, "console", *events, level="WARNING") == []
    assert time.perf_counter() - began < 0.1


def test_setting_up_twice_writes_once(screen: Screen) -> None:
    """The command sets up, and then the server that it becomes."""
    set_up("WARNING", "json")
    assert len(written(screen, "console", FAILED)) == 1


def test_other_lines_and_errors_are_written_in_both_forms(screen: Screen) -> None:
    """Celery's and gunicorn's too; a traceback is a field, not more lines."""
    set_up("INFO", "json")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("celery.worker").exception("a round %s", "failed")
    [line] = screen()
    said = json.loads(line)
    assert (said["logger"], said["message"]) == ("celery.worker", "a round failed")
    assert said["exception"].endswith("ValueError: why")


def test_the_supervisor_leaves_json_lines_whole(screen: Screen) -> None:
    """Its children's names stand before what people read; machines would stumble over them."""
    line = JsonLines().format(logging.LogRecord("a", logging.INFO, "f", 1, "b", None, None))
    console("worker", line)
    console("worker", Console().format(logging.LogRecord("a", logging.INFO, "f", 1, "b", None, None)))
    first, second = screen()
    assert json.loads(first)["message"] == "b"
    assert second.startswith("   worker | 20")
