"""What steps cost that wait: no worker, no memory of Redis; and how fast they are woken when all are due at once."""

import time

from sqlalchemy import text

from tests.endurance.filling import analyze, fill
from tests.endurance.place import Place, footprint, load, until
from tests.endurance.watched import Tally
from tests.system.services import Reply

STEPS = {"ship": {"retry": {"delay": "12h", "maxDelay": "12h", "jitter": "none"}}}
MOST_REDIS_BYTES = 1_000_000
MOST_MILLISECONDS = 1_000.0
"""Of CPU a minute that the reconciler may use for what is not due."""

WOKEN = 5_000
LOOK_SECONDS = 30.0


def measure(place: Place, count: int) -> list[str]:
    """With none, with `count` of them, and when some thousands are due; raises where waiting costs too much."""
    place.add_web()
    worker = place.add_worker()
    place.services.answer(ship=Reply(status=503))
    place.start()
    until(lambda: _waiting(place) == 1, 30, "a step to wait")
    without = _look(place)
    original = place.start().json()["workflowId"]
    until(lambda: _waiting(place) == 2, 30, "a step to wait")
    fill(place.database, original, count, 1)
    analyze(place.database)
    beside = _look(place)
    lines = [load(), f"{place.kind}: one worker, {LOOK_SECONDS:g} s each", "| steps parked | Redis KiB | worker MiB |"]
    lines[-1] += " threads | reconciler: ms of CPU a minute |"
    lines += ["|--:|--:|--:|--:|--:|", _row(2, *without), _row(count + 2, *beside), _wake(place, worker.pid)]
    assert beside[0] - without[0] < MOST_REDIS_BYTES, "\n".join([*lines, "parked steps cost memory of Redis"])
    assert beside[2].cpu["reconciler"] * 1000 < MOST_MILLISECONDS, "\n".join([*lines, "parked steps cost time"])
    return lines


def _look(place: Place) -> tuple[int, dict[str, float], Tally]:
    time.sleep(5)
    before = place.tally(place.workers[0])
    time.sleep(LOOK_SECONDS)
    spent = place.tally(place.workers[0]).minus(before)
    return place.redis_bytes(), footprint(place.workers[0].pid), spent


def _row(count: int, redis: int, worker: dict[str, float], spent: Tally) -> str:
    cpu = spent.cpu["reconciler"] * 1000 * 60 / LOOK_SECONDS
    return f"| {count:,} | {redis / 1024:.0f} | {worker['rss']:.0f} | {worker['threads']:.0f} | {cpu:.0f} |"


def _wake(place: Place, worker: int) -> str:
    """Let thousands be due at the same moment: how fast they are called, and how long a new workflow takes then."""
    place.services.answer(ship=Reply())
    with place.database.transaction() as connection:
        chosen = "SELECT workflow_id FROM steps WHERE status = 'waiting' ORDER BY workflow_id LIMIT :count"
        woken = text(f"UPDATE steps SET wake_at = :now WHERE status = 'waiting' AND workflow_id IN ({chosen})")
        connection.execute(woken, {"now": place.database.now(connection), "count": WOKEN})
    began, before = time.monotonic(), footprint(worker)["cpu"]
    most_redis = place.redis_bytes()
    fresh = place.start().json()["workflowId"]
    seen = 0.0
    while _completed(place) < WOKEN + 1:
        assert time.monotonic() - began < 600, f"only {_completed(place)} of {WOKEN} were woken in 600 s"
        most_redis = max(most_redis, place.redis_bytes())
        query = "SELECT count(*) FROM workflows WHERE id = :id AND status = 'completed'"
        if not seen and place.number(query, id=fresh):
            seen = time.monotonic() - began
        time.sleep(0.1)
    seconds = time.monotonic() - began
    twice = sum(times > 2 for times in place.services.keys().values())
    assert not twice, f"{twice} steps were called more than once after they were woken"
    return (
        f"{WOKEN:,} due at once: all called after {seconds:.0f} s ({WOKEN / seconds:.0f} a second, "
        f"{(footprint(worker)['cpu'] - before) / WOKEN * 1000:.1f} ms of the worker's CPU each), a workflow that was "
        f"started then had ended after {seen or seconds:.1f} s, Redis at most {most_redis / 2**20:.1f} MiB"
    )


def _waiting(place: Place) -> int:
    return place.number("SELECT count(*) FROM steps WHERE status = 'waiting'")


def _completed(place: Place) -> int:
    return place.number("SELECT count(*) FROM workflows WHERE status = 'completed'")
