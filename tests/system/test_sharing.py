"""A host that hangs, and the others, with a real worker and nothing set."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.system.installation import definition, installed, until
from tests.system.services import Reply, Services

PLACES = 4


@pytest.mark.slow
def test_a_host_that_hangs_holds_up_no_other_and_has_its_turn(
    fresh_database: Callable[[str], AbstractContextManager[str]],
    redis_server: RedisServer,
    services: Services,
    tmp_path: Path,
) -> None:
    """More of its steps than the worker can call at once are there before the others; none costs a second attempt."""
    services.answer(slow=Reply(delay=8.0))
    elsewhere = services.url.replace("127.0.0.1", "localhost")
    with (
        fresh_database("sqlite") as url,
        installed(
            url,
            redis_server.url,
            tmp_path,
            ORCHESTRATOR_CONCURRENCY=str(PLACES),
            ORCHESTRATOR_ALLOW_HOSTS="127.0.0.1,localhost",
        ) as installation,
    ):
        hanging = definition(services.url, {"slow": {"targetUrl": f"{elsewhere}/slow"}})
        slow = [installation.start(hanging, {"number": number}) for number in range(2 * PLACES)]
        until(lambda: services.reached("slow"), 10, "the worker to call the slow host")
        quick = [installation.start(definition(services.url, {"quick": {}})) for _ in range(6)]
        for each in quick:
            assert installation.wait(each)["status"] == "completed"
        # None of the slow ones was answered yet.
        assert services.of("slow") == []
        aside = [each for each in slow if installation.steps(each)["slow"]["waiting_for"] == "share"]
        assert len(aside) == PLACES
        assert {installation.wait(each, seconds=60)["status"] for each in slow} == {"completed"}
        assert all(installation.steps(each)["slow"]["attempts"] == 1 for each in slow)
