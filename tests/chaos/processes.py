"""A process that is kept running: whoever kills it finds another one a moment later, as under a supervisor."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.tether import tethered

REST = 1.0
"""Seconds between a death and the next life."""


class Kept:
    """One process with a session of its own. All lives write to one log.

    Every life must be started by the same thread: the kernel ends the process with the thread that started it.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.lives = 0
        self._command = list(command)
        self._environment = dict(environment)
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._died_at: float | None = None
        self.log = folder / f"{name}.log"

    @property
    def pid(self) -> int:
        """The process id of this life, or of the last one."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs (or is frozen) just now."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Begin a life."""
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                tethered(self._command),
                cwd=Path(__file__).parents[2],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.lives += 1
        self._died_at = None

    def tend(self) -> None:
        """Start it again where it has been dead for a moment; to be called again and again."""
        if self.alive:
            return
        if self._died_at is None:
            self._died_at = time.monotonic()
            self._end_the_rest(signal.SIGKILL)
        if time.monotonic() - self._died_at >= REST:
            self.start()

    def send(self, how: signal.Signals) -> None:
        """Send a signal to it and to all that it started."""
        if self.alive:
            self._end_the_rest(how)

    def stop(self, grace: float) -> None:
        """End it for good: warmly, and with SIGKILL after `grace` seconds."""
        if self._child is None:
            return
        self.send(signal.SIGCONT)
        if self.alive:
            self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(grace)
        self._end_the_rest(signal.SIGKILL)
        self._child.wait()

    def _end_the_rest(self, how: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, how)
