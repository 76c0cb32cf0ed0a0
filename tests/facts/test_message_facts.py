"""What a worker does with messages that nobody should send: it says so, drops them, and goes on.

Not so with a body that is JSON but no triple: Celery 5.7.0 ends with a TypeError and leaves the message in the queue.
Who may write to Redis can stop the workers; only these may.
"""

import base64
import json

import pytest

from tests.facts.conftest import Run


def broken(message: bytes, body: object) -> bytes:
    """The message with another body."""
    changed = json.loads(message)
    changed["body"] = base64.b64encode(json.dumps(body).encode()).decode()
    return json.dumps(changed).encode()


def test_a_message_for_an_unknown_task_is_dropped(run: Run) -> None:
    """An older or newer release may know other tasks."""
    run.app.send_task("facts.unheard_of", args=["x"])
    run.until_quiet()


@pytest.mark.parametrize(
    "body",
    [
        [[], {}, {}],
        [["run"], {}, {}],
        [["run", "a", "too", "many"], {}, {}],
        [[], {"unknown": 1}, {}],
        [[{"not": "text"}, None], {}, {}],
        [["run", "a"], None, {}],
        [None, {}, {}],
    ],
    ids=["none", "too few", "too many", "unknown names", "other types", "no mapping", "no list"],
)
def test_wrong_arguments_fail_the_task_alone(run: Run, body: list[object]) -> None:
    """The task fails, the worker stays."""
    run.deliver(broken(run.held({"a": ""})["a"], body))
    run.until_quiet()
    assert run.count("began a") == 0


def test_a_body_that_is_no_json_is_dropped(run: Run) -> None:
    """The worker says that it cannot decode it."""
    message = json.loads(run.held({"a": ""})["a"])
    run.deliver(json.dumps(message | {"body": base64.b64encode(b"{").decode()}).encode())
    run.until_quiet()
