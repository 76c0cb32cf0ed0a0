"""The production server over real HTTP: quick to start, several processes, one truth, a clean end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from orchestrator.jsontype import Json
from orchestrator.settings import Settings
from tests.integration.web.desk import ORDER, WORKFLOWS
from tests.servers import free_port, until
from web.serving import check_guarded

NO_REDIS = "redis://127.0.0.1:1/0"


class Served:
    """`orchestrator web` as a child process."""

    def __init__(self, database_url: str, folder: Path, port: int, arguments: Sequence[str] = ()) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")} | {
            "ORCHESTRATOR_DATABASE_URL": database_url,
            "ORCHESTRATOR_REDIS_URL": NO_REDIS,
            "ORCHESTRATOR_DATA": str(folder / "data"),
            "ORCHESTRATOR_DEFINITIONS": str(WORKFLOWS),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "orchestrator.cli", "web", "--port", str(port), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, path: str, body: Json = None, **headers: str) -> tuple[int, Json]:
        """Status and JSON of a GET, or with a body of a POST."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **named})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)

    def lives(self) -> bool:
        """Whether it answers; an assertion where it has ended."""
        assert self.process.poll() is None, self.process.communicate()[0]
        try:
            return self.ask("/healthz")[0] == 200
        except OSError:
            return False


@contextmanager
def served(database_url: str, folder: Path) -> Iterator[Served]:
    server = Served(database_url, folder, free_port())
    try:
        until(server.lives, "the web to answer", 20)
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
        server.process.communicate(timeout=20)


def test_a_start_is_answered_at_once_with_redis_down(database_url: str, tmp_path: Path) -> None:
    """The first one finds that out, the others need not wait for it; all are in the ledger."""
    with served(database_url, tmp_path) as web:
        for _ in range(3):
            began = time.monotonic()
            status, started = web.ask("/api/process-order", ORDER)
            assert status == 202
            assert time.monotonic() - began < 1.5
        assert web.ask(f"/api/workflows/{started['workflowId']}")[1]["status"] == "running"
        assert web.ask("/readyz")[1]["redis"].startswith("away")


def test_one_key_over_several_processes_makes_one_workflow(database_url: str, tmp_path: Path) -> None:
    """The race is decided in the database, not in a process."""
    together = threading.Barrier(20)
    with served(database_url, tmp_path) as web, ThreadPoolExecutor(20) as pool:

        def start(_: int) -> tuple[int, str]:
            together.wait()
            status, started = web.ask("/api/process-order", ORDER, Idempotency_Key="same")
            return status, started["workflowId"]

        assert len(set(pool.map(start, range(20)))) == 1
        assert len(web.ask("/api/workflows")[1]["workflows"]) == 1


def test_sigterm_lets_requests_end_and_leaves_no_process(sqlite_url: str, tmp_path: Path) -> None:
    """A request that has begun is answered; then everything is gone, with status 0."""
    body = json.dumps(ORDER).encode()
    with served(sqlite_url, tmp_path) as web, socket.create_connection(("127.0.0.1", web.port), timeout=10) as client:
        processes = psutil.Process(web.process.pid).children(recursive=True)
        assert processes
        client.sendall(
            b"POST /api/process-order HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b"100" in client.recv(1000)  # a thread has it
        web.process.send_signal(signal.SIGTERM)
        client.sendall(body)
        assert b"202" in client.recv(1000)
        said = web.process.communicate(timeout=20)[0]
        assert web.process.returncode == 0, said
        assert psutil.wait_procs(processes, timeout=5)[1] == []
        assert "Traceback" not in said


def test_a_taken_port_is_said_at_once(sqlite_url: str, tmp_path: Path) -> None:
    """With what to do, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Served(sqlite_url, tmp_path, taken.getsockname()[1])
        said = server.process.communicate(timeout=20)[0]
    assert server.process.returncode != 0
    assert "is taken; choose another with --port" in said
    assert "Traceback" not in said


def test_others_are_let_in_with_keys_only(sqlite_url: str, tmp_path: Path) -> None:
    """An orchestrator that everybody can reach is everybody's."""
    server = Served(sqlite_url, tmp_path, free_port(), ["--host", "0.0.0.0"])
    said = server.process.communicate(timeout=20)[0]
    assert server.process.returncode != 0
    assert "ORCHESTRATOR_API_KEYS" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(host: str, tmp_path: Path) -> None:
    """Whoever is on the machine is let in."""
    check_guarded(Settings("sqlite:///x", None, tmp_path, tmp_path), host)
