"""A step with `forEach` on real workers: one call an item of a list that is known only at run time.

Pattern 14 of the Workflow Patterns Initiative: multiple instances with a priori run-time knowledge.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from orchestrator.jsontype import Json
from orchestrator.ledger.rerunning import rerun
from tests.servers import RedisServer
from tests.system.installation import Installation, definition, installed, until
from tests.system.services import Reply, Services

Databases = Callable[[str], AbstractContextManager[str]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Which kind."""
    return str(request.param)


def each(
    services: Services, count: int, *, tolerate: int | str = 0, parallel: int = 20, **own: Json
) -> dict[str, Json]:
    """`list` gives so many items, `send` is called for each of them, `report` reads the results."""
    listed = [{"id": f"i-{place}", "n": place} for place in range(count)]
    services.answer(list=Reply(body={"items": listed}))
    return {
        "list": {"next": ["send"]},
        "send": {
            "targetUrl": f"{services.url}/send-${{index}}",
            "forEach": {"items": "${steps.list.result.items}", "maxParallel": parallel, "tolerate": tolerate},
            "payload": {"id": "${item.id}"},
            "result": "{sent: response.body.by}",
            "compensate": {
                "targetUrl": f"{services.url}/take-back",
                "payload": {"id": "${item.id}", "n": "${index}", "sent": "${steps.send.result.sent}"},
            },
            "next": ["report"],
            **own,
        },
        "report": {"payload": {"sent": "${steps.send.result}"}},
    }


def test_each_item_is_called_once_and_the_results_are_in_order(orchestrator: Installation, services: Services) -> None:
    """A later step reads one list."""
    steps = each(services, 50)
    workflow = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(workflow)["status"] == "completed"
    assert services.called()[0] == "list"
    assert services.called()[-1] == "report"
    calls = [call for call in services.books if call.service.startswith("send")]
    assert len({call.key for call in calls}) == len(calls) == 50
    assert {call.service: call.body for call in calls} == {f"send-{i}": {"id": f"i-{i}"} for i in range(50)}
    assert services.of("report")[0].body == {"sent": [{"sent": f"send-{i}"} for i in range(50)]}


def test_nobody_is_called_for_an_empty_list(orchestrator: Installation, services: Services) -> None:
    """The step completes with an empty list."""
    workflow = orchestrator.start(definition(services.url, each(services, 0)))
    assert orchestrator.wait(workflow)["status"] == "completed"
    assert services.called() == ["list", "report"]
    assert services.of("report")[0].body == {"sent": []}


def test_what_is_no_list_fails_the_step(orchestrator: Installation, services: Services) -> None:
    """And says what it is."""
    steps = each(services, 1)
    services.answer(list=Reply(body={"items": {"a": 1}}))
    row = orchestrator.wait(orchestrator.start(definition(services.url, steps)))
    assert row["status"] == "failed"
    assert "must come out as a list" in row["error"]["message"]
    assert services.called() == ["list"]


def test_tolerated_failures_leave_holes_and_an_error_that_lists_them(
    orchestrator: Installation, services: Services
) -> None:
    """What follows reads both."""
    steps = each(services, 20, tolerate="10%")
    steps["report"]["payload"]["failed"] = "${steps.send.error.failed}"  # type: ignore[index,call-overload]
    listed = {"items": [{"id": f"i-{place}"} for place in range(20)]}
    services.answer(list=Reply(body=listed), send_3=Reply(402), send_11=Reply(402))
    workflow = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(workflow)["status"] == "completed"
    [call] = services.of("report")
    assert call.body["failed"] == [3, 11]
    assert [place for place, sent in enumerate(call.body["sent"]) if sent is None] == [3, 11]
    assert "take-back" not in services.called()


def test_more_failures_than_tolerated_undo_each_item(orchestrator: Installation, services: Services) -> None:
    """With the item, its place and its result; nothing is started after that."""
    steps = each(services, 30, parallel=5)
    listed = {"items": [{"id": f"i-{place}"} for place in range(30)]}
    services.answer(list=Reply(body=listed), send_7=Reply(402))
    workflow = orchestrator.start(definition(services.url, steps))
    row = orchestrator.wait(workflow)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    assert "send[7]" in row["error"]["message"]
    done = {call.service for call in services.books if call.service.startswith("send")} - {"send-7"}
    assert len(done) < 13
    undone = [call.body for call in services.of("take-back")]
    assert {f"send-{body['n']}" for body in undone} == done
    assert all(body == {"id": f"i-{body['n']}", "n": body["n"], "sent": f"send-{body['n']}"} for body in undone)


def test_a_retry_sends_only_the_items_that_failed(orchestrator: Installation, services: Services) -> None:
    """The list is not asked for again, nor is whoever had completed."""
    steps = each(services, 12, parallel=12)
    del steps["send"]["compensate"]  # type: ignore[attr-defined]
    listed = {"items": [{"id": f"i-{place}"} for place in range(12)]}
    services.answer(list=Reply(body=listed), send_5=[Reply(402), Reply()])
    workflow = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(workflow)["status"] == "failed"
    orchestrator.control(workflow, "retry")
    assert orchestrator.wait(workflow)["status"] == "completed"
    calls = Counter(services.called())
    assert calls == Counter(["list", "report", "send-5", *(f"send-{place}" for place in range(12))])


def test_a_copy_takes_over_the_items_and_undoes_them(orchestrator: Installation, services: Services) -> None:
    """Where it fails after the step, each item's undo has what the original's call gave."""
    steps = each(services, 3)
    workflow = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(workflow)["status"] == "completed"
    services.answer(report=Reply(402))
    copy = rerun(orchestrator.ledger, workflow, "ada", start_from="report")
    orchestrator.publish(copy.publication)
    assert orchestrator.wait(copy.workflow_id)["compensation"] == "completed"
    undone = sorted((call.body for call in services.of("take-back")), key=lambda body: body["n"])
    assert undone == [{"id": f"i-{place}", "n": place, "sent": f"send-{place}"} for place in range(3)]


def test_a_killed_worker_costs_no_item_and_none_is_done_twice(
    services: Services, fresh_database: Databases, tmp_path: Path, redis_session: RedisServer, database: str
) -> None:
    """A thousand items, a kill -9 in the middle, and Redis emptied: the books of services that honour keys say once."""
    steps = each(services, 1_000, parallel=50)
    with redis_session.client() as client:
        client.flushall()
        with fresh_database(database) as url, installed(url, redis_session.url, tmp_path, workers=2) as pair:
            workflow = pair.start(definition(services.url, steps))
            until(lambda: len(services.books) > 300, 60, "a third of the items to be called")
            os.killpg(pair.workers[0].pid, signal.SIGKILL)
            until(lambda: len(services.books) > 600, 60, "more items to be called")
            client.flushall()
            assert pair.wait(workflow, seconds=120)["status"] == "completed"
            result = pair.steps(workflow)["send"]["result"]
    calls = [call for call in services.books if call.service.startswith("send")]
    assert len({(call.service, call.key) for call in calls}) == len({call.service for call in calls}) == 1_000
    assert len(calls) <= 1_000 + 50
    assert result == [{"sent": f"send-{place}"} for place in range(1_000)]
    assert services.of("report")[0].body == {"sent": result}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_items_cost_a_hundred_times_as_much_as_a_hundred(
    services: Services, fresh_database: Databases, tmp_path: Path, redis_session: RedisServer, database: str
) -> None:
    """Linear in time and in bytes: no item's settle looks at the others."""
    took: dict[int, float] = {}
    with fresh_database(database) as url, installed(url, redis_session.url, tmp_path, workers=1) as one:
        for count in (100, 1_000, 10_000):
            services.reset()
            steps = each(services, count, parallel=50)
            began = time.monotonic()
            workflow = one.start(definition(services.url, steps))
            assert one.wait(workflow, seconds=600)["status"] == "completed"
            took[count] = (time.monotonic() - began) / count * 1000
            calls = [call for call in services.books if call.service.startswith("send")]
            assert len({call.key for call in calls}) == count
            size = len(json.dumps(one.steps(workflow)["send"]["items"]))
            assert size < 200
    assert took[10_000] < 2 * took[1_000] + 1, f"milliseconds an item: {took}"
