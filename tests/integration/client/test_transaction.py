"""A workflow that is started within the caller's own transaction: with his rows, or not at all."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from orchestrator.client import Starter, start_workflow
from orchestrator.errors import ContextError, NotFound, SettingsError, StartKeyReused
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from orchestrator.ledger.views import workflow_view
from orchestrator.reading import read_document
from orchestrator.reconciling import reconcile
from orchestrator.sealing import Sealer
from orchestrator.workflow import Publication

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ORDER = read_document(
    {
        "type": "order",
        "input": {"type": "object", "required": ["amount"]},
        "sensitive": ["context.card"],
        "steps": {"pay": {"targetUrl": "http://s/pay", "next": ["ship"]}, "ship": {"targetUrl": "http://s/ship"}},
    }
)
CONTEXT: Json = {"amount": 42.5, "card": "4242"}


class NoQueue:
    """Nothing waits in it."""

    def oldest(self) -> list[tuple[str, str]]:
        """No message."""
        return []

    def in_hand(self) -> list[tuple[str, str]]:
        """No message."""
        return []


class Shop:
    """A program with a table of its own beside the ledger, and a ledger to see what came of it."""

    def __init__(self, url: str) -> None:
        self.ledger = Ledger(Database(url))
        migrate(self.ledger.database)
        self.engine: Engine = create_engine(url)
        self.session = sessionmaker(self.engine)
        self.sent: list[Publication] = []
        self.starter = Starter({"order": ORDER}, [KEY])
        self.sending = Starter({"order": ORDER}, [KEY], self.sent.append)
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE orders (id INTEGER)"))

    def place(self, session: Session, starter: Starter | None = None, **wish: Json) -> str:
        """One order with its workflow."""
        session.execute(text("INSERT INTO orders VALUES (1)"))
        return start_workflow(session, "order", CONTEXT, starter=starter or self.starter, **wish)

    def counted(self, *tables: str) -> list[int]:
        """The rows of each table."""
        with self.engine.connect() as connection:
            return [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]

    def begun(self) -> list[Publication]:
        """What the reconciler of a worker sends, looking once."""
        sent: list[Publication] = []
        reconcile(self.ledger, NoQueue(), sent.append)
        return [one for one in sent if one]


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """On a fresh database of each kind."""
    opened = Shop(database_url)
    yield opened
    opened.engine.dispose()
    opened.ledger.database.close()


def test_it_is_there_with_the_callers_rows_and_a_worker_begins_it(shop: Shop) -> None:
    """Whoever dies after the commit, as nobody sends anything in this process: here simply nothing more is done."""
    with shop.session.begin() as session:
        workflow = shop.place(session)
        assert shop.begun() == []
    assert shop.counted("orders", "workflows") == [1, 1]
    [publication] = shop.begun()
    assert [fragment.heads for fragment in publication.fragments] == [("pay",)]
    assert shop.begun() == []
    shown = workflow_view(shop.ledger, workflow)
    assert (shown["status"], shown["context"]["card"], shown["type"]) == ("running", "•••", "order")


def test_a_rollback_leaves_neither(shop: Shop) -> None:
    """Also where the caller's own statement fails after it."""
    with shop.session() as session:
        shop.place(session)
        session.rollback()
    with contextlib.suppress(ZeroDivisionError), shop.session.begin() as session:
        shop.place(session, shop.sending)
        raise ZeroDivisionError
    assert shop.counted("orders", "workflows", "steps", "events") == [0, 0, 0, 0]
    assert shop.begun() == shop.sent == []


def test_after_the_commit_the_first_messages_are_sent_where_somebody_sends_them(shop: Shop) -> None:
    """Not before, not for what was rolled back, not at the release of a savepoint; and once."""
    with shop.session() as session:
        with session.begin_nested():
            kept = shop.place(session, shop.sending)
        assert shop.sent == []
        session.commit()
        assert [one.workflow_id for one in shop.sent] == [kept]
        shop.place(session, shop.sending)
        session.rollback()
        session.commit()
    assert [one.workflow_id for one in shop.sent] == [kept]
    assert shop.begun() == []


def test_a_process_that_dies_between_commit_and_sending_loses_nothing(shop: Shop, database_url: str) -> None:
    """Killed in that very moment, in a process of its own; the reconciler finds what nobody claimed."""
    program = f"""
import os
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from orchestrator.client import Starter, start_workflow
from orchestrator.reading import read_document
starter = Starter({{"order": read_document({ORDER.document!r})}}, [{KEY!r}], lambda _: os._exit(9))
with Session(create_engine({database_url!r})) as session:
    start_workflow(session, "order", {{"amount": 1}}, starter=starter)
    session.commit()
"""
    died = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert died.returncode == 9
    assert shop.counted("workflows") == [1]
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE steps SET wake_at = wake_at - 60 WHERE wake_at IS NOT NULL"))
    [publication] = shop.begun()
    assert publication


def test_the_same_key_gives_the_same_workflow(shop: Shop) -> None:
    """Within the transaction and later; with another context it is refused, and the transaction goes on."""
    with shop.session.begin() as session:
        first = shop.place(session, key="order-1")
        assert shop.place(session, key="order-1") == first
    with shop.session.begin() as session:
        assert shop.place(session, key="order-1") == first
        with pytest.raises(StartKeyReused):
            start_workflow(session, "order", {"amount": 1}, key="order-1", starter=shop.starter)
        session.execute(text("INSERT INTO orders VALUES (2)"))
    assert shop.counted("orders", "workflows") == [4, 1]


def test_two_transactions_with_one_key_make_one_workflow(shop: Shop) -> None:
    """Who comes second waits for the first to end; his rows stay his."""
    ids: list[str] = []
    together = threading.Barrier(2)

    def place() -> None:
        together.wait()
        with shop.session.begin() as session:
            ids.append(start_workflow(session, "order", CONTEXT, key="same", starter=shop.starter))
            session.execute(text("INSERT INTO orders VALUES (1)"))

    threads = [threading.Thread(target=place) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert shop.counted("orders", "workflows") == [2, 1]


def test_what_cannot_be_started_leaves_the_transaction_usable(shop: Shop) -> None:
    """Every fault as the API tells it."""
    with shop.session.begin() as session:
        with pytest.raises(NotFound, match="did you mean order"):
            start_workflow(session, "ordr", {}, starter=shop.starter)
        with pytest.raises(ContextError, match="amount"):
            start_workflow(session, "order", {}, starter=shop.starter)
        with pytest.raises(ContextError, match="delay"):
            start_workflow(session, "order", CONTEXT, delay="soon", starter=shop.starter)
        with pytest.raises(SettingsError, match="ORCHESTRATOR_ENCRYPTION_KEY"):
            start_workflow(session, "order", CONTEXT, starter=Starter({"order": ORDER}))
        shop.place(session)
    assert shop.counted("orders", "workflows") == [1, 1]


def test_connections_and_scoped_sessions_do_as_well(shop: Shop) -> None:
    """A plain Connection has no event after its commit: a worker begins the workflow."""
    with shop.engine.begin() as connection:
        start_workflow(connection, "order", CONTEXT, starter=shop.sending)
    assert len(shop.begun()) == 1
    scoped = scoped_session(shop.session)
    start_workflow(scoped, "order", CONTEXT, starter=shop.sending)
    scoped.commit()
    scoped.remove()
    assert len(shop.sent) == 1


def test_a_start_may_be_put_off(shop: Shop) -> None:
    """As by the API."""
    with shop.session.begin() as session:
        workflow = shop.place(session, delay="15m")
    assert shop.begun() == []
    assert workflow_view(shop.ledger, workflow)["status"] == "running"


def test_a_connection_without_transactions_is_refused(shop: Shop) -> None:
    """Half a workflow would be committed where the program dies in the middle."""
    connecting = shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with connecting as connection, pytest.raises(SettingsError, match="AUTOCOMMIT"):
        start_workflow(connection, "order", CONTEXT, starter=shop.starter)
    assert shop.counted("workflows") == [0]


def test_a_database_without_the_ledger_is_refused(tmp_path: Path) -> None:
    """With the command that makes the tables."""
    opening = create_engine(f"sqlite:///{tmp_path / 'other.sqlite3'}").begin()
    with opening as connection, pytest.raises(SettingsError, match="orchestrator migrate"):
        start_workflow(connection, "order", CONTEXT, starter=Starter({"order": ORDER}, [KEY]))


def test_sensitive_fields_are_sealed_with_the_workers_key(shop: Shop) -> None:
    """And nowhere else."""
    with shop.session.begin() as session:
        shop.place(session)
    with shop.engine.connect() as connection:
        row = connection.execute(text("SELECT context, sealed FROM workflows")).one()
    assert "4242" not in str(row)
    assert Sealer([KEY]).open(row.sealed) == {"context.card": "4242"}


def test_it_needs_neither_flask_nor_celery_nor_redis() -> None:
    """A program that starts workflows has its own of these, or none."""
    program = (
        "import sys, orchestrator.client, orchestrator.client.http;"
        "print([name for name in ('flask', 'celery', 'kombu', 'redis', 'tasks', 'web') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
