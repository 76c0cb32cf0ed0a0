"""Two releases side by side, as while one is deployed: real workers, one of which knows more words than the other."""

import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import update

from orchestrator.jsontype import Json
from orchestrator.ledger.tables import definitions, steps
from tests.servers import RedisServer
from tests.system.installation import Installation, definition, installed, until
from tests.system.newer_release import FIELD, WORD
from tests.system.services import Services

CHAIN = {"payment": {"next": ["shipment"]}, "shipment": {"next": ["mail"]}, "mail": {}}
MANY = 6


def write_news(installation: Installation, version: str, document: Mapping[str, Json]) -> None:
    """The definition, as the next release has written it."""
    newer = {**document, "steps": {name: {**step, FIELD: "x"} for name, step in document["steps"].items()}}
    with installation.database.transaction() as connection:
        connection.execute(update(definitions).where(definitions.c.version == version).values(document=newer))


def wait_for_the_tide(installation: Installation, workflow_id: str) -> None:
    """The next release's worker has parked the first step, and its time has come."""
    here = (steps.c.workflow_id == workflow_id, steps.c.name == "payment")
    with installation.database.transaction() as connection:
        connection.execute(update(steps).where(*here).values(status="waiting", waiting_for=WORD, wake_at=0))


def started(installation: Installation, workflow_id: str) -> list[Mapping[str, Json]]:
    """Each attempt's beginning."""
    return [event for event in installation.events(workflow_id) if event["type"] == "step.started"]


@pytest.mark.slow
def test_a_worker_of_the_next_release_does_what_the_one_beside_it_cannot_read(
    fresh_database: Callable[[str], AbstractContextManager[str]],
    redis_server: RedisServer,
    services: Services,
    tmp_path: Path,
) -> None:
    """Whoever gets the messages: nothing is failed, lost or called twice; once the old one has ended, all is done."""
    with (
        fresh_database("postgresql") as url,
        installed(url, redis_server.url, tmp_path) as installation,
    ):
        old = installation.workers[0]
        newer = installation.add_worker(sys.executable, "-m", "tests.system.newer_release", "-l", "WARNING")
        known = [installation.start(definition(services.url, CHAIN)) for _ in range(MANY)]
        flow = definition(services.url, {**CHAIN, "mail": {"retries": 7}})
        unknown = [installation.start(flow, send=False) for _ in range(MANY)]
        write_news(installation, flow.version, flow.document)
        parked = installation.start(definition(services.url, CHAIN), send=False)
        wait_for_the_tide(installation, parked)
        for each in unknown:
            installation.send_again(each, "payment")
        assert {installation.wait(each)["status"] for each in known} == {"completed"}
        until(lambda: "left to" in installation.log(), 20, "the old one to be given what it cannot read")
        assert old.poll() is None
        old.send_signal(signal.SIGTERM)
        for each in [*unknown, parked]:
            assert installation.wait(each)["status"] == "completed"
        assert set(services.keys().values()) == {1}
        by = {event["details"]["worker"] for each in unknown for event in started(installation, each)}
        assert {name.split(":")[1] for name in by} == {str(newer.pid)}
