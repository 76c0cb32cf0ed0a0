"""Everything that is done to a stage. A fault is a generator: it yields how many seconds it lasts until its next act.

What is broken is mended in the generator's `finally`, so that a run which is broken off leaves nothing frozen.
"""

import random
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from tests.chaos import messages
from tests.chaos.clocks import HOUR
from tests.chaos.processes import Kept
from tests.chaos.stage import Stage

Course = Generator[float, None, None]
"""Seconds until the next act; at its end the fault is over. May raise `NothingHappened`."""

Begin = Callable[[Stage, random.Random, float], Course]
"""A stage to hurt, what to draw from, and what long durations are multiplied with (1: as long as they should be)."""


class NothingHappened(Exception):
    """Nobody passed the point at which somebody was to be hurt."""


LOOK = 0.02
WAITED_FOR = 12.0
"""Seconds that an order may stay unobeyed: then nobody passes that point just now, and it is taken back."""


def _any_worker(stage: Stage, dice: random.Random) -> Kept:
    alive = [worker for worker in stage.workers if worker.alive]
    return dice.choice(alive or stage.workers)


def _kill_worker(stage: Stage, dice: random.Random, scale: float) -> Course:
    _any_worker(stage, dice).send(signal.SIGKILL)
    yield 0.0


def _kill_workers(stage: Stage, dice: random.Random, scale: float) -> Course:
    for worker in stage.workers:
        worker.send(signal.SIGKILL)
    yield 0.0


def _kill_web(stage: Stage, dice: random.Random, scale: float) -> Course:
    stage.web.send(signal.SIGKILL)
    yield 0.0


def _kill_foreign(stage: Stage, dice: random.Random, scale: float) -> Course:
    """The team's own worker: it has the tasks in hand that steps wait for."""
    stage.foreign.send(signal.SIGKILL)
    yield 0.0


def _term_worker(stage: Stage, dice: random.Random, scale: float) -> Course:
    _any_worker(stage, dice).send(signal.SIGTERM)
    yield 0.0


def _stop_worker(stage: Stage, dice: random.Random, scale: float) -> Course:
    worker = _any_worker(stage, dice)
    worker.send(signal.SIGSTOP)
    try:
        yield 20.0 * scale
    finally:
        worker.send(signal.SIGCONT)


def _killed_at(point: str) -> Begin:
    def course(stage: Stage, dice: random.Random, scale: float) -> Course:
        yield from _obeyed(stage, point, signal.SIGKILL)

    return course


def _stopped_at(point: str) -> Begin:
    def course(stage: Stage, dice: random.Random, scale: float) -> Course:
        pid = yield from _obeyed(stage, point, signal.SIGSTOP)
        frozen = [kept for kept in stage.everything() if kept.pid == pid]
        try:
            yield 20.0 * scale
        finally:
            for kept in frozen:
                kept.send(signal.SIGCONT)

    return course


def _obeyed(stage: Stage, point: str, how: signal.Signals) -> Generator[float, None, int]:
    stage.order(point, how)
    give_up_at = time.monotonic() + WAITED_FOR
    try:
        while (pid := stage.obeyed(point)) is None:
            if time.monotonic() > give_up_at:
                raise NothingHappened
            yield LOOK
        return pid
    finally:
        stage.take_back(point)


def _flush(stage: Stage, dice: random.Random, scale: float) -> Course:
    with stage.redis.client() as client:
        client.flushall()
    yield 0.0


def _restart_redis(stage: Stage, dice: random.Random, scale: float) -> Course:
    stage.redis.kill()
    try:
        yield dice.uniform(0.2, 8.0) * scale
    finally:
        stage.redis.start()


def _away_redis(stage: Stage, dice: random.Random, scale: float) -> Course:
    """Long enough for whoever waits longer after each try in vain to be late."""
    stage.redis.kill()
    try:
        yield dice.uniform(60.0, 80.0) * scale
    finally:
        stage.redis.start()


def _pause_redis(stage: Stage, dice: random.Random, scale: float) -> Course:
    stage.redis.pause()
    try:
        yield dice.uniform(10.0, 30.0) * scale
    finally:
        stage.redis.resume()


def _hold_redis(stage: Stage, dice: random.Random, scale: float) -> Course:
    """It accepts and reads, but answers nobody: its own way of pausing."""
    seconds = dice.uniform(10.0, 20.0) * scale
    with stage.redis.client() as client:
        client.client_pause(int(seconds * 1000))
    yield seconds


def _fill_redis(stage: Stage, dice: random.Random, scale: float) -> Course:
    """It refuses writes, as one that is full does."""
    with stage.redis.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
    try:
        yield dice.uniform(5.0, 20.0) * scale
    finally:
        with stage.redis.client() as client:
            client.config_set("maxmemory", "0")


def _cut_postgres(stage: Stage, dice: random.Random, scale: float) -> Course:
    stage.cut_connections()
    yield 0.0


def _restart_postgres(stage: Stage, dice: random.Random, scale: float) -> Course:
    assert stage.postgres is not None
    stage.postgres.stop()
    try:
        yield dice.uniform(0.1, 5.0) * scale
    finally:
        stage.postgres.launch_again()


def _stop_postgres(stage: Stage, dice: random.Random, scale: float) -> Course:
    stage.freeze_postgres()
    try:
        yield dice.uniform(20.0, 30.0) * scale
    finally:
        stage.thaw_postgres()


def _lock_sqlite(stage: Stage, dice: random.Random, scale: float) -> Course:
    lock = stage.hold_write_lock()
    try:
        yield dice.uniform(10.0, 30.0) * scale
    finally:
        lock.close()


def _fill_disk(stage: Stage, dice: random.Random, scale: float) -> Course:
    """Nothing more can be written where the database is. PostgreSQL may give up for good: its supervisor is us."""
    assert stage.disk is not None
    stage.disk.fill()
    try:
        yield dice.uniform(10.0, 30.0) * scale
    finally:
        stage.disk.free()
        if stage.postgres is not None:
            stage.relaunch_postgres()


def _jump_clock(stage: Stage, dice: random.Random, scale: float) -> Course:
    """Of the web or a worker; the database's own is what all go by."""
    clock = stage.clocks[dice.choice([stage.web, *stage.workers]).name]
    clock.set(dice.choice([HOUR, -HOUR]))
    try:
        yield 20.0 * scale
    finally:
        clock.set(0)


def _cut_network(stage: Stage, dice: random.Random, scale: float) -> Course:
    assert stage.network is not None
    stage.network.cut()
    try:
        yield dice.uniform(10.0, 40.0) * scale
    finally:
        stage.network.mend()


def _refuse_services(stage: Stage, dice: random.Random, scale: float) -> Course:
    stage.services.send(signal.SIGUSR1)
    try:
        yield dice.uniform(1.0, 4.0) * scale
    finally:
        stage.services.send(signal.SIGUSR2)


def _send_messages(stage: Stage, dice: random.Random, scale: float) -> Course:
    for _ in range(4):
        messages.sent_at_random(stage, dice, 25)
        yield 0.5


def _break_message(stage: Stage, dice: random.Random, scale: float) -> Course:
    with stage.redis.client() as client:
        messages.break_into(client, dice.sample(messages.BROKEN, 6))
    yield 0.0


@dataclass(frozen=True)
class Fault:
    """What can happen.

    `only` is what it can happen to, where not every stage has that. `takes_over`: a step may be taken over from its
    worker because of it, and so be called once more. `often` weighs it among the others.
    """

    begin: Begin
    only: str | None = None
    takes_over: bool = True
    often: int = 2


FAULTS: dict[str, Fault] = {
    "kill-worker": Fault(_kill_worker, often=4),
    "kill-workers": Fault(_kill_workers),
    "kill-web": Fault(_kill_web, takes_over=False),
    "kill-foreign": Fault(_kill_foreign, takes_over=False),
    "term-worker": Fault(_term_worker, takes_over=False),
    "stop-worker": Fault(_stop_worker),
    "kill-received": Fault(_killed_at("received"), often=1),
    "kill-claimed": Fault(_killed_at("claimed")),
    "kill-called": Fault(_killed_at("called")),
    "kill-settled": Fault(_killed_at("settled")),
    "kill-locked": Fault(_killed_at("locked"), often=1),
    "kill-looked": Fault(_killed_at("looked"), often=1),
    "kill-started": Fault(_killed_at("started"), takes_over=False),
    "stop-claimed": Fault(_stopped_at("claimed")),
    "stop-called": Fault(_stopped_at("called"), often=1),
    "stop-locked": Fault(_stopped_at("locked")),
    "flushall": Fault(_flush, takes_over=False, often=3),
    "redis-restart": Fault(_restart_redis, takes_over=False, often=3),
    "redis-away": Fault(_away_redis, takes_over=False, often=1),
    "redis-pause": Fault(_pause_redis, takes_over=False),
    "redis-hold": Fault(_hold_redis, takes_over=False, often=1),
    "redis-full": Fault(_fill_redis, takes_over=False),
    "postgres-cut": Fault(_cut_postgres, only="postgresql", takes_over=False),
    "postgres-restart": Fault(_restart_postgres, only="postgresql"),
    "postgres-stop": Fault(_stop_postgres, only="postgresql"),
    "sqlite-lock": Fault(_lock_sqlite, only="sqlite"),
    "disk-full": Fault(_fill_disk, only="disk"),
    # SQLite's clock is that of whoever asks.
    "clock-jump": Fault(_jump_clock, only="postgresql", takes_over=False),
    "network-cut": Fault(_cut_network, only="network", often=5),
    "services-refuse": Fault(_refuse_services, takes_over=False, often=1),
    "messages": Fault(_send_messages, takes_over=False),
    "broken-message": Fault(_break_message, takes_over=False),
}
"""By name. A worker that has lost its database for longer than its silence may be taken for dead."""


@dataclass(frozen=True)
class Episode:
    """Faults that begin at the same moment, `rest` seconds after the last ones were over."""

    number: int
    faults: tuple[str, ...]
    rest: float


def episodes(seed: int, places: Sequence[str], names: tuple[str, ...], calm: float) -> Iterator[Episode]:
    """The schedule, without end: every fault once in an order of its own, then any; one in five meets another one."""
    dice = random.Random(f"faults {seed}")
    possible = [name for name in names or FAULTS if FAULTS[name].only in (None, *places)]
    first = dice.sample(possible, len(possible))
    number = 0
    while True:
        chosen = [first.pop() if first else dice.choices(possible, [FAULTS[name].often for name in possible])[0]]
        other = dice.choice(possible)
        if dice.random() < 0.2 and _can_meet(chosen[0], other):
            chosen.append(other)
        yield Episode(number, tuple(chosen), dice.uniform(calm, calm * 1.4))
        number += 1


def _can_meet(one: str, other: str) -> bool:
    """Not two hands on the same server: the second could not do its part."""
    server, another = one.partition("-")[0], other.partition("-")[0]
    asks_redis = {"redis", "flushall", "messages", "broken"}
    asks_database = {"postgres", "sqlite", "messages", "disk"}
    both = {server, another}
    return one != other and not (both <= asks_redis or both <= asks_database)
