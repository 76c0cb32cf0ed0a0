"""Where a run happens: servers and services in a folder of their own, gone afterwards."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.books import Services
from benchmarks.peer import Place
from benchmarks.servers import PostgresServer, RedisServer


@contextlib.contextmanager
def places() -> Iterator[Place]:
    """A place for the length of the block."""
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="orchestrator-benchmarks-")))
        folder.chmod(0o755)  # PostgreSQL runs as somebody else where we are root
        services = Services(folder)
        ends.callback(services.end)
        redis = RedisServer(folder / "redis")
        ends.callback(redis.end)
        postgres = PostgresServer(folder / "postgres")
        ends.callback(postgres.end)
        yield Place(folder, services, redis, postgres)
