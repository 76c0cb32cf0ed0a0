"""No message ends a worker, whoever wrote it into Redis; and a worker is soon back when its Redis is."""

import json
from pathlib import Path

import pytest

from orchestrator.jsontype import Json
from tests.chaos.messages import BROKEN, break_into, envelope
from tests.chaos.stage import QUEUE
from tests.servers import RedisServer
from tests.system.installation import definition, installed, until
from tests.system.services import Services

ODD_HEADERS: tuple[dict[str, Json], ...] = (
    {"task": []},
    {"task": 5},
    {"id": [1]},
    {"timelimit": 5},
    {"timelimit": [1]},
    {"stamped_headers": 5},
    {"eta": "some time"},
)


@pytest.fixture
def own_services() -> Services:
    """Services of this test's own."""
    return Services()


def test_a_worker_drops_messages_that_it_cannot_understand_and_works_on(
    own_services: Services, sqlite_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Bodies that are no triple and headers that are not Celery's: Celery alone would end, and meet them again."""
    with own_services, installed(sqlite_url, redis_server.url, tmp_path) as installation:
        with redis_server.client() as client:
            break_into(client, BROKEN)
            for headers in ODD_HEADERS:
                message = envelope(b'[["a", "b"], {}, {}]')
                message["headers"].update(headers)
                client.lpush(QUEUE, json.dumps(message))
            workflow = installation.start(definition(own_services.url, {"only": {}}))
            assert installation.wait(workflow, seconds=20)["status"] == "completed"
            until(lambda: not client.llen(QUEUE) and not client.hlen("unacked"), 10, "nothing to be left")
        assert installation.workers[0].poll() is None, "the worker outlives every message"
        assert len(own_services.books) == 1


def test_a_worker_looks_for_its_broker_every_second_however_long_that_is_away(
    sqlite_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Celery alone would wait longer and longer, up to half a minute: so much later work would go on."""
    with installed(sqlite_url, redis_server.url, tmp_path) as installation:
        redis_server.kill()
        log = tmp_path / "worker-0.log"
        until(lambda: log.read_text().count("Trying again in") >= 3, 20, "the worker to try a few times")
        assert {line.split("Trying again in ")[1].split(" ")[0] for line in _tries(log)} == {"1.00"}
        redis_server.start()
        assert installation.workers[0].poll() is None


def _tries(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "Trying again in" in line]
