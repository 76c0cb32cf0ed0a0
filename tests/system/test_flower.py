"""Flower beside a real worker: steps have readable names, failures show, and nothing secret does."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from tests.servers import RedisServer, free_port
from tests.system.installation import ROOT, Installation, definition, until
from tests.system.services import Reply, Services

pytest.importorskip("flower", reason="the extra `flower` is not installed")

USER = ("ops", "a-password-for-flower")
SECRETS = ("4242424242424242", "token-of-the-shop", "said by the service", "ada@example.com")


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """The services that steps call."""
    with Services() as server:
        yield server


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, redis_session: RedisServer) -> Iterator[Installation]:
    """A worker that tells Flower, as in docker-compose.yml."""
    folder = tmp_path_factory.mktemp("flower")
    with redis_session.client() as client:
        client.flushall()
    running = Installation(f"sqlite:///{folder / 'ledger.sqlite3'}", redis_session.url, folder)
    running.environment["ORCHESTRATOR_SECRET_SHOP"] = SECRETS[1]
    worker = _run(running, ["worker", "-E"], "worker")
    try:
        yield running
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
        running.close()


@pytest.fixture(scope="module")
def flower(installation: Installation) -> Iterator[str]:
    """Flower, behind a password; its address."""
    port = free_port()
    installation.environment |= {"FLOWER_BASIC_AUTH": ":".join(USER), "FLOWER_UNAUTHENTICATED_API": ""}
    process = _run(installation, ["flower", "--address=127.0.0.1", f"--port={port}"], "flower")
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _knows_worker(url), 60, "Flower to know the worker")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_names_are_readable_and_nothing_secret_shows(
    installation: Installation, services: Services, flower: str
) -> None:
    """A step that completed is SUCCESS, one that failed is FAILURE; neither context, secret nor answer is anywhere."""
    services.answer(
        pay=Reply(body={"receipt": SECRETS[2]}),
        ship=[Reply(status=503), Reply(status=402, body={"message": SECRETS[2]})],
    )
    shop = definition(
        services.url,
        {
            "pay": {"next": ["ship"], "headers": {"Authorization": "Bearer ${secret.SHOP}"}},
            "ship": {"payload": {"card": "${context.card}", "to": "${context.email}"}},
        },
        sensitive=["context.card"],
    )
    workflow_id = installation.start(shop, {"card": SECRETS[0], "email": SECRETS[3]})
    assert installation.wait(workflow_id)["status"] == "failed"
    until(lambda: len(_ended(flower)) == 2, 20, "Flower to see both tasks end")
    tasks = _ended(flower)
    assert {task["name"]: task["state"] for task in tasks.values()} == {
        "tested.pay": "SUCCESS",
        "tested.ship": "FAILURE",
    }
    pages = ["/", "/tasks", "/broker", "/workers?json=1", "/api/workers", "/api/tasks"]
    pages += [path for uuid in tasks for path in (f"/task/{uuid}", f"/api/task/info/{uuid}")]
    for path in pages:
        shown = requests.get(flower + path, auth=USER, timeout=20)
        assert shown.ok, path
        for secret in SECRETS:
            assert secret not in shown.text, path
    arguments = sorted(re.findall(r"'([^']*)'", task["args"]) for task in tasks.values())
    assert arguments == [[workflow_id, "pay"], [workflow_id, "ship"]]


def test_without_the_password_nothing_is_shown(flower: str) -> None:
    """Except that it lives, and its metrics, which hold names and numbers."""
    for path in ("/", "/tasks", "/api/tasks", "/api/workers"):
        assert requests.get(flower + path, timeout=20, allow_redirects=False).status_code == 401, path
    assert requests.get(f"{flower}/healthcheck", timeout=20).ok
    open_to_all = requests.get(f"{flower}/metrics", timeout=20).text
    assert "flower_worker_online" in open_to_all
    assert not [secret for secret in SECRETS if secret in open_to_all]


def _ended(url: str) -> dict[str, dict[str, str]]:
    tasks = requests.get(f"{url}/api/tasks", auth=USER, timeout=20).json()
    return {uuid: task for uuid, task in tasks.items() if task["state"] in ("SUCCESS", "FAILURE")}


def _knows_worker(url: str) -> bool:
    try:
        return bool(requests.get(f"{url}/api/workers?refresh=1", auth=USER, timeout=10).json())
    except (requests.RequestException, ValueError):
        return False


def _run(installation: Installation, command: list[str], name: str) -> subprocess.Popen[bytes]:
    with (installation.folder / f"worker-{name}-{os.getpid()}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks", *command],
            cwd=ROOT,
            env=installation.environment,
            stdout=log,
            stderr=log,
        )
