"""The embedded Redis: private, usable by Celery, alone in its folder, and gone with its owner."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
import pytest
import redis

from orchestrator.embedded import EmbeddedRedis, embedded_pid, embedded_url
from orchestrator.errors import Unavailable
from orchestrator.redis_binary import redis_binary
from orchestrator.urls import client_url
from tests.servers import until

ROOT = Path(__file__).parents[2]


def socket_of(folder: Path) -> Path:
    """The socket file behind a folder's URL."""
    return Path(unquote(urlsplit(embedded_url(folder)).path))


@contextmanager
def worker(url: str) -> Iterator[dict[str, str]]:
    """A Celery worker in a process of its own; yields the environment for its clients."""
    environment = {**os.environ, "TEST_REDIS_URL": url}
    command = [sys.executable, "-m", "celery", "-A", "tests.integration.celery_over", "worker"]
    command += ["-P", "threads", "-c", "4", "--without-gossip", "--without-mingle", "-l", "warning"]
    with subprocess.Popen(command, env=environment, cwd=ROOT) as child:
        try:
            yield environment
        finally:
            child.terminate()


@pytest.mark.parametrize("length", ["short", "with a space & more", "long" * 40])
def test_celery_publishes_and_consumes_over_it(tmp_path: Path, length: str) -> None:
    """Broker, results and chord counting work over the socket, whatever the folder is called."""
    with EmbeddedRedis(tmp_path / length) as server, worker(server.url) as environment:
        answer = subprocess.run(
            [sys.executable, "-c", "from tests.integration.celery_over import doubled_total; print(doubled_total())"],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
        assert answer.stdout == "90\n"
    if length.startswith("long"):
        shutil.rmtree(socket_of(tmp_path / length).parent)  # in the system's temporary folder, for want of room


def test_only_its_owner_may_enter(tmp_path: Path) -> None:
    """Socket and folder are closed to other users, and nothing listens on the network."""
    with EmbeddedRedis(tmp_path):
        socket = socket_of(tmp_path)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        pid = embedded_pid(tmp_path)
        assert pid is not None
        listening = [c for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening == []


def test_it_never_evicts_and_keeps_nothing_on_disk(tmp_path: Path) -> None:
    """A message is never thrown away for room; the ledger is the record, so no file is written."""
    with EmbeddedRedis(tmp_path) as server, redis.Redis.from_url(client_url(server.url)) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}


def test_it_is_gone_after_the_block(tmp_path: Path) -> None:
    """The server ends with the block and can be started again."""
    with EmbeddedRedis(tmp_path):
        first = embedded_pid(tmp_path)
        assert first is not None
    assert not psutil.pid_exists(first)
    assert embedded_pid(tmp_path) is None
    with EmbeddedRedis(tmp_path) as server:
        assert server.answers()


def test_a_second_one_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """The message names the process that runs, and the first one goes on."""
    with EmbeddedRedis(tmp_path) as first:
        with (
            pytest.raises(Unavailable, match=rf"already running, pid {embedded_pid(tmp_path)}; .*ORCHESTRATOR_DATA"),
            EmbeddedRedis(tmp_path),
        ):
            pass
        assert first.answers()


def test_two_that_start_at_the_same_moment_are_one(tmp_path: Path) -> None:
    """Who holds the folder but has not started its server yet is respected too."""
    with EmbeddedRedis(tmp_path).claimed(), pytest.raises(Unavailable, match="just being started by another process"):
        EmbeddedRedis(tmp_path).__enter__()


def test_a_left_behind_server_is_named(tmp_path: Path) -> None:
    """A server that outlived its owner (only Linux promises otherwise) is found although nobody holds the lock."""
    socket_of(tmp_path).parent.mkdir(mode=0o700)
    server = EmbeddedRedis(tmp_path)
    with subprocess.Popen(server.command, stdout=subprocess.DEVNULL) as orphan:
        try:
            until(server.answers, "the server answers")
            with pytest.raises(Unavailable, match=f"already running, pid {orphan.pid}"), server:
                pass
        finally:
            orphan.kill()


def test_a_folder_that_was_left_by_a_kill_is_usable(tmp_path: Path) -> None:
    """SIGKILL leaves the socket file behind; the next start takes it over."""
    with EmbeddedRedis(tmp_path):
        pid = embedded_pid(tmp_path)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: embedded_pid(tmp_path) is None, "the server is dead")
        assert socket_of(tmp_path).exists()
    with EmbeddedRedis(tmp_path) as server:
        assert server.answers()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error names the binary and shows the last lines of its log."""
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho 'FATAL: cannot allocate the frobnicator'\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(Unavailable, match="ended with status 3") as caught, EmbeddedRedis(tmp_path, binary=broken):
        pass
    assert str(broken) in str(caught.value)
    assert "cannot allocate the frobnicator" in str(caught.value)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A symbolic link where the socket's folder should be may lead anywhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "redis").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="not this user's own folder"), EmbeddedRedis(tmp_path):
        pass


def test_a_server_on_the_path_wins(tmp_path: Path) -> None:
    """An installed Redis is taken before the bundled one, and `redis-server` before `valkey-server`."""
    for name in ("valkey-server", "redis-server"):
        assert redis_binary(path=str(tmp_path)) != tmp_path / name
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert redis_binary(path=str(tmp_path)) == tmp_path / name


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux promises to end a child with its killed parent")
def test_it_dies_with_a_killed_owner(tmp_path: Path) -> None:
    """SIGKILL of the owner leaves no server behind."""
    program = textwrap.dedent(f"""
        import pathlib, time
        from orchestrator.embedded import EmbeddedRedis
        with EmbeddedRedis(pathlib.Path({str(tmp_path)!r})):
            print("up", flush=True)
            time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        assert embedded_pid(tmp_path) is not None
        owner.kill()
    until(lambda: embedded_pid(tmp_path) is None, "the server ends with its owner")
