"""More workflows than the workers can take: the API answers, nothing is sent twice, and a wiped Redis is made good."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from sqlalchemy import text

from tests.endurance.place import Place, footprint, load, percentile, until

STEPS = {"only": {}}
SLOWEST = 2.0
"""Seconds that 99 of 100 answers of the API may take, on a machine whose cores are all busy."""

SLOW = ": too slow"

LEFT = 5_000
"""Messages in the queue when Redis is emptied."""

RECOVERED = 15.0
OPEN = "SELECT count(*) FROM workflows WHERE status = 'running'"


def measure(place: Place, count: int) -> list[str]:
    """Accept so many without a worker, look on, let two drain them, empty Redis near the end; says what was seen."""
    web = place.add_web()
    lines = [load()]
    with _asked(place, "accepting, no worker", lines):
        began = time.monotonic()
        _accept(place, count)
        seconds = time.monotonic() - began
    lines.append(f"{count:,} accepted in {seconds:.0f} s ({count / seconds:.0f} a second), queued: {_queued(place):,}")
    lines.append(f"Redis {place.redis_bytes() / 2**20:.0f} MiB, {place.redis_bytes() / _queued(place):.0f} bytes each")
    with _asked(place, "waiting, no worker", lines):
        time.sleep(20)
    for _ in range(2):
        place.add_worker()
    with _asked(place, "draining, two workers", lines):
        began, before = time.monotonic(), _open(place)
        until(lambda: _queued(place) <= LEFT, 1_800, "the queue to be drained")
        drained, seconds = before - _open(place), time.monotonic() - began
    cpu = sum(footprint(worker.pid)["cpu"] for worker in place.workers)
    lines.append(
        f"two workers drained {drained:,} in {seconds:.0f} s ({drained / seconds:.0f} a second, "
        f"{cpu / drained * 1000:.1f} ms of their CPU each), {load()}"
    )
    resent, twice = _resent(place), _called_twice(place)
    lines.append(f"sent again: {resent}, called twice: {twice}")
    assert not resent, "\n".join([*lines, "what merely queued was sent again:", *_stories(place)])
    lines += _wiped(place)
    assert not _called_twice(place), "\n".join([*lines, "called twice"])
    assert web.alive
    assert not any(SLOW in line for line in lines), "\n".join(lines)
    return lines


def _accept(place: Place, count: int) -> None:
    starts = [{"type": "measured", "context": {}}] * 500
    for _ in range(0, count, len(starts)):
        answer = requests.post(f"{place.url}/api/workflows/batch", json={"workflows": starts}, timeout=120)
        assert answer.status_code == 202, answer.text


def _wiped(place: Place) -> Iterator[str]:
    with place.redis.client() as client:
        lost = int(client.llen("orchestrator"))
        client.flushall()
    began, before = time.monotonic(), _open(place)
    # What was in the workers' hands still ends.
    until(
        lambda: _resent(place) > 0 and _open(place) < before - 300, RECOVERED + 30, "progress after Redis was emptied"
    )
    recovered = time.monotonic() - began
    yield f"Redis emptied with {lost:,} queued: work went on after {recovered:.1f} s"
    assert recovered < RECOVERED, f"work went on only {recovered:.1f} s after Redis was emptied"
    until(lambda: _open(place) == 0, 600, "all to end")
    yield f"all ended {time.monotonic() - began:.0f} s after it, called twice: {_called_twice(place)}"


@contextmanager
def _asked(place: Place, when: str, lines: list[str]) -> Iterator[None]:
    """Start and look at a workflow again and again meanwhile; adds how long the answers took."""
    done, took = threading.Event(), []

    def ask() -> None:
        while not done.wait(0.2):
            began = time.monotonic()
            answer = place.start()
            took.append(time.monotonic() - began)
            assert answer.status_code == 202, answer.text
            began = time.monotonic()
            assert requests.get(f"{place.url}{answer.headers['Location']}", timeout=30).ok
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    slow = percentile(took, 0.99)
    shown = " / ".join(f"{percentile(took, share) * 1000:.0f}" for share in (0.5, 0.99, 1.0))
    lines.append(f"API while {when}: {len(took)} answers, median / p99 / max {shown} ms" + SLOW * (slow > SLOWEST))


def _queued(place: Place) -> int:
    with place.redis.client() as client:
        return int(client.llen("orchestrator"))


def _open(place: Place) -> int:
    return place.number(OPEN)


def _resent(place: Place) -> int:
    return place.number("SELECT count(*) FROM events WHERE type = 'step.resent'")


def _stories(place: Place) -> list[str]:
    """What happened to some of those that were sent again."""
    again = "SELECT workflow_id FROM events WHERE type = 'step.resent'"
    query = f"SELECT id, type, at FROM events WHERE workflow_id IN ({again}) ORDER BY workflow_id, id LIMIT 60"
    with place.database.reading() as connection:
        return [f"{row.id} {row.at:.2f} {row.type}" for row in connection.execute(text(query))]


def _called_twice(place: Place) -> int:
    return sum(times > 1 for times in place.services.keys().values())
