"""How many messages wait in the queue, asked of Redis directly and for a moment only."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celeryconfig import task_default_queue
from orchestrator.urls import client_url
from tasks.broker import PATIENCE


def queue_depth(url: str, queue: str = task_default_queue) -> int | None:
    """Messages in the queue of the Redis at a URL (as Celery reads it); None where it does not answer."""
    try:
        with redis.Redis.from_url(
            client_url(url),
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            return int(client.llen(queue))
    except redis.RedisError:
        return None
