"""What the people who run it see of real workers: they are told, the logs can be read, what is old is gone."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import select, update

from orchestrator.jsontype import Json
from orchestrator.ledger.tables import notices, workflows
from tests.integration.ledger.receiver import Receiver
from tests.servers import RedisServer
from tests.system.installation import Installation, definition, installed, until
from tests.system.services import Reply, Services

PUBLIC = "https://flows.example"


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    """Where ops are told; it takes what it is sent."""
    _receiver.status = 200
    return _receiver


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def own(
    request: pytest.FixtureRequest,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
    redis_session: RedisServer,
    _receiver: Receiver,
) -> Iterator[Installation]:
    """Two workers that tell ops, and write JSON lines."""
    with redis_session.client() as client:
        client.flushall()
    settings = {
        "ORCHESTRATOR_NOTIFY": _receiver.url("/hook?token=topsecret"),
        "ORCHESTRATOR_PUBLIC_URL": PUBLIC,
        "ORCHESTRATOR_LOG_FORMAT": "json",
        "ORCHESTRATOR_RETENTION": "60s",
    }
    folder: Path = tmp_path_factory.mktemp("installation")
    with (
        fresh_database(request.param) as url,
        installed(url, redis_session.url, folder, workers=2, **settings) as installation,
    ):
        yield installation


def logged(installation: Installation) -> list[Json]:
    """Every line of every worker, each of which is an object, but for what Celery prints at its end."""
    lines = [line for path in installation.folder.glob("worker-*.log") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_ops_are_told_once_of_each_failure_by_two_workers(
    own: Installation, services: Services, receiver: Receiver
) -> None:
    """While others complete, of which nobody is told."""
    services.answer(shipment=Reply(422, {"card": "topsecret"}))
    steps = {"payment": {"next": ["shipment"]}, "shipment": {}}
    failing = [own.start(definition(services.url, steps), {"card": "topsecret"}) for _ in range(10)]
    well = own.start(definition(services.url, {"payment": {}}))
    assert {own.wait(workflow)["status"] for workflow in failing} == {"failed"}
    assert own.wait(well)["status"] == "completed"
    until(lambda: not any(waiting(own, workflow) for workflow in failing), 30, "everything to be told")
    texts = receiver.texts()
    assert [sum(workflow in text for text in texts) for workflow in failing] == [1] * 10
    assert well not in "".join(texts)
    assert "topsecret" not in "".join(texts)
    assert f"{PUBLIC}/workflows/{failing[0]}" in "".join(texts)


def test_each_failure_is_a_line_of_json_and_no_secret_is_in_any(
    own: Installation, services: Services, receiver: Receiver
) -> None:
    """With the ids as fields; also where ops cannot be told."""
    receiver.status = 500
    services.answer(shipment=Reply(422, {"card": "topsecret"}))
    workflow = own.start(definition(services.url, {"shipment": {}}), {"card": "topsecret"})
    own.wait(workflow)
    until(lambda: any(row["error"] for row in waiting(own, workflow)), 20, "a try to tell")
    ours = [line for line in logged(own) if line.get("workflowId") == workflow]
    assert [line["event"] for line in ours] == ["step.failed", "workflow.failing", "workflow.failed"]
    assert (ours[0]["type"], ours[0]["step"], ours[0]["status"]) == ("tested", "shipment", 422)
    until(lambda: any("could not be told" in line.get("message", "") for line in logged(own)), 5, "a line about it")
    assert "topsecret" not in "".join(path.read_text() for path in own.folder.glob("worker-*.log"))


def test_what_is_long_finished_is_gone_and_what_is_not_stays(own: Installation, services: Services) -> None:
    """A worker deletes it beside its work."""
    old, new = (own.start(definition(services.url, {"payment": {}})) for _ in range(2))
    own.wait(old)
    own.wait(new)
    with own.database.transaction() as connection:
        connection.execute(update(workflows).where(workflows.c.id == old).values(completed_at=1.0))
    own.add_worker()  # those that were idle look once a minute
    until(lambda: old not in stored(own), 20, "the old one to be deleted")
    assert new in stored(own)


def waiting(installation: Installation, workflow: str) -> list[Json]:
    """The notices about a workflow that are not told yet."""
    query = select(notices).where(notices.c.told_at.is_(None), notices.c.workflow_id == workflow)
    with installation.database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def stored(installation: Installation) -> list[str]:
    """The ids of all workflows."""
    with installation.database.reading() as connection:
        return list(connection.execute(select(workflows.c.id)).scalars())
