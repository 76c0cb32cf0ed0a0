"""Celery's Redis result backend, without a subscription to anything that nobody waits for.

Publishing a chord makes Celery build the result of its header, which subscribes the publisher to the result of every
header task, also where results are ignored. That costs most of the time of publishing, is never given back where no
result ever comes, blocks for many seconds while Redis is down and then raises a bare RuntimeError. Here only who
waits (`get`, `join`) subscribes, at that moment.

In the settings it is named by its class before the URL:
`result_backend = "tasks.backend:QuietRedisBackend+redis://127.0.0.1:6379/0"` (for a Unix socket: `…+socket:///path`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from celery.backends.redis import RedisBackend
from celery.result import AsyncResult, ResultBase, ResultSet
from kombu.exceptions import OperationalError
from redis import ConnectionError as RedisConnectionError
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.jsontype import Json

SOCKET_SECONDS = 5.0


class QuietRedisBackend(RedisBackend):  # type: ignore[misc]  # Celery has no annotations: its classes are Any
    """A result backend that publishing hardly touches.

    Publishing a canvas with a chord writes the chord's size and nothing else. Where Redis cannot be reached that
    raises `kombu.exceptions.OperationalError` within `SOCKET_SECONDS`, the same error as publishing a plain message.
    `get` and `join` of results work as in Celery; callbacks given to `AsyncResult.then` are only called while
    somebody waits for that result.
    """

    def _params_from_url(self, url: str, defaults: Mapping[str, Json]) -> dict[str, Json]:
        """The URL's own parameters, over sockets that give up early: Celery's default waits two minutes.

        A connection that a restarted server has broken is replaced once, at once; an answer that does not come is
        not waited for again.
        """
        patience: dict[str, Json] = {
            name: min(defaults.get(name) or SOCKET_SECONDS, SOCKET_SECONDS)
            for name in ("socket_timeout", "socket_connect_timeout")
        }
        patience["retry"] = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        patience["retry_on_timeout"] = False
        made: dict[str, Json] = super()._params_from_url(url, {**defaults, **patience})
        return made

    @property
    def retry_policy(self) -> dict[str, float]:
        """No tries beyond that. Who publishes has an outbox (the ledger), and a web request must not hang here."""
        return {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0}

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Publishing a task subscribes to nothing."""

    def add_pending_result(self, result: AsyncResult, weak: bool = False, start_drainer: bool = True) -> AsyncResult:
        """Building a result subscribes to nothing."""
        return result

    def wait_for_pending(self, result: AsyncResult, **options: Json) -> Json:
        """Waiting for a result does."""
        super().add_pending_result(result)
        return super().wait_for_pending(result, **options)

    def iter_native(self, result: ResultSet, **options: Json) -> Iterator[tuple[str, Json]]:
        """Waiting for the results of a group subscribes to each of them."""
        for one in _single_results(result):
            super().add_pending_result(one)
        yield from super().iter_native(result, **options)

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Announces a chord. Raises OperationalError where Redis cannot be reached."""
        with self._as_operational_error():
            super().set_chord_size(group_id, chord_size)

    def apply_chord(self, header_result_args: tuple[Json, ...], body: Json, **options: Json) -> None:
        """Keeps the structure of a header of groups. Raises OperationalError where Redis cannot be reached."""
        with self._as_operational_error():
            super().apply_chord(header_result_args, body, **options)

    @contextmanager
    def _as_operational_error(self) -> Iterator[None]:
        try:
            yield
        except self.connection_errors as error:
            raise OperationalError(str(error)) from error


def _single_results(result: ResultBase) -> Iterator[AsyncResult]:
    waiting = [result]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ResultSet):
            waiting.extend(one.results)
        else:
            yield one
