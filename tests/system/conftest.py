"""One installation for each kind of database, shared by tests that kill nothing; services with empty books for each."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.servers import RedisServer
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


@pytest.fixture(scope="package")
def _broker(server_folder: Path) -> Iterator[RedisServer]:
    """A Redis of the shared installations: the session's is emptied by whoever asks for it."""
    folder = server_folder / "system"
    folder.mkdir(exist_ok=True)  # packages are begun more than once where tests are spread over processes
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def orchestrator(
    request: pytest.FixtureRequest,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
    _broker: RedisServer,
) -> Iterator[Installation]:
    """A running installation with one worker process on each kind of database; one of them runs at a time."""
    with _broker.client() as client:
        client.flushall()
    folder: Path = tmp_path_factory.mktemp("installation")
    with fresh_database(request.param) as url, installed(url, _broker.url, folder) as installation:
        yield installation
