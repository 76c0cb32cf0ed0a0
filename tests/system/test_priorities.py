"""What is urgent overtakes a backlog: in Redis, in a limit's line, and when the reconciler sends again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from orchestrator.priority import Priority
from tasks.queues import queues
from tests.servers import RedisServer
from tests.system.installation import Installation, definition, installed, until
from tests.system.services import Reply, Services

BACKLOG = 200


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def narrow(
    request: pytest.FixtureRequest,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    redis_server: RedisServer,
    tmp_path: Path,
) -> Iterator[Installation]:
    """Its one worker makes one call at a time."""
    with (
        fresh_database(request.param) as url,
        installed(url, redis_server.url, tmp_path, ORCHESTRATOR_CONCURRENCY="1") as installation,
    ):
        yield installation


def others_until_end(services: Services, workflow_id: str, since: int) -> int:
    """How many calls of others ended after the first `since` of all and before its last one."""
    ids = [call.headers["x-workflow-id"] for call in services.books]
    end = len(ids) - ids[::-1].index(workflow_id)
    return sum(one != workflow_id for one in ids[since:end])


def test_an_urgent_workflow_overtakes_a_backlog(narrow: Installation, services: Services) -> None:
    """All of its steps, through chain and chord; the usual one comes next, and then the backlog."""
    services.behaviour = lambda service, before, body: Reply(delay=0.02)
    low = definition(services.url, {"only": {}}, priority="low")
    diamond = {"a": {"next": ["b", "c"]}, "b": {"next": ["d"]}, "c": {"next": ["d"]}, "d": {}}
    many = [narrow.start(low) for _ in range(BACKLOG)]
    since = len(services.books)
    usual = narrow.start(definition(services.url, diamond))
    urgent = narrow.start(definition(services.url, diamond), priority=Priority.HIGH)
    for workflow_id in (urgent, usual, many[-1]):
        narrow.wait(workflow_id, seconds=60)
    # What was called or received before; what is taken between a step's end and the next one's message.
    assert others_until_end(services, urgent, since) < 40
    assert others_until_end(services, usual, since) < 60
    assert set(services.keys().values()) == {1}
    with narrow.redis() as client:
        assert [client.llen(name) for name in queues()] == [0, 0, 0]


@pytest.mark.slow
def test_an_urgent_step_that_was_lost_is_sent_again_while_others_are_merely_queued(
    narrow: Installation, services: Services
) -> None:
    """Its message is behind none of theirs, although one of them was sent before it."""
    services.behaviour = lambda service, before, body: Reply(delay=0.15 if service == "slow" else 0.0)
    many = [narrow.start(definition(services.url, {"slow": {}}, priority="low")) for _ in range(100)]
    lost = narrow.start(definition(services.url, {"quick": {}}, priority="high"), send=False)
    narrow.wait(lost, seconds=20)
    assert len(services.of("slow")) < 100
    until(lambda: len(services.of("slow")) == 100, 60, "the backlog to be worked off")
    assert max(services.keys().values()) == 1
    assert narrow.wait(many[-1])["status"] == "completed"


def test_who_is_urgent_is_let_in_first_by_a_limit(orchestrator: Installation, services: Services) -> None:
    """One call at a time: of those that wait for the slot, the last to come goes first."""
    services.behaviour = lambda service, before, body: Reply(delay=4.0 if service == "held" else 0.05)
    limit = {"limit": {"key": "narrow", "concurrency": 1}}
    began = orchestrator.start(definition(services.url, {"held": limit}))
    until(lambda: services.reached("held"), 10, "the slot to be taken")
    waiting = [orchestrator.start(definition(services.url, {"usual": limit})) for _ in range(3)]
    until(
        lambda: all(orchestrator.steps(one)["usual"]["waiting_for"] == "limit" for one in waiting), 20, "them to wait"
    )
    urgent = orchestrator.start(definition(services.url, {"urgent": limit}), priority=Priority.HIGH)
    until(lambda: orchestrator.steps(urgent)["urgent"]["waiting_for"] == "limit", 20, "it to wait as well")
    assert services.called() == [], "the slot is not free yet"
    for workflow_id in (began, urgent, *waiting):
        orchestrator.wait(workflow_id)
    assert services.called()[:2] == ["held", "urgent"]
