"""A team's task: what is known of one that could not be sent, and for how long it is waited for."""

import socket
import threading
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import ResponseError

from tasks.foreign import never_arrived, parked


@pytest.fixture
def breaking() -> Iterator[int]:
    """The port of a Redis that reads and then breaks the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.recv(1)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def error_of(port: int) -> OperationalError:
    """What sending to that port raises."""
    app = Celery("tried", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
    app.conf.task_publish_retry = False
    app.conf.broker_transport_options = {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0}
    with pytest.raises(OperationalError) as raised:
        app.send_task("anything")
    return raised.value


def test_what_nobody_took_was_not_sent(breaking: int) -> None:
    """No server is there, or one that is full. A connection that breaks may have carried the message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    full = OperationalError("full")
    full.__cause__ = ResponseError("OOM command not allowed")
    assert never_arrived(error_of(closed))
    assert never_arrived(full)
    assert not never_arrived(error_of(breaking))


def test_the_time_of_a_task_is_counted_down_without_a_clock() -> None:
    """Each look may be made by another worker, whose clock may be an hour ahead."""
    pauses, left = [], 40.0
    while left > 0:
        waiting = parked("id", left)
        assert isinstance(waiting.memo, dict)
        pauses.append(waiting.seconds)
        left = waiting.memo["left"]
    assert pauses == [15.0, 15.0, 10.0]
