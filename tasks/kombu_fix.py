"""A worker outlives its Redis: one method of kombu 5.7.0 raises what its callers know how to handle.

When Redis goes away, kombu drops the connection while a task that is acknowledged late is still running. The
acknowledgement then asks the dropped connection for its parameters, and the AttributeError that this raises
("'NoneType' object has no attribute 'hostname'") is no connection error: it ends the worker. As the connection error
that it is, it makes the worker connect again. kombu 5.5 and 5.6 do not have this fault.
"""

from collections.abc import Callable
from functools import wraps

import kombu
from kombu.transport.redis import Channel
from redis import ConnectionError as RedisConnectionError

from orchestrator.jsontype import Json

FAULTY = "5.7.0"
"""The one version that is changed: with another one, try `tests/facts` without this first."""


def survive_redis_restarts() -> None:
    """Corrects kombu in this process; to be called before a worker starts. Twice is once."""
    original: Callable[..., Json] = Channel._connparams
    if kombu.__version__ != FAULTY or hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def connparams(channel: Channel, asynchronous: bool = False) -> Json:
        if channel.connection is None or channel.connection.client is None:
            raise RedisConnectionError("the connection to Redis was dropped")
        return original(channel, asynchronous)

    Channel._connparams = connparams  # type: ignore[method-assign]  # to replace it is the point
