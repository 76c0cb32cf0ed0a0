"""Opening the database: SQLite in WAL mode with one writer at a time, or PostgreSQL through psycopg 3."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Engine,
    ExceptionContext,
    bindparam,
    create_engine,
    event,
    literal_column,
    select,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from orchestrator.errors import Unavailable
from orchestrator.jsontype import Json

BUSY_SECONDS = 30
"""How long a SQLite connection waits for another process's write to end."""


def compact(value: Json) -> str:
    """JSON as the ledger stores it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


SILENT_SECONDS = 10
"""How long PostgreSQL waits in the middle of a transaction for a client that was frozen or cut off, and we for it."""

_LOST_SERVER = {
    "connect_timeout": 5,
    # A host that is gone answers nothing, not even that: without these a statement waits for some 15 minutes.
    "keepalives_idle": SILENT_SECONDS // 2,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENT_SECONDS * 1000,
}


BY_INDEX = "by_index"
"""The execution option of connections on which statements are planned once (see `Database`)."""


class Database:
    """An engine, its clock, and its one way to write.

    `by_index`: for few statements that are made all the time and find their rows by keys. PostgreSQL plans them once
    and for any size of the tables, and always goes by the index.
    """

    def __init__(self, url: str, *, pool_size: int = 8, by_index: bool = False) -> None:
        self.engine = _open(url, pool_size, by_index)
        self.postgresql = self.engine.dialect.name == "postgresql"
        self._singles = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        unchanging = "REPEATABLE READ" if self.postgresql else "AUTOCOMMIT"
        self._snapshots = self.engine.execution_options(isolation_level=unchanging)
        # SQLite has one writer: the threads of this process queue here, fairly, instead of polling the file's lock.
        self._writer = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A read-write transaction, committed at the end of the block."""
        with _translated(), self._begun() as connection:
            yield connection

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        if self.postgresql:
            with self.engine.begin() as connection:
                yield connection
            return
        with self._writer, self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading; each statement sees the last commit."""
        with self.single() as connection:
            yield connection

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction of its own: one round trip, where others need three."""
        with _translated(), self._singles.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose statements all see the database as it was at the first of them. It blocks no writer."""
        with _translated(), self._snapshots.connect() as connection:
            if self.postgresql:
                yield connection
                return
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def now(self, connection: Connection) -> float:
        """Seconds since 1970 by the database server's clock, the one clock that all workers share."""
        return now_in(connection)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def now_in(connection: Connection) -> float:
    """The same, by any connection to the database."""
    return float(connection.execute(_NOW[connection.dialect.name]).scalar_one())


@contextmanager
def _translated() -> Iterator[None]:
    """Say `Unavailable` for everything that another try may cure: no connection, a cut one, a deadlock, a full disk."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable(str(error.__cause__ or error).strip()) from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _NO_TABLE:
            raise Unavailable("the ledger has no tables yet: run `orchestrator migrate`") from error
        if not error.connection_invalidated:
            raise
        raise Unavailable(str(error.__cause__ or error).strip()) from error


_NO_TABLE = "42P01"
"""PostgreSQL's `undefined_table`."""

_READ_ONLY = "25006"
"""PostgreSQL's `read_only_sql_transaction`: a standby that has not taken over yet, a primary that has stepped down."""

CLOCKS: dict[str, ColumnElement[float]] = {
    "postgresql": literal_column("extract(epoch FROM clock_timestamp())::double precision", Double),
    # SQLite's server is this host.
    "sqlite": bindparam("now", callable_=time.time, type_=Double),
}
"""Seconds since 1970 as an expression, for each kind of database."""

_NOW = {dialect: select(clock) for dialect, clock in CLOCKS.items()}


def _open(url: str, pool_size: int, by_index: bool) -> Engine:
    options: dict[str, Any] = {
        "json_serializer": compact,
        "json_deserializer": json.loads,
        "isolation_level": "AUTOCOMMIT",
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "poolclass": QueuePool,
        # The text of an error goes into logs and, by way of Celery's events, to Redis: no context, no result with it.
        "hide_parameters": True,
    }
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    options["isolation_level"] = "READ COMMITTED"
    engine = create_engine(url, pool_pre_ping=False, connect_args=_LOST_SERVER, **options)
    event.listen(engine, "connect", _prepare_postgresql)
    if by_index:
        event.listen(engine, "connect", _go_by_index)
        engine = engine.execution_options(**{BY_INDEX: True})
    event.listen(engine, "handle_error", _leave_standby)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # Whoever is frozen, or cut off, in the middle of a transaction holds the locks of its workflows meanwhile, and all
    # who want them wait. The server ends the transaction in his place.
    connection.execute(f"SET idle_in_transaction_session_timeout = '{SILENT_SECONDS}s'")
    connection.execute(f"SET tcp_user_timeout = '{SILENT_SECONDS}s'")
    connection.commit()


def _go_by_index(connection: Any, _record: object) -> None:
    for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
        connection.execute(f"SET {setting} = off")
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.commit()


def _leave_standby(context: ExceptionContext) -> None:
    """Whoever refuses to write is not the server that is wanted (any more): connect anew, as after a restart."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True
