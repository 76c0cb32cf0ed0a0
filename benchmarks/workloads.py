"""What is measured of every peer: batches, quiet single workflows, a crowd, a fan-in, long chains."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.accounting import cpu_seconds, peak_memory
from benchmarks.books import Call, hops
from benchmarks.children import until
from benchmarks.figures import Figure, Measured
from benchmarks.peer import Crew, Peer
from benchmarks.shapes import ORDER, SUBSCRIPTION, Shape, chain, wide

STEADY = Crew(processes=2, concurrency=100)
ONE_PROCESS = Crew(processes=1, concurrency=1000)
PATIENCE = 300.0
"""Seconds for one run."""


@dataclass(frozen=True)
class Scale:
    """How much of each."""

    batch: int = 600
    singles: int = 30
    crowd: int = 1000
    width: int = 1000
    length: int = 1000


FULL = Scale()
QUICK = Scale(batch=150, singles=10, crowd=200, width=300, length=200)


@dataclass(frozen=True)
class Run:
    """What one run of some workflows took, from the first start to the last record; and the services' books.

    `published` are bytes sent to Redis, `transactions` those of PostgreSQL that wrote something.
    """

    seconds: float
    cpu: float
    published: int
    transactions: int
    calls: list[Call]


def run(peer: Peer, shape: Shape, count: int, *, delay: int = 0) -> Run:
    """Start so many workflows, and wait until all steps have been called and the peer says that all is done."""
    place = peer.place
    place.services.reset()
    published, transactions = place.redis.bytes_in(), place.postgres.transactions()
    cpu, began = cpu_seconds(peer.processes()), time.monotonic()
    peer.start(place.services.after(delay), shape, count)
    place.services.wait(count * shape.size, seconds=PATIENCE)
    until(peer.recorded, f"{peer.name} to record the end", seconds=PATIENCE, pause=0.01)
    seconds = time.monotonic() - began
    cpu = cpu_seconds(peer.processes()) - cpu
    published, transactions = place.redis.bytes_in() - published, place.postgres.transactions() - transactions
    return Run(seconds, cpu, published, transactions, place.services.calls())


@dataclass(frozen=True)
class Workload:
    """Its name on the command line, who works on it, and how it is measured."""

    name: str
    title: str
    crew: Crew
    figures: tuple[Figure, ...]
    measure: Callable[[Peer, Scale], Measured]


def small(shape: Shape) -> Callable[[Peer, Scale], Measured]:
    """Many small workflows at once; then one after another, when nothing queues, for the hops."""

    def measure(peer: Peer, scale: Scale) -> Measured:
        batch = run(peer, shape, scale.batch)
        quiet = [hop for _ in range(scale.singles) for hop in hops(run(peer, shape, 1).calls, shape)]
        steps = scale.batch * shape.size
        measured = {
            "cpu": batch.cpu / steps * 1000,
            "rate": scale.batch / batch.seconds,
            "hop": median(quiet) * 1000,
        }
        if peer.uses_redis:
            measured["kilobytes"] = batch.published / steps / 1000
        if peer.uses_postgres:
            measured["transactions"] = batch.transactions / steps
        return measured

    return measure


def crowd(peer: Peer, scale: Scale) -> Measured:
    """Many orders at once whose steps take a second each, on one process."""
    took = run(peer, ORDER, scale.crowd, delay=1000)
    return {"seconds": took.seconds, "memory": peak_memory(worker.pid for worker in peer.workers)}


def fan_in(peer: Peer, scale: Scale) -> Measured:
    """One workflow: many steps side by side and a join."""
    return {"seconds": run(peer, wide(scale.width), 1).seconds}


def long_chain(peer: Peer, scale: Scale) -> Measured:
    """One workflow of many steps, against several of ten steps one after another: a step's time, a step's bytes."""
    short, long = chain(10), chain(scale.length)
    shorts = [run(peer, short, 1) for _ in range(5)]
    one = run(peer, long, 1)
    measured = {"time": (one.seconds / long.size) / (median(each.seconds for each in shorts) / short.size)}
    measured["step"] = one.seconds / long.size * 1000
    if peer.uses_redis:
        measured["kilobytes"] = one.published / long.size / 1000
        measured["bytes"] = (one.published / long.size) / (median(each.published for each in shorts) / short.size)
    return measured


_CPU = Figure("cpu", "CPU a step, all processes", "ms", "≤ 0.7 ×, then ≤ 0.35 ×", 2)
_RATE = Figure("rate", "workflows a second", "/s", "≥ 1.3 ×, then ≥ 3 ×", 0)
_SENT = Figure("kilobytes", "sent to Redis for a step", "kB")
_WRITTEN = Figure("transactions", "transactions that write, a step, starts included", "", digits=2)

WORKLOADS = (
    Workload(
        "order",
        "order: 3 steps one after another",
        STEADY,
        (_CPU, _RATE, Figure("hop", "hop, median, nothing queued", "ms", "≤ 1 ×, then 1.5 ms", 1), _SENT, _WRITTEN),
        small(ORDER),
    ),
    Workload(
        "subscription",
        "subscription: 1, then 2 side by side, then 1",
        STEADY,
        (_CPU, _RATE, Figure("hop", "hop, median, nothing queued", "ms", "≤ 0.7 ×, then 2 ms", 1), _SENT, _WRITTEN),
        small(SUBSCRIPTION),
    ),
    Workload(
        "fan-in",
        "{width} steps side by side and a join",
        STEADY,
        (Figure("seconds", "time", "s", "≤ 0.8 ×, then 1.2 s", 2),),
        fan_in,
    ),
    Workload(
        "chain",
        "a chain of {length} against chains of 10",
        STEADY,
        (
            Figure("step", "time of a step in the long one", "ms", "", 1),
            Figure("time", "… as a multiple of one in the short one", "×", "≤ 1.1 ×", 2, compared=False),
            Figure("kilobytes", "sent to Redis for a step of the long one", "kB", "", 1),
            Figure("bytes", "… as a multiple of one in the short one", "×", "≤ 1.1 ×", 2, compared=False),
        ),
        long_chain,
    ),
    Workload(
        "crowd",
        "{crowd} orders at once, each step taking 1 s, ONE worker process (ideal: 3 s)",
        ONE_PROCESS,
        (
            Figure("seconds", "time", "s", "≤ 6 s, then 3.6 s", 1),
            Figure("memory", "peak memory of the worker process", "MB", "≤ 200 MB", 0, compared=False),
        ),
        crowd,
    ),
)
