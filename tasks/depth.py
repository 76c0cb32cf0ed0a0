"""How many messages wait in the queue, and which the longest, asked of Redis directly and for a moment only."""

from collections.abc import Sequence
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celeryconfig import task_default_queue
from orchestrator.ledger.scopes import Key
from orchestrator.urls import client_url
from tasks.broker import PATIENCE
from tasks.queue import LOOKED_AT, step_of


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many messages wait, and the steps of those that have waited longest."""

    messages: int
    oldest: Sequence[Key]


def queue_depth(url: str, queue: str = task_default_queue) -> int | None:
    """Messages in the queue of the Redis at a URL (as Celery reads it); None where it does not answer."""
    state = queue_state(url, queue)
    return None if state is None else state.messages


def queue_state(url: str, queue: str = task_default_queue) -> QueueState | None:
    """The queue of the Redis at a URL (as Celery reads it); None where it does not answer."""
    try:
        with redis.Redis.from_url(
            client_url(url),
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            messages, oldest = int(client.llen(queue)), client.lrange(queue, -LOOKED_AT, -1)
            return QueueState(messages, [key for each in oldest if (key := step_of(each)) is not None])
    except redis.RedisError:
        return None
