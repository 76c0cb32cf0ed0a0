"""Children are kept running, stopped warmly, and never outlive their supervisor."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from orchestrator.errors import Unavailable
from orchestrator.keeper import Program, restart_delay
from orchestrator.supervisor import Supervisor, check_port
from tests.servers import free_port, until

ROOT = Path(__file__).parents[2]
SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)


class Lines:
    """What the children said, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.said.append((name, line))

    def has(self, name: str, text: str) -> bool:
        """Whether a line of that child contains the text."""
        return any(text in line for who, line in self.said if who == name)


def python(name: str, source: str, *, grace: float = 5) -> Program:
    """A child that runs this Python source."""
    return Program(name, [sys.executable, "-c", textwrap.dedent(source)], grace=grace)


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_output_comes_behind_its_childs_name() -> None:
    """Lines of all children can be told apart, standard error included."""
    lines = Lines()
    loud = "import sys, time\nprint('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\ntime.sleep(600)"
    with Supervisor([[python("a", loud), python("b", SLEEPER)]], lines):
        until(lambda: len(lines.said) == 3, "three lines")
    assert {("a", "out"), ("a", "err"), ("b", "up")} == set(lines.said)


def test_output_goes_to_files_when_asked(tmp_path: Path) -> None:
    """A demo keeps its terminal to itself."""
    with Supervisor([[python("a", SLEEPER)]], Lines(), logs=tmp_path):
        until(lambda: (tmp_path / "a.log").exists() and (tmp_path / "a.log").read_text() == "up\n", "the line")


def test_a_killed_child_is_started_again() -> None:
    """A worker that dies is replaced, and the console says why."""
    lines = Lines()
    with Supervisor([[python("worker", SLEEPER)]], lines) as supervisor:
        until(lambda: lines.has("worker", "up"), "the first life")
        first = supervisor.pids()["worker"]
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.pids().get("worker", first) != first, "the second life")
    assert lines.has("worker", "ended by SIGKILL; it is started again in 0.5 s")


def test_a_dead_childs_own_children_go_with_it() -> None:
    """What a crashed child had started does not live on beside its successor."""
    lines = Lines()
    parent = f"""
        import subprocess, sys
        child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])
        print(child.pid, flush=True)
        child.wait()
    """
    with Supervisor([[python("web", parent)]], lines) as supervisor:
        until(lambda: len(lines.said) >= 2, "both are up")
        grandchild = next(int(line) for _, line in lines.said if line.isdigit())
        os.kill(supervisor.pids()["web"], signal.SIGKILL)
        until(lambda: gone(grandchild), "the grandchild ends")


def test_a_stop_is_warm() -> None:
    """SIGTERM first: the child may finish what it does."""
    lines = Lines()
    polite = """
        import signal, sys, time
        def leave(*_):
            print('finished my call', flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        print('up', flush=True)
        time.sleep(600)
    """
    with Supervisor([[python("worker", polite)]], lines):
        until(lambda: lines.has("worker", "up"), "the worker is up")
    assert lines.said == [("worker", "up"), ("worker", "finished my call")]


def test_a_child_that_does_not_stop_is_killed_after_its_grace() -> None:
    """A stop is bounded."""
    lines = Lines()
    with Supervisor([[python("stuck", STUBBORN, grace=0.3)]], lines) as supervisor:
        until(lambda: lines.has("stuck", "up"), "the child is up")
        pid = supervisor.pids()["stuck"]
    assert gone(pid)


def test_stages_start_in_order_and_stop_against_it(tmp_path: Path) -> None:
    """Redis is there before the workers start, and stays until they have ended."""
    source = """
        import pathlib, signal, sys, time
        log = pathlib.Path({log!r})
        def note(word):
            with log.open('a') as file:
                file.write(word + '\\n')
        def leave(*_):
            time.sleep(0.1)
            note('{name} stops')
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        time.sleep(0.1)
        note('{name} starts')
        time.sleep(600)
    """
    log = tmp_path / "order"
    log.touch()

    def program(name: str) -> Program:
        command = [sys.executable, "-c", textwrap.dedent(source.format(log=str(log), name=name))]
        return Program(name, command, ready=lambda: f"{name} starts" in log.read_text())

    with Supervisor([[program("redis")], [program("worker")]], Lines()):
        pass
    assert log.read_text().splitlines() == ["redis starts", "worker starts", "worker stops", "redis stops"]


def test_a_child_that_ends_before_it_is_ready_fails_the_start() -> None:
    """The error shows the child's last words, and what was started before is stopped."""
    lines = Lines()
    broken = Program("web", [sys.executable, "-c", "import sys; sys.exit('no such module')"], ready=lambda: False)
    supervisor = Supervisor([[python("redis", SLEEPER)], [broken]], lines)
    with pytest.raises(Unavailable, match=r"(?s)web ended before it was ready.*no such module"), supervisor:
        pass
    assert supervisor.pids() == {}


def test_a_command_that_does_not_exist_is_named() -> None:
    """Not a stack trace but the command's name."""
    missing = Program("web", ["/no/such/command"], ready=lambda: False)
    with pytest.raises(Unavailable, match="/no/such/command"), Supervisor([[missing]], Lines()):
        pass


@pytest.mark.parametrize(("deaths", "seconds"), [(1, 0.5), (2, 1), (3, 2), (7, 30), (1000, 30)])
def test_restarts_back_off(deaths: int, seconds: float) -> None:
    """A child that crashes at once does not keep a core busy."""
    assert restart_delay(deaths) == seconds


@contextmanager
def supervising(child: str, grace: float = 20) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A supervisor in a process of its own and the id of its child, once that is up."""
    program = textwrap.dedent(f"""
        import sys
        from orchestrator.keeper import Program
        from orchestrator.supervisor import Supervisor
        def show(name, line):
            print(supervisor.pids()[name], line, flush=True)
        child = Program("worker", [sys.executable, "-c", {child!r}], grace={grace})
        supervisor = Supervisor([[child]], show)
        with supervisor:
            supervisor.wait()
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            pid, said = process.stdout.readline().split()
            assert said == "up"
            yield process, int(pid)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(number: signal.Signals) -> None:
    """Ctrl-C, a service manager's stop and a closed terminal all end the children first."""
    with supervising(SLEEPER) as (process, child):
        process.send_signal(number)
        process.wait(10)
        assert gone(child)


def test_a_second_signal_hurries() -> None:
    """Who presses Ctrl-C twice does not want to wait for a grace of minutes."""
    with supervising(STUBBORN, grace=600) as (process, child):
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert not gone(child)
        process.send_signal(signal.SIGINT)
        process.wait(10)
        assert gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux promises to end a child with its killed parent")
def test_no_orphan_after_the_supervisor_is_killed() -> None:
    """SIGKILL of the supervisor ends its children, even those that ignore SIGTERM."""
    with supervising(STUBBORN) as (process, child):
        process.kill()
        until(lambda: gone(child), "the child ends with its supervisor")


def test_a_supervisor_works_outside_the_main_thread() -> None:
    """Signal handlers belong to the main thread; elsewhere the block itself is the only way out."""
    lines = Lines()

    def run() -> None:
        with Supervisor([[python("a", SLEEPER)]], lines):
            until(lambda: lines.has("a", "up"), "the child is up")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_handlers_are_given_back() -> None:
    """After the block, signals do what they did before."""
    before = signal.getsignal(signal.SIGTERM)
    with Supervisor([[python("a", SLEEPER)]], Lines()):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_taken_port_is_named_before_anything_starts() -> None:
    """The message says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} is taken; choose another with --port"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", free_port())


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_foreign_address_is_named(host: str) -> None:
    """Nobody can listen on an address that is not this machine's."""
    with pytest.raises(Unavailable, match=f"{host} is no address of this machine"):
        check_port(host, 8000)
