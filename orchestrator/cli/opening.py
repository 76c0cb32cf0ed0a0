"""What a command holds while it works on this installation: the database, the ledger in it, a way to send messages."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from orchestrator.errors import SettingsError, Unavailable
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate, pending
from orchestrator.logs import set_up
from orchestrator.settings import PREFIX, Settings
from orchestrator.urls import masked
from orchestrator.workflow import Publication

PATIENCE = 60.0
"""Seconds that servers wait for a database which starts beside them, as in compose."""


@contextmanager
def opened_database(url: str) -> Iterator[Database]:
    """The database as it is, closed after the block.

    Raises Unavailable for a SQLite file that is not there: opening it would leave an empty one behind.
    """
    database = Database(url)
    try:
        file = _file(database)
        if file is not None and not file.exists():
            raise Unavailable(
                f"there is no ledger at {file} yet; `orchestrator up` and `orchestrator migrate` make it. If one is "
                f"elsewhere: run this in its folder, or set {PREFIX}DATA or {PREFIX}DATABASE_URL"
            )
        _check_kind(file)
        yield database
    finally:
        database.close()


@contextmanager
def opened_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger, its tables as this release needs them; raises Unavailable where they are not."""
    set_up("WARNING", settings.log_format)
    with opened_database(settings.database_url) as database:
        if pending(database) is not None:
            raise Unavailable("the ledger's tables are not those of this release; bring them up: orchestrator migrate")
        yield Ledger(database, settings.vars, destinations=len(settings.notify))


def bring_up_tables(settings: Settings, patience: float = 0.0) -> None:
    """Make what is missing: data folder, SQLite file, tables. Changes nothing where all is well.

    A database that cannot be reached is tried for `patience` seconds, then that is Unavailable.
    """
    settings.prepare()
    database = Database(settings.database_url)
    give_up_at = time.monotonic() + patience
    try:
        if (file := _file(database)) is not None:
            _make(file.parent)
            _check_kind(file)
        while True:
            try:
                return migrate(database)
            except Unavailable as error:
                if time.monotonic() > give_up_at:
                    raise Unavailable(
                        f"{masked(settings.database_url)} cannot be used: {error}\nStart the database, "
                        f"make it (createdb), or correct {PREFIX}DATABASE_URL"
                    ) from error
                click.echo(f"waiting for the database: {error}", err=True)
            time.sleep(2)
    finally:
        database.close()


def tell_if_no_redis(settings: Settings) -> None:
    """Say it where none is configured and the embedded one does not run; it may come yet, so this is no error."""
    from orchestrator.embedded import embedded_pid

    if settings.redis_url is None and embedded_pid(settings.data) is None:
        click.echo(
            f"no Redis: {PREFIX}REDIS_URL is not set, and no `orchestrator up` runs on {settings.data}; "
            "set it, or use `orchestrator up`, which brings its own. Until then nothing is sent",
            err=True,
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{PREFIX}DATABASE_URL: {folder} cannot be made: {error.strerror}") from error


def _check_kind(file: Path | None) -> None:
    """Raise SettingsError for a file that holds something else (sqlite.org/fileformat.html, section 1.3)."""
    if file is None or not file.is_file():
        return
    with file.open("rb") as opened:
        if opened.read(16) not in (b"", b"SQLite format 3\x00"):
            raise SettingsError(f"{PREFIX}DATABASE_URL: {file} is no SQLite database; name another file")


def sender() -> Callable[[Publication], None]:
    """How messages are sent: at once if Redis answers, else by the reconciler of a worker."""
    from tasks import step  # Celery costs most of a second, and most commands send nothing
    from tasks.dispatch import FEW, Dispatch

    return Dispatch(step, at_once=FEW)


def _file(database: Database) -> Path | None:
    name = database.engine.url.database
    return None if database.postgresql or not name or name.startswith("file:") else Path(name)
