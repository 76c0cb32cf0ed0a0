"""kombu keeps its Redis client: what we changed in it is there, for the version that it was tried with."""

import kombu
from kombu.transport.redis import Channel

import tasks.app  # noqa: F401  # importing it is what changes kombu
from tasks.kombu_clients import KNOWN


def test_a_channel_makes_one_client_for_its_pool_and_another_for_the_next_pool(redis_url: str) -> None:
    """Messages share the client; after a lost connection the channel's new pool gets its own."""
    assert kombu.__version__ == KNOWN, "measure again, then raise KNOWN"
    with kombu.Connection(redis_url) as connection:
        channel: Channel = connection.default_channel
        first = channel._create_client()
        assert channel._create_client() is first
        channel._disconnect_pools()
        second = channel._create_client()
        assert second is not first
        assert second.ping()
