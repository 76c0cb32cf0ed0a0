"""Processes that a benchmark starts: ended by their ids, and gone when the benchmark is."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestrator.tether import tethered

ROOT = Path(__file__).resolve().parent.parent
PYTHON = (sys.executable, "-P", "-m")


def until(holds: Callable[[], bool], what: str, *, seconds: float = 60, pause: float = 0.02) -> None:
    """Return when `holds()`; raises TimeoutError, saying what was waited for, after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


class Child:
    """A running process with its output in `log`; with `talks`, its standard input and output are ours instead."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        user: str | None = None,
        talks: bool = False,
        end_with: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.log = log
        self._end_with = end_with
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                _as_another(user, command) if user else tethered(command, signal.SIGKILL),
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                cwd=log.parent,
                env=environment,
                start_new_session=True,
                text=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def wait_ready(self, ready: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
        """Return when `ready()`; raises RuntimeError with the end of the log where it ends or takes too long."""

        def holds() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"{what} ended while it started:\n{self.said()}")
            return ready()

        try:
            until(holds, f"{what} to be ready", seconds=seconds, pause=0.05)
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{self.said()}") from None

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """The next line of its standard output; raises RuntimeError where it has ended."""
        assert self.process.stdout is not None
        line: str = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"process {self.pid} ended:\n{self.said()}")
        return line.strip()

    def end(self, grace: float = 15) -> None:
        """Warmly, and with SIGKILL to all of its session where that takes longer than `grace` seconds."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self.process.send_signal(self._end_with)
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()


def _as_another(user: str, command: Sequence[str]) -> list[str]:
    # To change the account cuts the tie to the parent: it is made afterwards, here.
    account = pwd.getpwnam(user)
    become = (
        "import ctypes, os, sys; os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[2])); "
        "ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); os.execv(sys.argv[3], sys.argv[3:])"
    )
    return [sys.executable, "-I", "-S", "-c", become, str(account.pw_gid), str(account.pw_uid), *command]
