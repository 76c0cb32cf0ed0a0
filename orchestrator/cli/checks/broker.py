"""Redis: whether it answers, keeps every message, and how long a message may wait."""

from collections.abc import Iterator, Mapping

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.cli.checks.finding import Finding, doubtful, well, wrong
from orchestrator.embedded import embedded_url
from orchestrator.jsontype import Json
from orchestrator.settings import Settings
from orchestrator.urls import client_url, masked

PATIENCE = 2.0
"""Seconds for each answer."""

SHORTEST_VISIBILITY = 600.0
"""Seconds. A message that waits in a busy worker for longer than the visibility time-out is delivered once more."""

QUEUES = ("orchestrator.high", "orchestrator", "orchestrator.low")


def check_broker(settings: Settings, transport: Mapping[str, Json]) -> Iterator[Finding]:
    """What a connection shows; `transport` is Celery's `broker_transport_options`."""
    url = settings.redis_url or embedded_url(settings.data)
    retry = Retry(NoBackoff(), 0)
    try:
        with redis.Redis.from_url(
            client_url(url), socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=retry
        ) as client:
            seen: Mapping[str, Json] = client.info()
            waiting = sum(int(client.llen(queue)) for queue in QUEUES)
    except redis.RedisError as error:
        yield _unreachable(settings, masked(url), error)
        return
    yield well("redis", f"{seen.get('redis_version', '?')} answers at {masked(url)}, {waiting} messages wait")
    yield from check_memory(seen)
    yield from check_visibility(transport)


def check_memory(seen: Mapping[str, Json]) -> Iterator[Finding]:
    """Whether Redis, as its INFO tells, throws messages away or is about to refuse them."""
    policy, most, used = seen.get("maxmemory_policy"), seen.get("maxmemory", 0), seen.get("used_memory", 0)
    if policy != "noeviction":
        yield wrong(
            "redis",
            f"its eviction policy is {policy}: when memory is short it throws messages away",
            "in redis.conf: maxmemory-policy noeviction (now: redis-cli CONFIG SET maxmemory-policy noeviction)",
        )
    if most and used > 0.9 * most:
        yield doubtful(
            "redis",
            f"{used / most:.0%} of its memory is used; when it is full, messages wait in the ledger",
            "raise maxmemory, or give the orchestrator a Redis of its own",
        )


def check_visibility(transport: Mapping[str, Json]) -> Iterator[Finding]:
    """Whether a message that merely waits would come twice."""
    seconds = transport.get("visibility_timeout", 3_600)
    if seconds < SHORTEST_VISIBILITY:
        yield wrong(
            "redis",
            f"the visibility time-out is {seconds:g} s: a message that waits longer in a busy worker comes twice",
            f"celeryconfig.py: broker_transport_options visibility_timeout of {SHORTEST_VISIBILITY:g} or more",
        )
    else:
        yield well("redis", f"a message may wait {seconds:g} s before it is delivered again")


def _unreachable(settings: Settings, url: str, error: redis.RedisError) -> Finding:
    if settings.redis_url is None:
        return doubtful(
            "redis",
            "the embedded one is not running",
            "it runs while `orchestrator up` does; or set ORCHESTRATOR_REDIS_URL",
        )
    return wrong("redis", f"{url} cannot be reached: {error}", "start Redis, or correct ORCHESTRATOR_REDIS_URL")
