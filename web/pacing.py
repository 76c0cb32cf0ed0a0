"""How often workflows may be started by one client: by one API key, or from one address where there are no keys.

Counted in Redis, so that all web processes count together; while Redis is away each counts by itself, because a start
must be taken even then.
"""

import time
from math import ceil

from flask import Flask, current_app, request
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from werkzeug.exceptions import TooManyRequests

from orchestrator.api_keys import Scope
from orchestrator.embedded import embedded_url
from orchestrator.setting_texts import Rate
from orchestrator.settings import Settings
from orchestrator.urls import client_url
from web.guarding import ANYBODY, actor
from web.operations import needed

PATIENCE = 0.25
"""Seconds that Redis may take to count a start."""

REST = 5.0
"""Seconds that Redis is not asked for once it did not answer."""

_EXTENSION = "orchestrator.pacing"


class Pace:
    """Counts starts; safe to use from any thread."""

    def __init__(self, rate: Rate, redis_url: str) -> None:
        self.rate = rate
        self._bound: RateLimitItem = RateLimitItemPerSecond(rate.count, rate.seconds, namespace="starts")
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())
        patience = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "retry": Retry(NoBackoff(), 0)}
        storage = RedisStorage(client_url(redis_url), key_prefix="orchestrator", **patience)  # type: ignore[arg-type]  # its annotation knows fewer options than it passes on
        self._together = SlidingWindowCounterRateLimiter(storage)
        self._rests_until = 0.0

    def refused(self, client: str, starts: int) -> float | None:
        """None where that many more starts are within the bound, which they then count for; else seconds to wait."""
        if time.monotonic() >= self._rests_until:
            try:
                return self._counted(self._together, client, starts)
            except (RedisError, OSError):
                self._rests_until = time.monotonic() + REST
        return self._counted(self._alone, client, starts)

    def _counted(self, limiter: RateLimiter, client: str, starts: int) -> float | None:
        if limiter.hit(self._bound, client, cost=starts):
            return None
        return max(0.0, limiter.get_window_stats(self._bound, client).reset_time - time.time())


def register(app: Flask, settings: Settings) -> None:
    """Bound the starts, where ORCHESTRATOR_START_RATE says so. To be called after the guard, which knows who asks."""
    if settings.start_rate is None:
        return
    app.extensions[_EXTENSION] = Pace(settings.start_rate, settings.redis_url or embedded_url(settings.data))

    @app.before_request
    def count_start() -> None:
        if request.method == "POST" and needed(request.endpoint, request.method) is Scope.START:
            count_starts(1)


def count_starts(starts: int) -> None:
    """Count so many starts of the client who asks. Raises a 429, with Retry-After, where they are too many."""
    pace: Pace | None = current_app.extensions.get(_EXTENSION)
    if pace is None or starts < 1:
        return
    who = actor()
    wait = pace.refused(who if who != ANYBODY else request.remote_addr or ANYBODY, starts)
    if wait is not None:
        raise TooManyRequests(
            f"more than {pace.rate} starts of one client (ORCHESTRATOR_START_RATE); nothing was started",
            retry_after=max(1, ceil(wait)),
        )
