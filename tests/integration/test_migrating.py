"""Migrating an empty database gives exactly the tables that the ledger works with."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate, pending
from orchestrator.ledger.tables import metadata
from tests.servers import Databases


@pytest.fixture
def migrated(database_url: str) -> Iterator[Database]:
    """An empty database after every migration."""
    database = Database(database_url)
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def created(migrated: Database, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of the same kind whose tables SQLAlchemy made as they are written down."""
    if not migrated.postgresql:
        database = Database(f"{migrated.engine.url}.created")
        metadata.create_all(database.engine)
        yield database
        database.close()
        return
    databases: Databases = request.getfixturevalue("databases")
    url = databases.create()
    database = Database(url)
    metadata.create_all(database.engine)
    yield database
    database.close()
    databases.drop(url)


def test_nothing_is_missing_and_nothing_is_too_much(migrated: Database) -> None:
    """Alembic would not know what to change."""
    with migrated.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    assert pending(migrated) is None


def test_the_indices_are_the_same_with_their_conditions(migrated: Database, created: Database) -> None:
    """Which rows an index holds is not compared by Alembic: a whole index would cost every write."""
    assert indices(migrated) == indices(created)


def test_columns_and_keys_are_the_same(migrated: Database, created: Database) -> None:
    """As the database itself tells them: types, what may be null, keys, options."""
    assert tables(migrated) == tables(created)


def test_migrating_twice_changes_nothing(migrated: Database) -> None:
    """Every server that starts migrates."""
    migrate(migrated)
    assert pending(migrated) is None


def indices(database: Database) -> dict[str, str]:
    """Each index as the database would make it again."""
    query = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename <> 'alembic_version'"
        " AND schemaname NOT IN ('pg_catalog', 'information_schema')"
        if database.postgresql
        else "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name <> 'alembic_version'"
    )
    with database.reading() as connection:
        found = connection.execute(text(query)).all()
    return {name: " ".join(str(made).replace('"', "").split()) for name, made in found}


def tables(database: Database) -> dict[str, object]:
    """Each table as the database describes it."""
    seen = inspect(database.engine)
    options = "SELECT relname, reloptions FROM pg_class WHERE relkind = 'r' AND reloptions IS NOT NULL"
    described: dict[str, object] = {}
    for name in metadata.tables:
        columns = {each["name"]: (str(each["type"]), each["nullable"]) for each in seen.get_columns(name)}
        described[name] = (columns, seen.get_pk_constraint(name)["constrained_columns"], seen.get_foreign_keys(name))
    if database.postgresql:
        with database.reading() as connection:
            described["options"] = {row.relname: row.reloptions for row in connection.execute(text(options))}
    return described
