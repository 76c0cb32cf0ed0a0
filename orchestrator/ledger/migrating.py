"""Bringing the tables to the form that this release needs (`orchestrator migrate`), with Alembic."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from orchestrator.ledger.engine import Database
from orchestrator.settings import bundled

_ONE_AT_A_TIME = 7_330_113_017_104


def migrate(database: Database) -> None:
    """Apply every migration that is missing. Several processes may ask at once: one does it, the others wait."""
    with database.transaction() as connection:
        if database.postgresql:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
        if _current(connection) != latest():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def pending(database: Database) -> str | None:
    """The revision that the tables should have and do not have, None where all is well."""
    with database.reading() as connection:
        return None if _current(connection) == latest() else latest()


def latest() -> str:
    """The newest revision that this release knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "migrations/versions is empty"
    return head


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(bundled("migrations")))
    config.set_main_option("path_separator", "os")
    return config
