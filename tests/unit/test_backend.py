"""The result backend: publishing waits for no result, and fails as a plain message does where Redis is away."""

import time
from collections.abc import Iterator

import pytest
from celery import Celery, Task, chain, chord, group
from celery.canvas import Signature
from kombu.exceptions import OperationalError

from tests.servers import free_port

QUICK = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}


@pytest.fixture(scope="module")
def step() -> Iterator[Task]:
    """A step task of an app whose Redis refuses every connection."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    app = Celery("refused", broker=url, backend=f"tasks.backend:QuietRedisBackend+{url}", set_as_current=False)
    # Without this kombu goes on trying to connect for six seconds before the first byte, also with retry=False.
    app.conf.update(task_ignore_result=True, broker_transport_options=QUICK)

    @app.task(name="refused.step", shared=False)
    def step(name: str) -> None:
        """Never runs."""

    assert app.backend  # what it imports would count as the time of the first test
    yield step
    app.close()


CANVASES = ["message", "chain", "group", "chord", "chord in a chain", "chain in a chord", "chord in a chord"]


def canvas(words: str, step: Task) -> Signature:
    """A canvas of that form."""
    a, b, c = (step.si(name) for name in "abc")
    return {
        "message": a,
        "chain": chain(a, b),
        "group": group([a, b]),
        "chord": chord([a, b], c),
        "chord in a chain": chain(a, chord([b, c], a)),
        "chain in a chord": chord([chain(a, b), c], a),
        "chord in a chord": chord([chord([a, b], c), a], b),
    }[words]


@pytest.mark.parametrize("words", CANVASES)
def test_publishing_to_a_redis_that_is_away_fails_fast(words: str, step: Task) -> None:
    """Whatever the canvas: one kind of error, at once, so that the ledger can be left to it."""
    began = time.monotonic()
    with pytest.raises(OperationalError):
        canvas(words, step).apply_async(retry=False)
    assert time.monotonic() - began < 1


def test_publishing_leaves_nothing_behind(step: Task) -> None:
    """No result that nobody waits for is kept in the publisher."""
    with pytest.raises(OperationalError):
        canvas("chord", step).apply_async(retry=False)
    assert not step.backend._pending_results.concrete
    assert not step.backend.result_consumer.subscribed_to


def test_sockets_give_up_early_unless_the_url_says_otherwise() -> None:
    """Celery's own default is two minutes."""
    quiet = "tasks.backend:QuietRedisBackend+"
    assert Celery(backend=f"{quiet}redis://h/0", set_as_current=False).backend.connparams["socket_timeout"] == 5
    said = Celery(backend=f"{quiet}redis://h/0?socket_timeout=20", set_as_current=False)
    assert said.backend.connparams["socket_timeout"] == 20
    at_path = Celery(backend=f"{quiet}socket:///run/redis.sock", set_as_current=False)
    assert at_path.backend.connparams["path"] == "/run/redis.sock"


def test_the_password_is_not_shown() -> None:
    """A worker's banner prints where results go."""
    app = Celery(backend="tasks.backend:QuietRedisBackend+redis://:hunter2@h:1/0", set_as_current=False)
    assert "hunter2" not in app.backend.as_uri()
    assert "hunter2" not in str(app.conf.humanize())
