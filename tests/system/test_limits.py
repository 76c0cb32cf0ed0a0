"""Limits with real workers: never more calls at once than allowed, also over kills and an emptied Redis."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.system.installation import Installation, definition, installed, until
from tests.system.services import Call, Reply, Services

TWO = {"limit": {"key": "bank", "concurrency": 2}, "retry": {"delay": 0.1, "jitter": "none"}}


def most_at_once(calls: Sequence[Call]) -> int:
    """How many of the calls were under way at one moment, at most."""
    return max(sum(other.at <= call.at < other.ended for other in calls) for call in calls)


def test_no_more_calls_are_under_way_than_allowed_and_all_are_made(
    orchestrator: Installation, services: Services
) -> None:
    """Twelve workflows, two at once: the settle of one wakes the next without a pause."""
    services.answer(only=Reply(delay=0.2))
    began = time.monotonic()
    ids = [orchestrator.start(definition(services.url, {"only": TWO})) for _ in range(12)]
    rows = [orchestrator.wait(each) for each in ids]
    took = time.monotonic() - began
    assert {row["status"] for row in rows} == {"completed"}
    assert most_at_once(services.of("only")) == 2
    assert all(orchestrator.steps(each)["only"]["attempts"] == 1 for each in ids)
    assert took < 6  # 1.2 s of calls; a poll would take longer


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_killed_worker_and_an_emptied_redis_leave_no_slot_taken(
    kind: str,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    redis_server: RedisServer,
    services: Services,
    tmp_path: Path,
) -> None:
    """Its slots go to others within the time in which its steps are taken over."""
    services.answer(only=Reply(delay=0.3))
    with (
        fresh_database(kind) as url,
        installed(url, redis_server.url, tmp_path, workers=2) as installation,
    ):
        ids = [installation.start(definition(services.url, {"only": TWO})) for _ in range(16)]
        until(lambda: len(services.of("only")) >= 4, 20, "some calls")
        os.killpg(installation.workers[0].pid, signal.SIGKILL)
        with redis_server.client() as client:
            client.flushall()
        rows = [installation.wait(each, seconds=60) for each in ids]
        assert {row["status"] for row in rows} == {"completed"}
