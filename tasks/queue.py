"""What can be seen of the messages that were sent: the oldest in Redis, and those that this worker has in hand."""

import base64
import json
import secrets
from collections.abc import Sequence

import redis
from celery import Celery
from celery.worker import state
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.errors import Unavailable
from orchestrator.jsontype import Json
from orchestrator.ledger.scopes import Key
from orchestrator.urls import client_url
from tasks.queues import queues

LOOKED_AT = 20
"""Messages looked at from the old end of the queue: some may be copies of what has long run."""


MARK = "orchestrator:mark"
"""A key that is there for as long as Redis holds what was sent."""


class RedisQueue:
    """The queues that this application's workers consume, one a priority."""

    def __init__(self, app: Celery) -> None:
        self._names = queues(app.conf.task_default_queue)
        self._client = redis.Redis.from_url(
            client_url(app.conf.broker_url), socket_timeout=3, socket_connect_timeout=3, retry=Retry(NoBackoff(), 0)
        )
        self._mark: bytes | str | None = None

    def was_emptied(self) -> bool:
        """Whether Redis has lost what it held (FLUSHALL, a restart, another server) since this was asked last.

        A mark that every worker knows says so. False where Redis does not answer: it may have lost nothing.
        """
        try:
            self._client.set(MARK, secrets.token_hex(8), nx=True)
            mark = self._client.get(MARK)
        except redis.RedisError:
            return False
        known, self._mark = self._mark, mark
        return known is not None and mark != known

    def oldest(self) -> list[Key]:
        """The steps whose messages have waited longest, of each queue; raises Unavailable where Redis is away."""
        try:
            return oldest_in(self._client, self._names)
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error

    def in_hand(self) -> list[Key]:
        """The steps whose messages this worker process has received: those that wait for a thread, and those that have
        one and are not claimed yet, or long claimed, which does no harm."""
        arguments = [tuple(request.args or ()) for request in list(state.reserved_requests)]
        return [(str(each[0]), str(each[1])) for each in arguments if len(each) > 1]

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()


def oldest_in(client: redis.Redis, names: Sequence[str]) -> list[Key]:
    """The steps whose messages have waited longest in each of the queues. Raises RedisError."""
    with client.pipeline(transaction=False) as asked:
        for name in names:
            # kombu pushes at the left and takes at the right.
            asked.lrange(name, -LOOKED_AT, -1)
        found: list[list[bytes]] = asked.execute()
    return [key for messages in found for message in messages if (key := step_of(message)) is not None]


def depth_of(client: redis.Redis, names: Sequence[str]) -> int:
    """How many messages wait in the queues. Raises RedisError."""
    with client.pipeline(transaction=False) as asked:
        for name in names:
            asked.llen(name)
        return sum(map(int, asked.execute()))


def step_of(message: bytes | str) -> Key | None:
    """The step (workflow id, name) that a message of the queue is about; None where it is about none."""
    try:
        args: Json = json.loads(base64.b64decode(json.loads(message)["body"]))[0]
        workflow_id, step = args
    except (ValueError, TypeError, LookupError):
        return None  # not a message of ours: whoever wrote it, it says nothing about our steps
    return str(workflow_id), str(step)
