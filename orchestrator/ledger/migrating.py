"""Bringing the tables to the form that this release needs (`orchestrator migrate`), with Alembic."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from orchestrator.errors import SettingsError
from orchestrator.ledger.engine import Database
from orchestrator.settings import PREFIX, bundled

_ONE_AT_A_TIME = 7_330_113_017_104


def migrate(database: Database) -> None:
    """Apply every migration that is missing. Several processes may ask at once: one does it, the others wait.

    Raises SettingsError where the tables belong to a newer release.
    """
    with database.transaction() as connection:
        if database.postgresql:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
        current = _current(connection)
        if current != latest():
            config = _config()
            _check_known(current, config)
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


def _check_known(current: str | None, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise SettingsError(
            f"{PREFIX}DATABASE_URL: the tables are at revision {current}, which this release does not know; "
            "a newer one has been here: install that"
        )


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(bundled("migrations")))
    config.set_main_option("path_separator", "os")
    return config
