"""What a user of bare Celery writes: one task that calls a service, and canvases of it. Nothing is recorded.

As Celery's documentation has it: requests with a session a process, `autoretry_for` with backoff, results in Redis
because chords and chains pass them on.
"""

import os
import uuid
from functools import cache

import requests
from celery import Celery, chain, chord
from celery.canvas import Signature
from requests.adapters import HTTPAdapter

from benchmarks.shapes import Shape
from orchestrator.jsontype import Json

CONCURRENCY = int(os.environ["BENCH_CONCURRENCY"])

app = Celery("bare", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_default_queue="bare",
    broker_connection_retry_on_startup=True,
    # kombu's ten connections are too few for a pool of many threads: acknowledgements would fail.
    broker_pool_limit=max(10, CONCURRENCY),
    redis_max_connections=CONCURRENCY + 50,
    broker_transport_options={"max_connections": CONCURRENCY + 50},
)


@cache
def session() -> requests.Session:
    """One a process, with a connection for each call that may be under way."""
    made = requests.Session()
    made.mount("http://", HTTPAdapter(pool_maxsize=CONCURRENCY))
    return made


@app.task(autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=3)
def call(previous: Json, base: str, workflow: str, step: str) -> Json:
    """Call the step's service with the result of the step before it."""
    if isinstance(previous, list):
        previous = previous[0]
    answer = session().post(
        f"{base}/{step}",
        json={"workflowId": workflow, "step": step, "previous": previous and previous["id"]},
        headers={"Idempotency-Key": f"{workflow}/{step}", "X-Workflow-Id": workflow, "X-Step": step},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


def start(base: str, shape: Shape) -> None:
    """Publish the canvas of one workflow."""
    canvas(base, shape, str(uuid.uuid4())).apply_async()


def canvas(base: str, shape: Shape, workflow: str) -> Signature:
    """A chain of steps and chords."""
    parts: list[Signature] = []
    stages = iter(enumerate(shape.stages))
    for number, stage in stages:
        first = [None] if number == 0 else []
        signatures = [call.s(*first, base, workflow, step) for step in stage]
        if len(stage) == 1:
            parts.append(signatures[0])
        else:
            _, (join,) = next(stages)
            parts.append(chord(signatures, call.s(base, workflow, join)))
    return chain(*parts) if len(parts) > 1 else parts[0]
