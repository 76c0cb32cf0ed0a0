"""Keeps one child process running: starts it, passes its output on, starts it again when it ends, stops it warmly."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Unavailable
from orchestrator.tether import tethered

# A child that lived this long was healthy: its end is a new mishap, not the same one again.
HEALTHY_SECONDS = 60.0
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_LAST_WORDS = 8


@dataclass(frozen=True)
class Program:
    """A command to keep running.

    `environment` is the whole environment (None: this process's own); `ready` says whether others may rely on it (None:
    as soon as it is started); `grace` is the seconds a warm stop may take before it is killed: more than a worker's
    longest call.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    ready: Callable[[], bool] | None = None
    grace: float = 40.0


def restart_delay(deaths: int) -> float:
    """Seconds to wait before the start that follows the n-th early death in a row (from 1)."""
    return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(deaths - 1, 30))


class Keeper:
    """One program, kept by one thread, which also starts it: the kernel ties a child to the thread that started it."""

    def __init__(self, program: Program, show: Callable[[str, str], None], logs: Path | None = None) -> None:
        self.program = program
        self._show = show
        self._log = logs / f"{program.name}.log" if logs else None
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._died = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keeper of {program.name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        with self._lock:
            return self._child.pid if self._child else None

    def start(self) -> None:
        """Begin to keep it running; to be called once."""
        self._thread.start()

    def wait_ready(self, seconds: float) -> None:
        """Return when it is ready; raise `Unavailable` when it ends first or is not ready in time."""
        if self.program.ready is None:
            return
        deadline = time.monotonic() + seconds
        while not self.program.ready():
            if self._died.wait(0.05):
                raise Unavailable(f"{self.program.name} ended before it was ready; {self._words()}")
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.program.name} is not ready after {seconds:g} s; {self._words()}")

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and start it no more. Returns at once."""
        with self._lock:
            self._stopping.set()
            if self._child:
                self._child.terminate()

    def finish(self, impatient: threading.Event) -> None:
        """Return when it has ended; kill it with all it started after its grace, or as soon as `impatient` is set."""
        deadline = time.monotonic() + self.program.grace
        while self._thread.is_alive():
            if impatient.is_set() or time.monotonic() > deadline:
                with self._lock:
                    if self._child:
                        _kill_group(self._child.pid)
            # Short, because a signal handler that sets `impatient` cannot wake a join.
            self._thread.join(0.05)

    def _keep(self) -> None:
        deaths = 0
        while True:
            born = time.monotonic()
            how = self._live()
            if self._stopping.is_set():
                return
            self._died.set()
            deaths = 1 if time.monotonic() - born > HEALTHY_SECONDS else deaths + 1
            delay = restart_delay(deaths)
            self._show(self.program.name, f"{how}; it is started again in {delay:g} s")
            self._stopping.wait(delay)

    def _live(self) -> str:
        """One life of the child, from its start to its end; says how it ended."""
        try:
            child = self._launch()
        except OSError as error:
            self._last_words.append(str(error))
            return f"it cannot be started: {error}"
        if child is None:
            return "stopped"
        reader = threading.Thread(target=self._read, args=(child,), daemon=True)
        reader.start()
        status = child.wait()
        _kill_group(child.pid)  # what it started and left behind
        reader.join(5)
        with self._lock:
            self._child = None
        return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def _launch(self) -> subprocess.Popen[bytes] | None:
        with ExitStack() as stack:
            output = stack.enter_context(self._log.open("ab")) if self._log else subprocess.PIPE
            # `stop` either sees this child or is seen here; without the lock it could miss one just being born.
            stack.enter_context(self._lock)
            if self._stopping.is_set():
                return None
            self._child = subprocess.Popen(  # noqa: S603 - the supervisor's own commands, without a shell
                tethered(self.program.command),
                env=self.program.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            return self._child

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdout is None:
            return
        with child.stdout as output:
            for raw in output:
                line = raw.decode(errors="replace").rstrip()
                self._last_words.append(line)
                self._show(self.program.name, line)

    def _words(self) -> str:
        logged = self._log.read_text(errors="replace").splitlines() if self._log and self._log.exists() else []
        lines = [*logged, *self._last_words][-_LAST_WORDS:]
        return "its last words:\n" + "\n".join(f"    {line}" for line in lines or ["(nothing)"])


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
