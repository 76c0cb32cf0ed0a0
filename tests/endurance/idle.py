"""What an idle worker asks of the database, beside many workflows that are over and many that are waiting."""

import time
from collections.abc import Iterator

from sqlalchemy import text

from orchestrator.ledger.engine import Database
from tests.endurance.filling import analyze, fill, prefix
from tests.endurance.place import Place, load, until
from tests.endurance.watched import Tally

STEPS = {
    "charge": {"next": ["ship"]},
    "ship": {"next": ["tell"], "retry": {"delay": "12h", "maxDelay": "12h", "jitter": "none"}},
    "tell": {},
}
LARGE = ("workflows", "steps", "events")
BACKGROUND = ("reconciler", "heart", "watch", "limits", "schedules", "webhooks", "retention")
MOST_MILLISECONDS = 1_000.0
"""Of each minute, that all threads in the background together may use of a core."""


def measure(place: Place, finished: int, running: int, seconds: float) -> list[str]:
    """Fill the ledger, let one worker idle, and say what each thread did in a minute; raises where that is too much."""
    worker = place.add_worker()
    _fill(place, finished, running)
    time.sleep(10)
    before, began = place.tally(worker), time.monotonic()
    time.sleep(seconds)
    spent = place.tally(worker).minus(before)
    minutes = (time.monotonic() - began) / 60
    faults = list(_scans(place.database, spent))
    assert not faults, "statements that read a whole table:\n" + "\n".join(faults)
    used = sum(spent.cpu[name] for name in BACKGROUND) / minutes * 1000
    lines = [
        load(),
        f"{place.kind}: {finished} finished and {running} running workflows, {seconds:g} s",
        *_table(spent, minutes),
    ]
    lines.append(f"different statements: {len(spent.texts)}, none reads the whole of {', '.join(LARGE)}")
    assert used < MOST_MILLISECONDS, "\n".join([*lines, f"too much: {used:.0f} ms of CPU a minute"])
    return lines


def _fill(place: Place, finished: int, running: int) -> None:
    """Half of the running ones wait for a retry that is due in hours, half are called under a lease."""
    from tests.system.services import Reply

    place.add_web()
    done = place.start().json()["workflowId"]
    until(lambda: place.number("SELECT count(*) FROM workflows WHERE status = 'completed'") == 1, 30, "one to end")
    place.services.answer(ship=Reply(status=503))
    parked = place.start().json()["workflowId"]
    until(lambda: place.number("SELECT count(*) FROM steps WHERE status = 'waiting'") == 1, 30, "one to wait")
    fill(place.database, done, finished, 1)
    fill(place.database, parked, running // 2, 2)
    fill(place.database, parked, running - running // 2, 3)
    with place.database.transaction() as connection:
        called = "UPDATE steps SET status = 'running', waiting_for = NULL, worker = 'another' WHERE status = 'waiting'"
        connection.execute(text(f"{called} AND workflow_id LIKE '{prefix(3)}%'"))
        # As they are after hours of waiting.
        connection.execute(text("UPDATE events SET at = at - 7200"))
    analyze(place.database)


def _table(spent: Tally, minutes: float) -> Iterator[str]:
    yield "| thread | statements a minute | ms a minute in them | ms of CPU a minute |"
    yield "|---|--:|--:|--:|"
    for name in sorted(spent.statements, key=lambda name: -spent.statements[name]):
        amounts = (spent.statements[name], spent.seconds[name] * 1000, spent.cpu[name] * 1000)
        yield f"| {name} | " + " | ".join(f"{amount / minutes:.0f}" for amount in amounts) + " |"
    amounts = (sum(spent.statements.values()), sum(spent.seconds.values()) * 1000, sum(spent.cpu.values()) * 1000)
    yield "| **the whole process** | " + " | ".join(f"{amount / minutes:.0f}" for amount in amounts) + " |"


def _scans(database: Database, spent: Tally) -> Iterator[str]:
    """Statements whose plan reads a large table from end to end."""
    explain = "EXPLAIN " if database.postgresql else "EXPLAIN QUERY PLAN "
    for statement, (thread, parameters) in spent.texts.items():
        if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            continue
        given = tuple(parameters) if isinstance(parameters, list) else parameters
        with database.reading() as connection:
            plan = [" ".join(map(str, row)) for row in connection.exec_driver_sql(explain + statement, given)]
            connection.rollback()
        if any(_reads_all(line) for line in plan):
            yield "\n".join([f"{thread}: {statement}", *plan])


def _reads_all(line: str) -> bool:
    words = line.split()
    sqlite = any(f"SCAN {table}" in line and "USING" not in line for table in LARGE)
    return sqlite or ("Seq" in words and any(f"Seq Scan on {table}" in line for table in LARGE))
