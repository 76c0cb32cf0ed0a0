"""Messages to a queue of Redis as kombu puts them there, those of many threads with one command."""

from collections.abc import Sequence

import redis
from celery import Celery
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.errors import Unavailable
from orchestrator.together import Together
from orchestrator.urls import client_url

PATIENCE = 3.0
"""Seconds that Redis may take."""

MOST = 100
"""Messages in one command at most."""


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
        self._together = Together(self._push, MOST)

    def push(self, queue: str, message: str) -> None:
        """Returns once Redis has it; raises Unavailable where Redis does not take it."""
        self._together((queue, message))

    def _push(self, batch: Sequence[tuple[str, str]]) -> list[None]:
        try:
            for queue in dict.fromkeys(queue for queue, _ in batch):
                # kombu pushes at the left and takes at the right.
                self._client.lpush(queue, *[message for to, message in batch if to == queue])
        except (redis.RedisError, OSError) as error:
            raise Unavailable(str(error)) from error
        return [None] * len(batch)
