"""The database: whether it answers, has this release's tables, and agrees with this host on the time."""

import time
from collections.abc import Iterator

from orchestrator.cli.checks.finding import Finding, doubtful, well, wrong
from orchestrator.cli.opening import opened_database
from orchestrator.errors import SettingsError, Unavailable
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import pending
from orchestrator.settings import Settings
from orchestrator.urls import masked

MOST_SKEW = 2.0
"""Seconds. The ledger's own times all come from the database; this host's clock only judges `Retry-After` dates."""


def check_ledger(settings: Settings) -> Iterator[Finding]:
    """What a connection shows."""
    try:
        with opened_database(settings.database_url) as database:
            yield from _tables(settings, database)
            if database.postgresql:
                yield _clock(skew_of(database))
    except SettingsError as error:
        yield wrong("ledger", str(error), "correct it in the environment")
    except Unavailable as error:
        yield wrong(
            "ledger",
            f"{masked(settings.database_url)} cannot be reached: {error}",
            "start the database or make it (createdb, orchestrator migrate), or correct ORCHESTRATOR_DATABASE_URL",
        )


def skew_of(database: Database) -> float:
    """Seconds by which the database's clock is ahead of this host's, the way there and back taken into account."""
    with database.reading() as connection:
        database.now(connection)  # the first statement may open the connection
        before = time.time()
        theirs = database.now(connection)
        return theirs - (before + time.time()) / 2


def _tables(settings: Settings, database: Database) -> Iterator[Finding]:
    missing = pending(database)
    if missing is None:
        yield well("ledger", f"{masked(settings.database_url)} answers, with this release's tables")
    else:
        yield wrong("ledger", f"its tables are not at revision {missing}", "orchestrator migrate")


def _clock(skew: float) -> Finding:
    if abs(skew) <= MOST_SKEW:
        return well("clock", f"{abs(skew) * 1000:.0f} ms from the database's")
    direction = "behind" if skew > 0 else "ahead of"
    return doubtful(
        "clock", f"this host's clock is {abs(skew):.1f} s {direction} the database's", "let both follow NTP (chrony)"
    )
