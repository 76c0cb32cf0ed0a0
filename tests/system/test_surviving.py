"""Whatever dies, every accepted workflow goes on within seconds, and nobody is called twice who honours keys."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from orchestrator.ledger.tables import definitions
from tests.servers import RedisServer
from tests.system.installation import Installation, definition, installed, until
from tests.system.services import Reply, Services

CHAIN = {"payment": {"next": ["shipment"]}, "shipment": {"next": ["mail"]}, "mail": {}}
RECOVERED = 15.0
"""Seconds from the end of a fault's cause within which work goes on."""
AT_ONCE = 20


# What Redis and signals do to a worker has nothing to do with the kind of database.
on_either = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture
def own(database_url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[Installation]:
    """An installation whose servers and workers the test may kill; one worker, few calls at once."""
    with installed(database_url, redis_server.url, tmp_path, ORCHESTRATOR_CONCURRENCY=str(AT_ONCE)) as installation:
        yield installation


def kill(pid: int) -> None:
    """SIGKILL: no handler, no goodbye."""
    os.kill(pid, signal.SIGKILL)


def test_a_worker_killed_in_mid_call_is_replaced_and_its_step_called_again_with_the_same_key(
    own: Installation, services: Services
) -> None:
    """The step is taken over from the dead worker; nothing waits for its long lease."""
    services.answer(payment=[Reply(delay=60), Reply(body={"ok": True})])
    workflow = own.start(definition(services.url, CHAIN))
    until(lambda: services.reached("payment"), 10, "the payment to be called")
    kill(own.workers[0].pid)
    killed = time.monotonic()
    own.add_worker()
    assert own.wait(workflow, seconds=30)["status"] == "completed"
    assert time.monotonic() - killed < 2 * RECOVERED, "a lease would take longer"
    keys = {call.key for call in services.of("payment")}
    assert len(keys) == 1
    assert [event["type"] for event in own.events(workflow)].count("step.lost") == 1


def test_a_worker_that_is_told_to_stop_ends_the_branches_that_it_kept(own: Installation, services: Services) -> None:
    """Both calls end and are recorded; what follows is another worker's, at once."""
    services.answer(charge=Reply(delay=2), provision=Reply(delay=2.5))
    steps = {
        "validate": {"next": ["charge", "provision"]},
        "charge": {"next": ["mail"]},
        "provision": {"next": ["mail"]},
    }
    workflow = own.start(definition(services.url, {**steps, "mail": {}}))
    until(lambda: services.reached("charge") and services.reached("provision"), 10, "both branches to be called")
    os.kill(own.workers[0].pid, signal.SIGTERM)
    assert own.workers[0].wait(15) == 0
    own.add_worker()
    assert own.wait(workflow, seconds=30)["status"] == "completed"
    assert sorted(services.called()) == ["charge", "mail", "provision", "validate"]
    assert not {"step.lost", "step.late"} & {event["type"] for event in own.events(workflow)}


def test_an_emptied_redis_loses_no_workflow(own: Installation, services: Services) -> None:
    """FLUSHALL while messages are queued: what is in SQL is enough."""
    services.answer(payment=Reply(delay=0.5))
    flow = definition(services.url, CHAIN)
    workflows = [own.start(flow, {"order": i}) for i in range(4 * AT_ONCE)]
    with own.redis() as client:
        client.flushall()
    wiped = time.monotonic()
    assert {own.wait(workflow, seconds=60)["status"] for workflow in workflows} == {"completed"}
    assert time.monotonic() - wiped < 40
    twice = {call.headers["x-workflow-id"] for call in services.books if services.keys()[call.key] > 1}
    assert not twice, [event for workflow in twice for event in own.events(workflow)]
    assert len(services.books) == 3 * 4 * AT_ONCE


@on_either
def test_a_redis_that_restarts_empty_is_found_again(
    own: Installation, services: Services, redis_server: RedisServer
) -> None:
    """Killed and started again: the same worker consumes on, and starts made meanwhile are run."""
    flow = definition(services.url, CHAIN)
    before = own.start(flow)
    assert own.wait(before)["status"] == "completed"
    redis_server.kill()
    began = time.monotonic()
    meanwhile = own.start(flow)
    assert time.monotonic() - began < 5, "a start must not wait for Redis"
    redis_server.restart()
    back = time.monotonic()
    assert own.wait(meanwhile, seconds=40)["status"] == "completed"
    assert time.monotonic() - back < RECOVERED
    assert own.workers[0].poll() is None, "the worker outlives its Redis"


@on_either
def test_a_warm_stop_lets_running_calls_end(own: Installation, services: Services) -> None:
    """SIGTERM: the call in flight is settled by the worker that made it, and another worker goes on at once."""
    services.answer(payment=Reply(delay=1.5))
    workflow = own.start(definition(services.url, CHAIN))
    until(lambda: own.steps(workflow)["payment"]["status"] == "running", 10, "the payment to be called")
    own.workers[0].send_signal(signal.SIGTERM)
    own.add_worker()
    assert own.wait(workflow, seconds=20)["status"] == "completed"
    assert services.called() == ["payment", "shipment", "mail"]


def test_what_merely_queues_is_not_sent_again(own: Installation, services: Services) -> None:
    """A queue that is longer than the reconciler's patience is left alone: every message was sent once."""
    services.answer(only=Reply(delay=2.0))
    flow = definition(services.url, {"only": {}})
    workflows = [own.start(flow, {"order": i}) for i in range(4 * AT_ONCE)]
    for workflow in workflows:
        assert own.wait(workflow, seconds=60)["status"] == "completed"
    resent = sum(event["type"] == "step.resent" for workflow in workflows for event in own.events(workflow))
    assert resent == 0
    assert len(services.books) == 4 * AT_ONCE


@pytest.mark.slow
def test_what_this_release_cannot_read_is_left_to_a_newer_one(own: Installation, services: Services) -> None:
    """Beside a newer release this worker takes some of its messages: nothing is failed, called or lost by that."""
    flow = definition(services.url, CHAIN)
    workflow = own.start(flow)
    assert own.wait(workflow)["status"] == "completed"
    newer = definition(services.url, {**CHAIN, "payment": {"next": ["shipment"], "retries": 7}})
    paused = own.start(newer, send=False)
    with own.database.transaction() as connection:
        row = definitions.c.version == newer.version
        connection.execute(update(definitions).where(row).values(document={**newer.document, "news": 1}))
    own.send_again(paused, "payment")
    own.send_again(paused, "payment")
    until(lambda: "left to" in own.log(), 20, "the worker to say so")
    assert own.row(paused)["status"] == "running"
    assert own.steps(paused)["payment"]["status"] == "pending"
    with own.database.transaction() as connection:
        connection.execute(update(definitions).where(row).values(document=newer.document))
    assert own.wait(paused, seconds=90)["status"] == "completed"
    assert set(services.keys().values()) == {1}
