"""The queue is looked at without trust in what lies there."""

import json

import pytest
import redis
from celery import Celery

from tasks.queue import RedisQueue
from tests.chaos.messages import BROKEN, envelope


@pytest.mark.parametrize("raw", [b"garbage", b"null", b"5", b"[]", b"{}", b"\xff", b'{"body": 5}', b'{"body": "%"}'])
def test_what_is_no_message_says_nothing_about_any_step(redis_url: str, raw: bytes) -> None:
    """The reconciler must go on looking, whatever somebody wrote into the queue."""
    queue = RedisQueue(Celery("tested", broker=redis_url, set_as_current=False))
    with redis.Redis.from_url(redis_url) as client:
        client.lpush("celery", raw, *(json.dumps(envelope(body)) for body in BROKEN))
        client.lpush("celery", json.dumps(envelope(b'[["workflow", "step"], {}, {}]')))
    # Two of the broken ones name two things; whether those are steps is the ledger's business.
    assert set(queue.oldest()) == {("workflow", "step"), ("a", "b"), ("{'a': 1}", "[2]")}
    queue.close()


def test_a_redis_that_lost_its_messages_is_noticed_once_by_everybody(redis_url: str) -> None:
    """The mark is gone with the messages; the first who looks sets a new one, and all see that it is another."""
    queues = [RedisQueue(Celery("queue", broker=redis_url, set_as_current=False)) for _ in range(2)]
    assert [queue.was_emptied() for queue in queues] == [False, False], "nobody has seen anything before"
    assert [queue.was_emptied() for queue in queues] == [False, False]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert [queue.was_emptied() for queue in queues] == [True, True]
    assert [queue.was_emptied() for queue in queues] == [False, False]
    for queue in queues:
        queue.close()
