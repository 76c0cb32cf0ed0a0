"""Fixtures that every tier shares: real servers, started once a session, fresh for every test."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from tests.servers import Databases, PostgresServer, RedisServer

# How fast a machine draws examples is no property of the code.
settings.register_profile("any machine", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that a server which gave up root's rights can enter, as it cannot pytest's own."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_session(server_folder: Path) -> Iterator[RedisServer]:
    """One Redis for the session. Database 0 is emptied before each test that asks for `redis_url`."""
    folder = server_folder / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_url(redis_session: RedisServer) -> str:
    """An empty database of a real Redis."""
    with redis_session.client() as client:
        client.flushall()
    return redis_session.url


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, to be killed, restarted or paused."""
    server = RedisServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def databases(server_folder: Path) -> Iterator[Databases]:
    """A real PostgreSQL: the one in `ORCHESTRATOR_TEST_POSTGRES_URL`, else one of the session's own."""
    if given := os.environ.get("ORCHESTRATOR_TEST_POSTGRES_URL"):
        yield Databases(given.replace("postgresql+psycopg://", "postgresql://", 1))
        return
    server = PostgresServer(server_folder / "postgres")
    try:
        server.start()
        yield Databases(server.admin_url)
    finally:
        server.stop()


@pytest.fixture
def postgres_url(databases: Databases) -> Iterator[str]:
    """A fresh, empty PostgreSQL database, dropped after the test."""
    url = databases.create()
    try:
        yield url
    finally:
        databases.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database of each kind in turn."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture(scope="session")
def _postgres_ledger(databases: Databases) -> Iterator[str]:
    url = databases.create()
    database = Database(url)
    try:
        migrate(database)
        database.close()
        yield url
    finally:
        databases.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of each kind in turn for a ledger that nobody has written into; its tables may be there already."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    databases: Databases = request.getfixturevalue("databases")
    url: str = request.getfixturevalue("_postgres_ledger")
    try:
        yield url
    finally:
        databases.empty(url)


@pytest.fixture(scope="session")
def fresh_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], AbstractContextManager[str]]:
    """For what outlives one test: an empty database of the kind that is asked for, until the block ends."""

    @contextmanager
    def fresh(kind: str) -> Iterator[str]:
        if kind == "sqlite":
            yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'ledger.sqlite3'}"
            return
        databases: Databases = request.getfixturevalue("databases")
        url = databases.create()
        try:
            yield url
        finally:
            databases.drop(url)

    return fresh
