"""Whether the broker answers, asked directly and for a moment only."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.urls import client_url

PATIENCE = 1.0
"""Seconds."""


def broker_answers(url: str) -> bool:
    """Whether the Redis at a URL (as Celery reads it) answers."""
    try:
        with redis.Redis.from_url(
            client_url(url),
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
