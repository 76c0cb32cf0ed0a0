"""How many messages wait in the queues, and which the longest, asked of Redis directly and for a moment only."""

from collections.abc import Sequence
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.ledger.scopes import Key
from orchestrator.urls import client_url
from tasks.broker import PATIENCE
from tasks.queue import depth_of, oldest_in
from tasks.queues import queues


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many messages wait, and the steps of those that have waited longest."""

    messages: int
    oldest: Sequence[Key]


def queue_depth(url: str) -> int | None:
    """Messages in the queues of the Redis at a URL (as Celery reads it); None where it does not answer."""
    state = queue_state(url)
    return None if state is None else state.messages


def queue_state(url: str) -> QueueState | None:
    """The queues of the Redis at a URL (as Celery reads it); None where it does not answer."""
    try:
        with redis.Redis.from_url(
            client_url(url),
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            return QueueState(depth_of(client, queues()), oldest_in(client, queues()))
    except redis.RedisError:
        return None
