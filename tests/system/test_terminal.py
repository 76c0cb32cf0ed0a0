"""The command at a real terminal: a graph that fills up, Ctrl-C, the exit status."""

import json
import os
import pty
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.system.installation import Installation, installed
from tests.system.services import Reply, Services

pytestmark = pytest.mark.slow


@pytest.fixture
def place(
    fresh_database: Callable[[str], AbstractContextManager[str]],
    redis_server: RedisServer,
    services: Services,
    tmp_path: Path,
) -> Iterator[Installation]:
    """An installation with one definition: `b` and `c` after `a`."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    steps = {name: {"targetUrl": f"{services.url}/{name}", "retries": 0} for name in "abc"}
    steps["b"]["waitFor"] = steps["c"]["waitFor"] = ["a"]  # type: ignore[assignment]
    (folder / "abc.json").write_text(json.dumps({"type": "abc", "steps": steps}))
    with (
        fresh_database("sqlite") as url,
        installed(url, redis_server.url, tmp_path, ORCHESTRATOR_DEFINITIONS=str(folder)) as running,
    ):
        yield running


def typed(place: Installation, *words: str, until: str = "", then: bytes = b"") -> tuple[int, str]:
    """The exit status and all that the terminal got; where `until` is seen, `then` is typed."""
    child, terminal = pty.fork()
    if child == 0:
        environment = place.environment | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
        os.execve(sys.executable, [sys.executable, "-P", "-m", "orchestrator.cli", *words], environment)
    told, deadline = "", time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            told += os.read(terminal, 65_536).decode(errors="replace")
        except OSError:  # the other end is closed
            break
        if until and until in told:
            os.write(terminal, then)
            until = ""
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), told


def test_the_graph_fills_up_and_the_exit_status_says_how_it_ended(place: Installation, services: Services) -> None:
    """What was drawn is taken away by what follows; the result stays."""
    services.answer(a=Reply(delay=0.7), b=Reply(delay=0.7))
    status, told = typed(place, "start", "abc", "--wait")
    assert status == 0, told
    assert "0 of 3 steps" in told
    assert told.index("▶") < told.index("✓") < told.rindex("completed")
    assert "RESULT OR ERROR" in told
    services.answer(b=Reply(status=404))
    status, told = typed(place, "start", "abc", "--wait")
    assert (status, "answered 404" in told) == (1, True), told


def test_who_stops_looking_stops_nothing(place: Installation, services: Services) -> None:
    """Ctrl-C: 130, where to look again, and a terminal as it was."""
    services.answer(a=Reply(delay=3.0))
    status, told = typed(place, "start", "abc", "--wait", until="▶", then=b"\x03")
    assert status == 130, told
    assert "goes on without being watched: orchestrator show" in told
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")
    workflow = told.rstrip().rpartition(" ")[2]
    assert place.wait(workflow)["status"] == "completed"
