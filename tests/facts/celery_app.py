"""A small Celery app whose steps do as a hash in Redis tells them, and write down what they did."""

import os
from functools import cache

import redis
from celery import Celery, Task
from celery.exceptions import Ignore
from celery.signals import task_postrun

from tasks.kombu_fix import survive_redis_restarts

survive_redis_restarts()


class Refusal(Exception):
    """What a step raises when it is told to fail."""


def made(url: str, queue: str = "celery") -> tuple[Celery, Task]:
    """An app that publishes to `queue`, and its step task."""
    app = Celery("facts", broker=url, backend=f"tasks.backend:QuietRedisBackend+{url}", set_as_current=False)
    app.conf.update(
        task_default_queue=queue,
        task_ignore_result=True,
        task_acks_late="FACTS_ACKS_EARLY" not in os.environ,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": 60,
            "max_connections": 50,
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.1,
        },
    )
    return app, app.task(name="facts.step", throws=(Refusal,), shared=False)(step)


def step(run: str, name: str) -> None:
    """Write down that it begins, do as told, write down that it ended well."""
    ledger = client()
    ledger.rpush(run, f"began {name}")
    match ledger.hget(f"{run}:orders", name):
        case b"ignore":
            raise Ignore
        case b"raise":
            raise Refusal
        case b"wait":
            ledger.blpop(f"{run}:go on", timeout=20)
    ledger.rpush(run, f"ended {name}")


@cache
def client() -> redis.Redis:
    """The Redis of the worker that this is."""
    return redis.Redis.from_url(os.environ["FACTS_LEDGER_URL"])


@task_postrun.connect
def note_left(args: tuple[str, ...] = (), **_: object) -> None:
    """What follows a step has been published when this is called."""
    if args and len(args) == 2 and isinstance(args[0], str):
        client().rpush(args[0], f"left {args[1]}")


app = made(os.environ.get("FACTS_BROKER_URL", "redis://"))[0]


@app.task(name="facts.add", shared=False)
def add(one: int, other: int) -> int:
    """A task of somebody who wants its result."""
    return one + other


@app.task(name="facts.total", shared=False)
def total(parts: list[int]) -> int:
    """The sum of a header's results."""
    return sum(parts)
