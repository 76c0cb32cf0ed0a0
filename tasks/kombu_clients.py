"""One Redis client a channel: kombu 5.7.0 makes a new one for each message that it sends or acknowledges.

Making a client (its table of commands, its response callbacks) costs more than the command that is sent with it.
"""

from collections.abc import Callable
from functools import wraps

import kombu
from kombu.transport.redis import Channel
from redis import Redis

KNOWN = "5.7.0"
"""The one version that this was measured and tried with; with another one kombu stays as it is."""

_KEPT = "_orchestrator_client"


def keep_clients() -> None:
    """Has channels keep their client for as long as they keep its pool of connections. Twice is once."""
    original: Callable[..., Redis] = Channel._create_client
    if kombu.__version__ != KNOWN or hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def create_client(channel: Channel, asynchronous: bool = False) -> Redis:
        if asynchronous:  # the consumer's own, which kombu keeps already
            return original(channel, asynchronous)
        kept: Redis | None = channel.__dict__.get(_KEPT)
        # After a lost connection the channel has a new pool. Two threads may both make a client: either will do.
        if kept is None or kept.connection_pool is not channel.pool:
            kept = channel.__dict__[_KEPT] = original(channel)
        return kept

    Channel._create_client = create_client  # type: ignore[method-assign]  # to replace it is the point
