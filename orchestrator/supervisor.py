"""Keeps child processes running: starts them in order, restarts what crashes, stops all warmly, leaves no orphan.

Each child has a session of its own, so a Ctrl-C reaches the supervisor only, which then stops them last-started-first.
Each is tethered (`orchestrator.tether`): where the supervisor itself is killed, the kernel ends them.
"""

import contextlib
import errno
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from orchestrator.errors import Unavailable
from orchestrator.keeper import Keeper, Program

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READY_SECONDS = 30.0
_Handler = Callable[[int, FrameType | None], object] | int | None


def console(name: str, line: str) -> None:
    """Write a child's line to standard error, behind its name; a line of JSON as it is: machines read those."""
    shown = line if line.startswith('{"') else f"{name:>9} | {line}"
    # The reader of `up | head` may be gone; the children must be read on all the same, or they would block.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{shown}\n")


def check_port(host: str, port: int) -> None:
    """Raise `Unavailable` where nothing can listen on that port; asked before anything is started."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise Unavailable(f"{host} is no address of this machine; choose another with --host") from None
    except OSError as error:
        raise Unavailable(_why_no_port(host, port, error)) from None


def _why_no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; choose another with --port"
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}; choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; choose another with --host"
    return f"cannot listen on {host}:{port}: {error.strerror}"


class Supervisor:
    """Runs stages of programs inside a `with` block.

    The programs of a stage start together, a stage after the one before it is ready; they stop in the opposite order.
    `show` gets each line of output with its program's name; with `logs` the output goes to `<logs>/<name>.log` instead.

    Entering raises `Unavailable` where a program ends before it is ready. The first SIGINT, SIGTERM or SIGHUP leaves
    the block (as KeyboardInterrupt or SystemExit) and so stops warmly; the next one kills.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Program]],
        show: Callable[[str, str], None] = console,
        logs: Path | None = None,
    ) -> None:
        self._stages = [[Keeper(program, show, logs) for program in stage] for stage in stages]
        self._impatient = threading.Event()
        self._handlers: dict[signal.Signals, _Handler] = {}

    def pids(self) -> dict[str, int]:
        """The process id of each program that runs just now."""
        keepers = [keeper for stage in self._stages for keeper in stage]
        return {keeper.program.name: pid for keeper in keepers if (pid := keeper.pid) is not None}

    def wait(self) -> None:
        """Stay in the block until a signal ends it."""
        threading.Event().wait()

    def __enter__(self) -> "Supervisor":
        self._handlers = _handlers()
        for number in self._handlers:
            signal.signal(number, _leave)
        try:
            for stage in self._stages:
                for keeper in stage:
                    keeper.start()
                for keeper in stage:
                    keeper.wait_ready(_READY_SECONDS)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for number in self._handlers:
            signal.signal(number, self._hurry)
        try:
            for stage in reversed(self._stages):
                self._stop_stage(stage)
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def _stop_stage(self, stage: Sequence[Keeper]) -> None:
        for keeper in stage:
            keeper.stop()
        for keeper in stage:
            keeper.finish(self._impatient)

    def _hurry(self, _number: int, _frame: FrameType | None) -> None:
        self._impatient.set()


def _leave(number: int, _frame: FrameType | None) -> None:
    # A second signal must not interrupt the stop that the first one began.
    for each in _STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _handlers() -> dict[signal.Signals, _Handler]:
    """What the stop signals do now; without those that are ignored on purpose, as `nohup` does."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    return {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
