"""One installation for each kind of database, shared by the module's tests; services with empty books for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Databases, RedisServer
from tests.system.installation import Installation, installed
from tests.system.services import Services


@pytest.fixture(scope="session")
def _server() -> Iterator[Services]:
    with Services() as server:
        yield server


@pytest.fixture
def services(_server: Services) -> Services:
    """The services, with empty books and agreeable."""
    _server.reset()
    return _server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def orchestrator(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_session: RedisServer
) -> Iterator[Installation]:
    """A running installation with one worker process on each kind of database."""
    folder: Path = tmp_path_factory.mktemp("installation")
    with redis_session.client() as client:
        client.flushall()
    if request.param == "sqlite":
        with installed(f"sqlite:///{folder / 'ledger.sqlite3'}", redis_session.url, folder) as installation:
            yield installation
        return
    databases: Databases = request.getfixturevalue("databases")
    url = databases.create()
    try:
        with installed(url, redis_session.url, folder) as installation:
            yield installation
    finally:
        databases.drop(url)
