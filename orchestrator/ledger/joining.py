"""A start within somebody else's transaction: it is there when theirs is committed, and only then."""

from contextlib import AbstractContextManager, nullcontext

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from orchestrator.definition import Definition
from orchestrator.errors import SettingsError
from orchestrator.ledger.definitions import Definitions
from orchestrator.ledger.engine import now_in
from orchestrator.ledger.starting import Start, Started, existing_in, write_start

_SUPPORTED = ("postgresql", "sqlite")
_NO_TABLE = "42P01"


def start_within(connection: Connection, definition: Definition, wanted: Start) -> Started:
    """Write the workflow by the caller's connection; nothing is committed, and nothing of the caller's rolled back.

    Raises StartKeyReused, and SettingsError where the connection is none that a workflow can be started by: another
    kind of database, one without the ledger's tables, one that commits every statement by itself.
    """
    _check(connection)
    for last in (False, True):
        try:
            with _apart(connection):
                return _found_or_written(connection, definition, wanted)
        except IntegrityError:
            # Somebody else used the key between the look and the write, and has committed by now.
            if last:
                raise
        except DBAPIError as error:
            if _no_tables(error):
                raise SettingsError(
                    "the ledger's tables are not in the database of this transaction; it must be that of "
                    "ORCHESTRATOR_DATABASE_URL, brought up to date by `orchestrator migrate`"
                ) from error
            raise
    raise AssertionError("the second try returns or raises")


def _apart(connection: Connection) -> AbstractContextManager[object]:
    """What fails in it leaves the caller's transaction as it was.

    A statement that fails does so in SQLite anyway; and pysqlite would end the transaction with the savepoint.
    """
    return connection.begin_nested() if connection.dialect.name == "postgresql" else nullcontext()


def _found_or_written(connection: Connection, definition: Definition, wanted: Start) -> Started:
    # What a transaction wrote that may yet be rolled back must not count as known: each start is on its own.
    known = Definitions()
    # First of all a write. A SQLite transaction that has read cannot write once another one has been committed.
    known.keep(connection, definition, now_in(connection))
    known.remember(definition)
    found = None if wanted.key is None else existing_in(connection, definition, wanted)
    return found or write_start(connection, known, definition, wanted)


def _check(connection: Connection) -> None:
    if connection.dialect.name not in _SUPPORTED:
        raise SettingsError(f"a workflow is started by PostgreSQL or SQLite, and this is {connection.dialect.name}")
    if _commits_by_itself(connection):
        raise SettingsError(
            "this connection commits every statement by itself (AUTOCOMMIT), so there is no transaction to join"
        )


def _commits_by_itself(connection: Connection) -> bool:
    raw = connection.connection.dbapi_connection
    if connection.dialect.name == "postgresql":
        return bool(getattr(raw, "autocommit", False))
    return getattr(raw, "isolation_level", "") is None and not getattr(raw, "in_transaction", True)


def _no_tables(error: DBAPIError) -> bool:
    """Whether the caller's database is one that the ledger is not in."""
    if getattr(error.orig, "sqlstate", None) == _NO_TABLE or getattr(error.orig, "pgcode", None) == _NO_TABLE:
        return True
    return isinstance(error, OperationalError) and "no such table" in str(error.orig)
