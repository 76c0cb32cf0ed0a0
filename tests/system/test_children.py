"""Child workflows with real workers: started once, waited for, cancelled and undone with their parent."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.views import items_page, workflow_view
from orchestrator.reading import read_document
from tests.servers import RedisServer
from tests.system.installation import Installation, installed, until
from tests.system.services import Reply, Services


def child(url: str) -> Json:
    """Two steps that can be undone."""
    steps = {
        name: {"targetUrl": f"{url}/{name}", "compensate": {"targetUrl": f"{url}/un{name}"}} for name in ("book", "pay")
    }
    steps["book"]["next"] = ["pay"]
    return {"type": "trip", "steps": steps, "output": {"by": "${steps.pay.result.by}"}}


@pytest.fixture(params=["sqlite", "postgresql"])
def office(
    request: pytest.FixtureRequest,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    redis_server: RedisServer,
    services: Services,
    tmp_path: Path,
) -> Iterator[Installation]:
    """An installation of two workers whose folder of definitions holds the child."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "trip.json").write_text(json.dumps(child(services.url)))
    with (
        fresh_database(request.param) as url,
        installed(url, redis_server.url, tmp_path, workers=2, ORCHESTRATOR_DEFINITIONS=str(folder)) as installation,
    ):
        yield installation


def parent(url: str, **later: Json) -> Json:
    """A step that starts the child, and one after it."""
    steps = {"travel": {"workflow": "trip", "context": {"who": "ada"}, "next": ["last"]}, "last": later}
    whole = {
        name: step if "workflow" in step else {"targetUrl": f"{url}/last", "retries": 0, **step}
        for name, step in steps.items()
    }
    return {"type": "tested", "steps": whole}


def start(office: Installation, services: Services, **later: Json) -> str:
    """The parent, started."""
    return office.start(read_document(parent(services.url, **later)))


def child_of(office: Installation, workflow_id: str) -> Mapping[str, Json]:
    """The child's row, once it is there."""
    until(lambda: _child_id(office, workflow_id) is not None, 20, "the child to be started")
    found = _child_id(office, workflow_id)
    assert found is not None
    return office.row(found)


def _child_id(office: Installation, workflow_id: str) -> str | None:
    [travel] = [step for step in workflow_view(office.ledger, workflow_id)["steps"] if step["name"] == "travel"]
    child_id: str | None = travel["childId"]
    return child_id


def test_a_child_is_started_once_and_its_output_is_the_steps_result(office: Installation, services: Services) -> None:
    """And each knows the other."""
    workflow_id = start(office, services)
    assert office.wait(workflow_id)["status"] == "completed"
    row = child_of(office, workflow_id)
    assert row["status"] == "completed"
    assert row["context"] == {"who": "ada"}
    assert row["parent"]["workflow_id"] == workflow_id
    assert office.steps(workflow_id)["travel"]["result"] == {"by": "pay"}
    assert services.called() == ["book", "pay", "last"]


def test_a_child_that_completed_is_undone_with_its_parent(office: Installation, services: Services) -> None:
    """Against the order of its steps; it is then cancelled."""
    services.answer(last=Reply(402))
    workflow_id = start(office, services)
    row = office.wait(workflow_id)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    assert services.called() == ["book", "pay", "last", "unpay", "unbook"]
    found = child_of(office, workflow_id)
    assert (found["status"], found["compensation"]) == ("cancelled", "completed")


def test_a_child_that_fails_undoes_itself_and_fails_its_step(office: Installation, services: Services) -> None:
    """There is nothing left to undo for the parent."""
    services.answer(pay=Reply(402))
    workflow_id = start(office, services)
    row = office.wait(workflow_id)
    assert (row["status"], row["compensation"]) == ("failed", "none")
    assert row["error"]["kind"] == "child"
    assert services.called() == ["book", "pay", "unbook"]


def test_a_child_is_cancelled_with_its_parent(office: Installation, services: Services) -> None:
    """What it is doing is waited for, and undone."""
    services.answer(pay=Reply(delay=1.5))
    workflow_id = start(office, services)
    until(lambda: services.called() == ["book"], 20, "the first step")
    office.control(workflow_id, "cancel")
    assert office.wait(workflow_id)["status"] == "cancelled"
    assert services.called() == ["book", "pay", "unpay", "unbook"]
    assert child_of(office, workflow_id)["status"] == "cancelled"


def test_kills_and_an_emptied_redis_leave_one_child_and_a_parent_that_hears_of_it(
    office: Installation, services: Services, redis_server: RedisServer
) -> None:
    """Whatever was under way between the two is found by what the ledger knows."""
    services.answer(book=Reply(delay=0.3), pay=Reply(delay=0.3))
    ids = [start(office, services) for _ in range(6)]
    until(lambda: len(services.called()) >= 3, 20, "some calls")
    os.killpg(office.workers[0].pid, signal.SIGKILL)
    with redis_server.client() as client:
        client.flushall()
    rows = [office.wait(each, seconds=90) for each in ids]
    assert {row["status"] for row in rows} == {"completed"}
    assert services.called().count("last") == len(ids)
    with office.database.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM workflows WHERE type = 'trip'").scalar_one()
    assert count == len(ids)


def many(services: Services, **later: Json) -> Definition:
    """A child for each of three items, two at a time, and a step after them."""
    each = {"items": ["ada", "bob", "eve"], "maxParallel": 2}
    travel: Json = {"workflow": "trip", "forEach": each, "context": {"who": "${item}"}, "next": ["last"]}
    last = {"targetUrl": f"{services.url}/last", "retries": 0, "payload": {"all": "${steps.travel.result}"}, **later}
    return read_document({"type": "tested", "steps": {"travel": travel, "last": last}})


def test_a_child_for_each_item_of_a_list(office: Installation, services: Services) -> None:
    """Their outputs are the results, in order; each is shown with its item."""
    workflow_id = office.start(many(services))
    assert office.wait(workflow_id)["status"] == "completed"
    assert services.of("last")[0].body == {"all": [{"by": "pay"}] * 3}
    items = items_page(office.ledger, workflow_id, "travel")["items"]
    assert [office.row(item["childId"])["context"] for item in items] == [{"who": who} for who in ("ada", "bob", "eve")]
    assert services.called().count("book") == 3


def test_the_children_of_all_items_are_undone_with_their_parent(office: Installation, services: Services) -> None:
    """Each of them once, the whole of it."""
    services.answer(last=Reply(402))
    row = office.wait(office.start(many(services)), seconds=60)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    undos = [call.service for call in services.books if call.service.startswith("un")]
    assert sorted(undos) == ["unbook"] * 3 + ["unpay"] * 3
    assert max(services.keys().values()) == 1


def test_a_cancelled_parent_cancels_the_children_of_its_items(office: Installation, services: Services) -> None:
    """Those that were begun undo themselves; none is begun any more."""
    services.behaviour = lambda service, before, body: Reply(delay=1.0 if service == "pay" else 0.0)
    workflow_id = office.start(many(services))
    until(lambda: services.called().count("book") == 2, 20, "two children to be begun")
    office.control(workflow_id, "cancel")
    assert office.wait(workflow_id, seconds=60)["status"] == "cancelled"
    assert services.called().count("book") == services.called().count("unbook") == 2
    assert office.steps(workflow_id)["travel[2]"]["status"] == "pending"
