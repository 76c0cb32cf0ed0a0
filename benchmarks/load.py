"""A generator of HTTP requests: some connections that are kept alive, as fast as they can or at a fixed pace."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.figures import percentile

MakeRequest = Callable[[int], bytes]
"""The bytes of the n-th request."""


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """A request as it goes out."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Load:
    """What came of it: seconds each answer took, and the statuses of all answers."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def p(self, percent: float) -> float:
        """Milliseconds that so many percent of the answers did not exceed."""
        return percentile(self.latencies, percent) * 1000

    def expect(self, status: int) -> None:
        """Raises RuntimeError where another status came: nothing was measured then."""
        if set(self.statuses) != {status}:
            raise RuntimeError(f"expected only answers {status}, got {dict(self.statuses)}")


def generate(
    port: int, make: MakeRequest, *, connections: int = 8, seconds: float = 5.0, pace: float | None = None
) -> Load:
    """Send requests for so many seconds.

    With a pace (requests a second, of all connections together) an answer's time counts from the moment at which its
    request was due, so that a server which stalls is not asked less for it. Without one, each connection sends its
    next request when it has its answer.
    """
    return asyncio.run(_Generator(port, make, seconds, pace).run(connections))


class _Generator:
    def __init__(self, port: int, make: MakeRequest, seconds: float, pace: float | None) -> None:
        self._port = port
        self._make = make
        self._seconds = seconds
        self._pace = pace
        self._sent = 0
        self._load = Load()

    async def run(self, connections: int) -> Load:
        self._began = time.perf_counter()
        await asyncio.gather(*[self._connection() for _ in range(connections)])
        self._load.seconds = time.perf_counter() - self._began
        return self._load

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while (due := await self._next_due()) is not None:
                writer.write(self._make(self._sent))
                self._sent += 1
                self._load.statuses[await _answer(reader)] += 1
                self._load.latencies.append(time.perf_counter() - due)
        finally:
            writer.close()

    async def _next_due(self) -> float | None:
        """When the next request is due, once that is now; None at the end."""
        now = time.perf_counter()
        due = now
        if self._pace is not None:
            due = self._began + self._scheduled / self._pace
            self._scheduled += 1
        if due - self._began >= self._seconds:
            return None
        if due > now:
            await asyncio.sleep(due - now)
        return due

    _scheduled = 0


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, after = head.partition(b"content-length: ")
    if found:
        await reader.readexactly(int(after.split(b"\r\n", 1)[0]))
    return int(head.split(b" ", 2)[1])
