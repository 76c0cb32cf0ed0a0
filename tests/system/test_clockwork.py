"""Schedules, webhooks and single calls on real workers, one of which is killed in between."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from orchestrator.definition import Schedule
from orchestrator.ledger.schedules import create, pause, trigger
from orchestrator.ledger.starting import Start, start
from orchestrator.ledger.tables import workflows
from orchestrator.ledger.views.deliveries import deliveries_page
from orchestrator.reading import read_file
from orchestrator.rhythm import Rhythm
from orchestrator.scheduling import keep_schedules, planned
from orchestrator.sealing import Sealer
from orchestrator.signing import derived
from orchestrator.single_call import call_definition
from tests.integration.web.desk import KEY
from tests.servers import RedisServer
from tests.system.installation import ROOT, Installation, definition, until
from tests.system.services import Reply, Services

SEALER = Sealer([KEY])


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(
    request: pytest.FixtureRequest,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    tmp_path: Path,
    redis_session: RedisServer,
    services: Services,
) -> Iterator[Installation]:
    """Two worker processes that know where the services are."""
    with redis_session.client() as client:
        client.flushall()
    with fresh_database(request.param) as url:
        installation = Installation(url, redis_session.url, tmp_path)
        installation.environment |= {
            "ORCHESTRATOR_VAR_SERVICES_URL": services.url,
            "ORCHESTRATOR_ENCRYPTION_KEY": KEY,
        }
        try:
            installation.add_workers(2)
            yield installation
        finally:
            installation.close()


def starts(pair: Installation) -> list[str]:
    with pair.database.reading() as connection:
        return list(connection.execute(select(workflows.c.start_key).order_by(workflows.c.start_key)).scalars())


def test_each_tick_starts_one_workflow_though_a_worker_is_killed(pair: Installation, services: Services) -> None:
    """A tick a second, two workers, one of them killed while they tick: none is made twice, none is left out."""
    ticking = definition(services.url, {"only": {}})
    create(pair.ledger, planned("often", ticking, Schedule(Rhythm(every=1.0), "all"), SEALER))
    until(lambda: len(starts(pair)) >= 3, 20, "three ticks")
    os.killpg(pair.workers[0].pid, signal.SIGKILL)
    until(lambda: len(starts(pair)) >= 8, 20, "eight ticks")
    pause(pair.ledger, "often")
    ticks = [datetime.fromisoformat(key.split(":", 2)[2]).timestamp() for key in starts(pair)]
    assert {round(later - earlier, 1) for earlier, later in pairwise(ticks)} == {1.0}
    with pair.database.reading() as connection:
        ids = list(connection.execute(select(workflows.c.id)).scalars())
    assert all(pair.wait(one)["status"] == "completed" for one in ids)
    assert len({call.headers["x-workflow-id"] for call in services.books}) == len(ids)


def test_the_example_is_started_by_its_schedule_and_its_end_is_told(pair: Installation, services: Services) -> None:
    """Signed with the installation's own secret, as the official library wants it."""
    services.answer(charge_payment=Reply(body={"transactionId": "t-1"}), renewals=[Reply(503), Reply()])
    renewal = read_file(ROOT / "workflows/examples/renewal.yaml")
    keep_schedules(pair.ledger, {renewal.type: renewal}, SEALER)
    started = trigger(pair.ledger, "definition:renewal", "test")
    pair.publish(started.publication)
    assert pair.wait(started.workflow_id)["output"] == {"transactionId": "t-1"}
    until(lambda: len(services.of("renewals")) == 2, 30, "the webhook to be told, at its second try")
    first, second = services.of("renewals")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    raw = json.dumps(second.body, separators=(",", ":"), ensure_ascii=False)
    message = Webhook(derived([KEY])[0]).verify(raw, second.headers)
    assert (message["type"], message["data"]["output"]) == ("workflow.completed", {"transactionId": "t-1"})
    until(lambda: deliveries_page(pair.ledger)["deliveries"][0]["status"] == "delivered", 10, "the log to say so")


def test_a_receiver_that_hangs_holds_up_no_workflow(pair: Installation, services: Services) -> None:
    """Nor the call of the next task."""
    services.answer(hangs=Reply(delay=12))
    began = time.monotonic()
    for number in range(10):
        context = {"targetUrl": f"{services.url}/job", "payload": {"n": number}}
        wanted = Start(context, webhook_url=f"{services.url}/hangs")
        started = start(pair.ledger, call_definition(1, 5.0), wanted)
        pair.publish(started.publication)
        assert pair.wait(started.workflow_id)["status"] == "completed"
    assert time.monotonic() - began < 10
    assert [call.body["n"] for call in services.of("job")] == list(range(10))
