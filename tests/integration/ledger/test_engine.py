"""What an error of the database means to those who work on it."""

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import Unavailable
from orchestrator.jsontype import Json
from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import workers
from tests.integration.ledger.play import Play


def write_on_standby(database: Database) -> None:
    """As far as one server can be one."""
    with database.transaction() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(text("CREATE TABLE any_table (any_column int)"))


def twice(database: Database, worker: dict[str, Json]) -> None:
    """Two rows with one key."""
    with database.transaction() as connection:
        connection.execute(insert(workers), worker)
        connection.execute(insert(workers), worker)


def test_a_standby_is_a_database_that_is_away(postgres_url: str) -> None:
    """It refuses to write: an outcome in hand waits, as for a server that restarts, and then connects anew."""
    database = Database(postgres_url)
    try:
        with database.reading() as connection:
            before = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with pytest.raises(Unavailable, match="read-only"):
            write_on_standby(database)
        with database.reading() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != before
    finally:
        database.close()


def test_the_text_of_an_error_holds_nothing_that_was_written(play: Play) -> None:
    """It is logged, and Celery's events carry it to Redis."""
    worker = {"name": "worker-1", "host": "4111111111111111", "pid": 1, "started_at": 0.0, "seen_until": 0.0}
    with pytest.raises(IntegrityError) as raised:
        twice(play.ledger.database, worker)
    assert "4111111111111111" not in str(raised.value)
