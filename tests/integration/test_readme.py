"""The README is true: its definition is one, its commands run, its calls are answered as it shows."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.reading import read_definition

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    """The README's blocks of code in this language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def up(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the README's section on running starts, on free ports: `API` and `SERVICES` say where."""
    api, services = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    environment |= {"ORCHESTRATOR_VAR_SERVICES_URL": f"http://127.0.0.1:{services}", "API": str(api)}
    commands = [
        [sys.executable, "-m", "orchestrator.demo.services", "--port", str(services)],
        [str(BIN / "orchestrator"), "up", "--port", str(api)],
    ]
    with (tmp_path / "up.log").open("wb") as log:
        running = [
            subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True)
            for command in commands
        ]
    try:
        deadline = time.monotonic() + 60
        while "orchestrator is up" not in (tmp_path / "up.log").read_text():
            assert time.monotonic() < deadline, (tmp_path / "up.log").read_text()
            time.sleep(0.1)
        yield environment
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(30)


def curl(line: str, environment: dict[str, str], **variables: str) -> dict[str, object]:
    """What the README's command answers."""
    command = line.replace("127.0.0.1:8000", f"127.0.0.1:{environment['API']}").replace("curl", "curl -sS")
    done = subprocess.run(
        ["bash", "-c", command],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_workflow_in_the_readme_is_a_definition_of_at_most_25_lines() -> None:
    """A newcomer may copy it."""
    [text] = blocks("yaml")
    assert set(read_definition(text, "README.md").steps) == {"payment", "shipment", "confirmation"}
    assert len(text.splitlines()) <= 25


def test_the_files_that_the_readme_links_to_are_there() -> None:
    """No dead link."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_calls_in_the_readme_are_answered_as_it_shows(up: dict[str, str]) -> None:
    """Start an order, follow it to its end, in every view."""
    calls = [line for block in blocks("sh") for line in re.sub(r"\\\n\s*", "", block).splitlines() if "curl" in line]
    start, *views = calls
    shown = [json.loads(block) for block in blocks("json")]
    started = curl(start, up)
    assert started.keys() == shown[0].keys()
    assert curl(start, up) == started, "the same key starts no second order"
    workflow = str(started["workflowId"])
    deadline = time.monotonic() + 30
    while (summary := curl(views[0], up, ID=workflow))["status"] == "processing":
        assert time.monotonic() < deadline, summary
        time.sleep(0.2)
    assert summary.keys() == shown[1].keys()
    assert summary["steps"] == shown[1]["steps"]
    for view in views[1:]:
        assert curl(view, up, ID=workflow)


def test_the_quickstart_works_as_it_is_written(tmp_path: Path) -> None:
    """Its commands, in its order, in one shell: definition, cases, everything started, an order that is shipped."""
    quickstart = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    _, *steps, follow, call = re.findall(r"^```sh\n(.*?)^```", quickstart, re.DOTALL | re.MULTILINE)
    services, api = str(free_port()), str(free_port())
    until_up = "until curl -sf http://127.0.0.1:8000/readyz > up.json; do sleep 0.2; done\n"
    script = "".join(["set -e\ntrap 'kill $(jobs -p); wait' EXIT\n", *steps, until_up, follow, call])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    done = subprocess.run(
        ["bash", "-c", script.replace("9000", services).replace("8000", api)],
        cwd=tmp_path,
        env={**environment, "PATH": f"{BIN}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("order: 2 steps, no fault", "2 passed, 0 failed", '"trackingId": "TRACK-', '"status": "processing"'):
        assert said in done.stdout.replace('"status":"processing"', '"status": "processing"'), done.stdout + done.stderr
