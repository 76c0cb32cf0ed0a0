"""The installed command, used as a newcomer would: real processes, a clean environment, an empty folder."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from orchestrator.cli.asking import answers, ask
from orchestrator.jsontype import Json
from orchestrator.reading import read_file
from tests.servers import RedisServer, free_port, until

ROOT = Path(__file__).parents[2]
INSTALLED = Path(sys.executable).with_name("orchestrator")
COMMAND = [str(INSTALLED)] if INSTALLED.exists() else [sys.executable, "-P", "-m", "orchestrator.cli"]
BARE = {"PATH": os.environ["PATH"], "PYTHONPATH": "" if INSTALLED.exists() else str(ROOT)}
SUBSCRIBER = {"email": "ada@example.com", "plan": "pro", "card": "4242 4242 4242 4242"}


@dataclass(frozen=True)
class Ran:
    """How a run of the command ended."""

    status: int
    out: str
    err: str


class Shell:
    """A shell in a folder, with nothing in its environment but what is said."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {**BARE, **environment}

    def run(self, *words: str, **environment: str) -> Ran:
        """Type a command and wait for its end."""
        ended = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Type a command that stays; whatever the test left of it is killed."""
        with (self.folder / "said.log").open("ab") as log:
            child = subprocess.Popen(
                [*COMMAND, *words],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_heed_interrupts,
            )
        try:
            yield child
        finally:
            for left in [*family(child.pid), *([child] if child.poll() is None else [])]:
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    left.kill()
            child.wait()

    @property
    def said(self) -> str:
        """What the commands that stay have written."""
        return (self.folder / "said.log").read_text()


def _heed_interrupts() -> None:
    # Tests that run in the background may ignore Ctrl-C, and their children would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def family(pid: int) -> list[psutil.Process]:
    """A process's children, and theirs."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all of them have ended."""
    _, alive = psutil.wait_procs(processes, timeout=5)
    return [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder whose name has a space in it."""
    folder = tmp_path / "an empty folder"
    folder.mkdir()
    return Shell(folder)


@pytest.fixture
def services() -> Iterator[str]:
    """The example services, for installations that are not the demo's own."""
    port = free_port()
    command = [sys.executable, "-m", "orchestrator.demo.services", "--port", str(port), "--pace", "0.1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as child:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(url), "the example services answer")
            yield url
        finally:
            child.kill()


def hostile(folder: Path) -> dict[str, str]:
    """What may be around a newcomer: another Celery project and its settings, odd variables, few rights."""
    for name in ("tasks.py", "celeryconfig.py", "web.py", "orchestrator.py"):
        (folder / name).write_text("raise SystemExit('the module of another project was imported')\n")
    temporary = folder / "temporary"
    temporary.mkdir()
    return {
        "HOME": "/nonexistent",
        "TMPDIR": str(temporary),
        "NO_COLOR": "1",
        "LANG": "C",
        "PYTHONIOENCODING": "ascii",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "APP": "another.project",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "ORCHESTRATOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/not-for-the-demo",
        "ORCHESTRATOR_REDIS_URL": "redis://127.0.0.1:1/0",
    }


def test_the_demo_runs_anywhere_and_leaves_nothing_behind(shell: Shell) -> None:
    """Both workflows complete, a third is undone, the books are shown; no file and no process is left."""
    environment = hostile(shell.folder)
    before = sorted(path.name for path in shell.folder.iterdir())
    shell.environment |= environment
    with shell.running("demo") as demo:
        known: set[psutil.Process] = set()

        def over() -> bool:
            known.update(family(demo.pid))
            return demo.poll() is not None

        until(over, "the demo ends", 60)
        assert demo.returncode == 0, shell.said
        assert len(known) >= 6  # Redis, web with its child, two workers, services: it was no pretence
        assert gone(list(known))
    for words in (
        "1  An order",
        "completed in",
        "x3",
        "undo charge",
        "the till holds 71.50",
        "All 3 ended as they must",
    ):
        assert words in shell.said
    assert "\x1b[" not in shell.said
    assert "Traceback" not in shell.said
    assert sorted(path.name for path in shell.folder.iterdir()) == sorted([*before, "said.log"])
    assert list((shell.folder / "temporary").iterdir()) == []


@pytest.mark.slow
def test_the_demo_runs_every_example_to_its_end(shell: Shell) -> None:
    """Callbacks, approvals, polls, timers, lists, children, Celery tasks, auth, schedules, delays, single calls.

    None is forgotten: each definition of the folder is started.
    """
    shell.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    demo = shell.run("demo", "--examples")
    assert demo.status == 0, demo.out + demo.err
    assert "All 11 ended as they must" in demo.out
    for path in (ROOT / "workflows" / "examples").glob("*.yaml"):
        if not path.stem.endswith(".tests"):
            assert f"\n{read_file(path).type}  " in demo.out, path


def test_an_interrupted_demo_leaves_nothing_behind(shell: Shell) -> None:
    """Ctrl-C while it starts or runs: exit status 130, no traceback, no process."""
    with shell.running("demo") as demo:
        until(lambda: len(family(demo.pid)) >= 4, "the demo starts its servers")
        processes = family(demo.pid)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 130
        assert gone(processes)
    assert "Traceback" not in shell.said


def test_a_port_that_is_taken_is_said_before_anything_starts(shell: Shell) -> None:
    """`up` and `demo --port` name the port and exit with 5; nothing is made."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        for words in (("up", "--port", port), ("demo", "--port", port), ("web", "--port", port)):
            refused = shell.run(*words)
            assert (refused.status, refused.out) == (5, "")
            assert refused.err == f"Error: port {port} is taken; choose another with --port\n"
    assert list(shell.folder.iterdir()) == []


def test_a_terminal_without_our_signs_gets_others(shell: Shell) -> None:
    """Where ✓ cannot be written a ? stands in its place, not a traceback."""
    found = shell.run("doctor", PYTHONIOENCODING="ascii")
    assert (found.status, found.err) == (1, "")
    assert "? definitions: order-processing, subscription" in found.out


def test_up_is_a_whole_installation_until_ctrl_c(shell: Shell, services: str) -> None:
    """Workflows over HTTP and from a second terminal; a healthy doctor; then no process is left."""
    shell.environment["ORCHESTRATOR_VAR_SERVICES_URL"] = services
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with shell.running("up", "--port", str(port), "--processes", "1") as up:
        until(lambda: "orchestrator is up" in shell.said or up.poll() is not None, "up says that it is", 30)
        assert up.poll() is None, shell.said
        started = ask(f"{url}/api/process-order", {"amount": 42.5, "email": "ada@example.com"})
        until(lambda: ended(url, started) == "completed", "the order completes")
        _second_terminal(shell)
        doctor = shell.run("doctor")
        assert doctor.status == 0, doctor.out + doctor.err
        processes = family(up.pid)
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 0, shell.said
        assert gone(processes)
    assert "Traceback" not in shell.said
    assert not answers(f"{url}/healthz")


def ended(url: str, started: Mapping[str, Json]) -> str:
    """The status of a workflow over HTTP."""
    return str(ask(f"{url}/api/workflows/{started['workflowId']}")["status"])


def _second_terminal(shell: Shell) -> None:
    """What a script sees of the same installation."""
    context = json.dumps(SUBSCRIBER)
    first = shell.run("start", "subscription", "--context", context, "--key", "ada-1", "--wait", "--json")
    assert first.status == 0, first.err
    workflow = json.loads(first.out)
    assert workflow["status"] == "completed"
    assert "welcome  completed" in first.err
    again = shell.run("start", "subscription", "--context", context, "--key", "ada-1")
    assert (again.status, again.out.strip()) == (0, workflow["workflowId"])
    other = shell.run("start", "subscription", "--context", json.dumps(SUBSCRIBER | {"plan": "team"}), "--key", "ada-1")
    assert other.status == 4
    declined = json.dumps(SUBSCRIBER | {"card": "4000 0000 0000 0002"})
    failed = shell.run("start", "subscription", "--context", declined, "--wait")
    assert failed.status == 1
    assert "402 Payment Required" in failed.out
    assert shell.run("cancel", workflow["workflowId"]).status == 4
    assert "subscription" in shell.run("list", "--status", "failed").out


def test_a_killed_worker_is_started_again_and_sigterm_ends_it(
    shell: Shell, redis_server: RedisServer, services: str
) -> None:
    """`orchestrator worker` goes on after a SIGKILL of its process, and stops with status 0 when it is asked to."""
    shell.environment |= {"ORCHESTRATOR_REDIS_URL": redis_server.url, "ORCHESTRATOR_VAR_SERVICES_URL": services}
    shell.environment["ORCHESTRATOR_ALLOW_HOSTS"] = "127.0.0.1"
    with shell.running("worker", "--processes", "1", "--", "-E") as worker:
        until(lambda: "1 worker process," in shell.said or worker.poll() is not None, "the worker is ready", 30)
        assert "-E" in family(worker.pid)[0].cmdline()
        family(worker.pid)[0].kill()
        until(lambda: "ended by SIGKILL; it is started again" in shell.said, "its end is noticed")
        order = '{"amount": 1, "email": "ada@example.com"}'
        assert shell.run("start", "order-processing", "--context", order, "--wait").status == 0
        processes = family(worker.pid)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, shell.said
        assert gone(processes)


def test_a_worker_that_cannot_start_says_why(shell: Shell, redis_server: RedisServer) -> None:
    """An option that Celery does not know ends the command instead of being tried again for ever."""
    shell.environment["ORCHESTRATOR_REDIS_URL"] = redis_server.url
    refused = shell.run("worker", "--processes", "1", "--", "--bogus")
    assert refused.status == 5
    assert "No such option '--bogus'" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.slow
def test_the_wheel_holds_each_file_once(tmp_path: Path) -> None:
    """The packages, Celery's settings, and what is read beside the code; nothing of it at the top level as well."""
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--quiet", "--wheel-dir", str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "NewConnectionError" in built.stderr or "No matching distribution" in built.stderr:
        pytest.skip("no package index can be reached, and building needs one")
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert top == {"celeryconfig.py", "orchestrator", "tasks", "web"}
    for needed in (
        "orchestrator/_files/workflows/subscription.yaml",
        "orchestrator/_files/workflows/order-processing.yaml",
        "orchestrator/_files/migrations/env.py",
        "orchestrator/_files/migrations/script.py.mako",
        "orchestrator/_files/migrations/versions/0001_ledger.py",
        "orchestrator/py.typed",
        "orchestrator/cli/__init__.py",
        "web/templates/docs.html" if (ROOT / "web/templates/docs.html").exists() else "web/__init__.py",
    ):
        assert needed in names
