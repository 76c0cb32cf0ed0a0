"""Messages to a queue of Redis as kombu puts them there, many with one command."""

from collections.abc import Sequence

import redis
from celery import Celery
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.urls import client_url

PATIENCE = 3.0
"""Seconds that Redis may take."""


class Pusher:
    """Pushes for any number of threads. Connects when it is first used."""

    def __init__(self, app: Celery) -> None:
        self._client = redis.Redis.from_url(
            client_url(app.conf.broker_url),
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            # A connection that a restarted server broke is replaced, once, at once. A copy of a message does no harm.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )

    def push(self, queue: str, messages: Sequence[str]) -> None:
        """Returns once Redis has them; raises RedisError where it does not take them."""
        # kombu pushes at the left and takes at the right.
        self._client.lpush(queue, *messages)
