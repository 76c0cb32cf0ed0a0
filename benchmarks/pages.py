"""`python -m benchmarks.pages`: how long the dashboard's pages and the API's lists take with a ledger that is full.

The app answers in this process, so that only its own work and the database's is measured, not a network's. The first
look at each page is measured by itself: it is what somebody feels who comes in the morning. On a machine that does
other things as well, the fastest says more than the median.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from flask.testing import FlaskClient

from benchmarks.filled import CONTEXT, fill, order
from benchmarks.servers import PostgresServer
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from orchestrator.ledger.starting import Start, start
from orchestrator.moves.move import Claim, Settle
from orchestrator.outcome import Completed, Expanded
from orchestrator.reading import read_document
from orchestrator.settings import Settings
from web import create_app

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ITEMS = 10_000


@dataclass(frozen=True)
class Look:
    """What is asked for."""

    title: str
    path: str


def looks(ids: Mapping[str, str], large: str) -> Iterator[Look]:
    """Every kind of page and list."""
    done, failed, waiting = (f"/workflows/{ids[name]}" for name in ("0", "2", "8"))
    yield Look("the board", "/")
    for query in ("status=completed", "status=failed", "status=running", "type=seldom", "compensation=failed"):
        yield Look(f"the board, {query}", f"/?{query}")
    yield Look("the board, status=failed and type=return (none)", "/?status=failed&type=return")
    yield Look("the board, status=cancelled and type=seldom (none)", "/?status=cancelled&type=seldom")
    yield Look("the board, a day in the middle", "/?after=DAY&before=NEXT")
    yield Look("the board, failed of a day in the middle", "/?status=failed&after=DAY&before=NEXT")
    yield Look("the board, by a field that all have", "/?field=email&value=ada@example.com")
    yield Look("the board, by a field that none has", "/?field=email&value=nobody@example.com")
    yield Look("a completed workflow", done)
    yield Look("a failed one, undone", failed)
    yield Look("one that waits", waiting)
    yield Look(f"one with {ITEMS:,} items", f"/workflows/{large}")
    yield Look("its step, those that failed or all", f"/workflows/{large}/steps/send")
    yield Look("its last items", f"/workflows/{large}/steps/send?items=all&cursor={ITEMS - 20}")
    yield Look("its events", f"/workflows/{large}/events")
    yield Look("the events of its last item", f"/workflows/{large}/events?step=send[{ITEMS - 1}]")
    for path in ("/definitions", "/definitions?since=30d", "/definitions/order-processing", "/workers", "/limits"):
        yield Look(path, path)
    for path in ("/schedules", "/webhooks"):
        yield Look(path, path)
    yield Look("API: a page of all", "/api/workflows")
    yield Look("API: a page of 500", "/api/workflows?limit=500")
    yield Look("API: status=failed", "/api/workflows?status=failed")
    yield Look("API: type and status that exclude each other", "/api/workflows?status=failed&type=return")
    yield Look("API: one", f"/api{done}")
    yield Look("API: its events", f"/api{done}/events")
    yield Look("API: why", f"/api{waiting}/why")
    yield Look("API: statistics", "/api/statistics")
    yield Look("API: statistics of 30 days", "/api/statistics?since=30d")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, fill, look, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--workflows", type=int, default=1_000_000, help="in the ledger (1,000,000)")
    parser.add_argument("--times", type=int, default=20, help="how often each is asked for (20)")
    parser.add_argument("--only", choices=("postgresql", "sqlite"), help="one of the databases")
    asked = parser.parse_args(arguments)
    for kind in [asked.only] if asked.only else ["postgresql", "sqlite"]:
        with tempfile.TemporaryDirectory(prefix="orchestrator-benchmarks-") as name, _database(kind, Path(name)) as url:
            _measure(kind, url, Path(name), asked)


@contextlib.contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    folder.chmod(0o755)  # PostgreSQL runs as somebody else where we are root
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'ledger.sqlite3'}"
        return
    server = PostgresServer(folder / "postgres")
    try:
        server.make("pages")
        yield server.url("pages", "postgresql+psycopg")
    finally:
        server.end()


def _measure(kind: str, url: str, folder: Path, asked: argparse.Namespace) -> None:
    database = Database(url)
    migrate(database)
    ledger = Ledger(database)
    began = time.monotonic()
    ids = fill(ledger, asked.workflows)
    large = _large(ledger)
    print(f"\n{kind}: {asked.workflows:,} workflows, made in {time.monotonic() - began:.0f} s\n")
    print("| | first ms | fastest ms | median ms | KB |\n|---|---|---|---|---|", flush=True)
    client = _client(url, folder, ledger)
    with database.reading() as connection:
        middle = database.now(connection) - 15 * 86_400
    for look in looks(ids, large):
        path = look.path.replace("DAY", _moment(middle)).replace("NEXT", _moment(middle + 86_400))
        took, size = _asked(client, path, asked.times)
        later = took[1:]
        print(f"| {look.title} | {took[0]:.0f} | {min(later):.0f} | {median(later):.0f} | {size // 1024} |", flush=True)
    database.close()


def _large(ledger: Ledger) -> str:
    """A workflow with many items, all of them completed."""
    each: Mapping[str, object] = {"items": "${context.people}", "maxParallel": 100}
    whole = {"type": "mailing", "steps": {"send": {"targetUrl": "http://services.example/send", "forEach": each}}}
    workflow = start(ledger, read_document(whole), Start(CONTEXT)).workflow_id
    ledger.make([Claim(workflow, "send", "worker-1")])
    ledger.make([Settle(workflow, "send", 1, Expanded([f"person-{n}" for n in range(ITEMS)]), 0.5)])
    for first in range(0, ITEMS, 50):
        names = [f"send[{n}]" for n in range(first, first + 50)]
        ledger.make([Claim(workflow, name, "worker-1") for name in names])
        ledger.make([Settle(workflow, name, 1, Completed({"sent": True}, 200), 0.5) for name in names])
    return workflow


def _client(url: str, folder: Path, ledger: Ledger) -> FlaskClient:
    settings = Settings(
        database_url=url, redis_url="redis://127.0.0.1:1/0", definitions=folder, data=folder, encryption_key=KEY
    )
    definitions = [read_document(order(name)) for name in ("order-processing", "return", "seldom")]
    return create_app(settings, ledger=ledger, definitions={each.type: each for each in definitions}).test_client()


def _asked(client: FlaskClient, path: str, times: int) -> tuple[list[float], int]:
    took, size = [], 0
    for _ in range(times + 1):
        began = time.perf_counter()
        answer = client.get(path)
        took.append((time.perf_counter() - began) * 1_000)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
        size = len(answer.data)
    return took, size


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(seconds))


if __name__ == "__main__":
    main()
