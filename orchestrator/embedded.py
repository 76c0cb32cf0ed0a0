"""A Redis server for who has none: private, on a Unix socket in the data folder, gone with its owner.

It keeps nothing on disk: the ledger is the record, and what Redis loses is published again.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.errors import Unavailable
from orchestrator.redis_binary import redis_binary
from orchestrator.tether import tethered
from orchestrator.urls import client_url, socket_url

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing NUL included.
_LONGEST_SOCKET_PATH = 103
_START_SECONDS = 15.0
_STOP_SECONDS = 5.0


def embedded_url(folder: Path) -> str:
    """Where the embedded server of a data folder listens, running or not, as Celery reads it."""
    return socket_url(str(_socket(folder)))


def embedded_pid(folder: Path) -> int | None:
    """The process id of the server that answers in a data folder, None where none does."""
    client = redis.Redis.from_url(
        client_url(embedded_url(folder)), socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )
    try:
        with client:
            return int(client.info("server")["process_id"])
    except (redis.ConnectionError, redis.TimeoutError):
        return None


class EmbeddedRedis:
    """The embedded server of a data folder; as a context manager it runs inside the block.

    `command` starts it in the foreground, for a supervisor that watches it itself inside `claimed()`.
    Errors are `Unavailable`: no binary here, already running, or it cannot start (with its last words).
    """

    def __init__(self, folder: Path, binary: Path | None = None) -> None:
        self.folder = folder
        self.binary = binary or redis_binary()
        self.log = folder / "logs" / "redis.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    @property
    def url(self) -> str:
        """The server's URL for Celery's broker and result backend; `urls.client_url` gives redis-py's."""
        return embedded_url(self.folder)

    @property
    def command(self) -> list[str]:
        """The server in the foreground, its log on standard output."""
        options = {
            "port": "0",
            "unixsocket": str(_socket(self.folder)),
            "unixsocketperm": "700",
            "dir": str(_socket(self.folder).parent),
            "save": "",
            "appendonly": "no",
            # An evicted message would be a lost message; a refused one is published again later.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(self.binary), *(word for name, value in options.items() for word in (f"--{name}", value))]

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the only owner of this folder's server inside the block; raises `Unavailable` where another one is."""
        folder = _private(_socket(self.folder).parent)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with (folder / "redis.lock").open("a") as lock:
            try:
                # Two owners that start at the same moment: one gets the lock, the other reads this message.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._already_running() from None
            if embedded_pid(self.folder) is not None:
                raise self._already_running()
            yield

    def answers(self) -> bool:
        """Whether it can be used."""
        return embedded_pid(self.folder) is not None

    def __enter__(self) -> "EmbeddedRedis":
        with ExitStack() as stack:
            stack.enter_context(self.claimed())
            stack.callback(self._stop)
            self._start()
            self._held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _start(self) -> None:
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 - a server found by us, without a shell
                tethered(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the owner, who stops the workers first
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self._child.poll() is not None:
                raise self.broken(f"ended with status {self._child.returncode}")
            if time.monotonic() > deadline:
                raise self.broken(f"did not answer within {_START_SECONDS:g} s")
            time.sleep(0.01)

    def _stop(self) -> None:
        if self._child is None:
            return
        self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def broken(self, how: str) -> Unavailable:
        """Why the server does not run: which binary, and the last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        said = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        return Unavailable(f"the embedded Redis {self.binary} {how}; its log ({self.log}) ends:\n{said}")

    def _already_running(self) -> Unavailable:
        pid = embedded_pid(self.folder)
        whose = f"already running, pid {pid}" if pid is not None else "just being started by another process"
        return Unavailable(
            f"the embedded Redis of {self.folder} is {whose}; "
            "end it first, or choose another folder with ORCHESTRATOR_DATA"
        )


def _socket(folder: Path) -> Path:
    """The socket of a data folder: inside it, or in the system's temporary folder where its path would be too long."""
    folder = folder.absolute()
    inside = folder / "redis" / "redis.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
        return inside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    outside = Path(f"orchestrator-{os.geteuid()}-{name}", "redis.sock")
    # TMPDIR may be such a long path itself. `_private` sees to it that the folder is this user's own.
    temporary = Path(tempfile.gettempdir()) / outside
    return temporary if len(os.fsencode(temporary)) <= _LONGEST_SOCKET_PATH else Path("/tmp") / outside  # noqa: S108


def _private(folder: Path) -> Path:
    """Make a folder that only this user may enter; one that somebody else put there is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid():
        raise Unavailable(f"{folder} is not this user's own folder: the socket of a Redis would not be safe in it")
    folder.chmod(0o700)
    return folder
