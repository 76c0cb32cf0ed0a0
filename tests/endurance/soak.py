"""Whether anything grows: the chaos proof's load without its faults, for as long as one likes.

Each process is looked at every few seconds, and judged by the slope of the second half of the time (`trend`). At 3
starts a second 6 MiB an hour are some 600 bytes for each workflow: less than that is not seen.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.drawing import any_documents
from tests.chaos.load import Load, planned
from tests.chaos.stage import Kind, Stage
from tests.endurance.place import footprint, load
from tests.endurance.trend import Looks, can_be_judged, parts, second_half, slope

EVERY = 5.0
WORKERS = 2
MOST_GROWTH = {"rss": 6.0, "redis": 1.5, "lasting": 4.0}
MOST_STEP = {"rss": 3.0, "redis": 1.0, "lasting": 3.0}
"""An hour, and from the third to the last quarter: MiB, but for keys of Redis that do not expire.

Counters of chords which a failure or a delay has cut short do, within an hour: until then Redis grows with these.
"""

CEILINGS = {"threads": 40.0, "files": 150.0}
"""What a pool holds it keeps, and it fills when the load is at its highest: bounded is what these must be."""

UNITS = {"rss": "MiB", "threads": "threads", "files": "open files", "redis": "MiB", "lasting": "keys that stay"}


@dataclass(frozen=True)
class Look:
    """What one process showed, `at` seconds after the beginning."""

    at: float
    process: str
    shown: dict[str, float]


def measure(folder: Path, kind: Kind, minutes: float, rate: float, tell: Callable[[str], None]) -> list[str]:
    """Start `rate` workflows a second for so long; says how each number went, and raises where one has grown."""
    seed = 7
    documents = any_documents(seed)
    with Stage(folder, kind, documents, seed=seed, workers=WORKERS) as stage:
        types = [str(document["type"]) for document in documents]
        clients = Load(stage.url, seed, planned(seed, types, seconds=minutes * 60, rate=rate))
        clients.begin()
        try:
            looks = _looks(stage, minutes * 60, tell)
        finally:
            clients.stop()
        started = len(clients.starts)
    lines = [
        load(),
        f"{kind}: {started} workflows started in {minutes:g} minutes, {WORKERS} workers of 20 calls at once",
    ]
    lines += [
        "| process | what | at the beginning | in the third quarter | in the last | slope an hour |",
        "|---|---|--:|--:|--:|--:|",
    ]
    grown = []
    for process in dict.fromkeys(look.process for look in looks):
        of_process = [look for look in looks if look.process == process]
        for what in (name for name in of_process[0].shown if name in UNITS):
            looks_at_it = [(look.at, look.shown[what]) for look in of_process]
            growth = slope(second_half(looks_at_it))
            lines.append(_row(process, what, looks_at_it, growth))
            if can_be_judged(looks_at_it) and grows(what, looks_at_it):
                grown.append(f"{process}: {UNITS[what]}, {growth:+.1f} an hour: it grows, or is too much")
    if not can_be_judged([(look.at, 0.0) for look in looks]):
        lines.append("too short to be judged: half an hour is the least")
    assert not grown, "\n".join([*lines, *grown])
    return lines


def grows(what: str, looks: Looks) -> bool:
    """Whether it became more than it may."""
    half = second_half(looks)
    if what in CEILINGS:
        return max(value for _, value in half) > CEILINGS[what]
    earlier, later = parts(half)
    return slope(half) > MOST_GROWTH[what] or later - earlier > MOST_STEP[what]


def _looks(stage: Stage, seconds: float, tell: Callable[[str], None]) -> list[Look]:
    began, looks = time.monotonic(), []
    while (at := time.monotonic() - began) < seconds:
        stage.tend()
        now = list(_look(stage, at))
        looks += now
        if len(looks) % (12 * len(now)) == 0:
            tell(
                "; ".join(
                    f"{look.process} " + " ".join(f"{value:.0f}" for value in look.shown.values()) for look in now
                )
            )
        time.sleep(EVERY)
    assert all(kept.lives == 1 for kept in stage.everything()), "a process has died"
    return looks


def _look(stage: Stage, at: float) -> Iterator[Look]:
    for kept in (stage.web, *stage.workers):
        yield Look(at, kept.name, footprint(kept.pid))
    with stage.redis.client() as client:
        memory = int(client.info("memory")["used_memory"])
        keys = client.info("keyspace").get("db0", {"keys": 0, "expires": 0})
        yield Look(at, "Redis", {"redis": memory / 2**20, "lasting": float(keys["keys"] - keys["expires"])})


def _row(process: str, what: str, looks: Looks, growth: float) -> str:
    shown = " | ".join(f"{value:.1f}" for value in (looks[0][1], *parts(second_half(looks))))
    return f"| {process} | {UNITS[what]} | {shown} | {growth:+.1f} |"
