"""The services of the tests: one asyncio server that plays them all and keeps books of every request that came."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestrator.jsontype import Json


@dataclass(frozen=True)
class Call:
    """A request: `service` is the last part of its path, `at` when it arrived, `ended` when it was answered."""

    service: str
    body: Json
    headers: dict[str, str]
    at: float
    ended: float
    status: int

    @property
    def key(self) -> str:
        """The idempotency key that it carried."""
        return self.headers["idempotency-key"]


@dataclass
class Reply:
    """What a service answers: `delay` seconds later; `drop` closes the connection instead, after the work was done."""

    status: int = 200
    body: Json = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    headers: dict[str, str] = field(default_factory=dict)


Behaviour = Callable[[str, int, Json], Reply]
"""(service, how many requests of this workflow's step came before, body) → what to answer."""


def agreeable(service: str, before: int, body: Json) -> Reply:
    """Says yes at once."""
    return Reply(body={"by": service})


class Services:
    """A server on a free loopback port. `books` are in the order of arrival."""

    def __init__(self) -> None:
        self.books: list[Call] = []
        self.behaviour: Behaviour = agreeable
        self._loop = asyncio.new_event_loop()
        self._seen: dict[tuple[str, str], int] = {}
        self._port = 0
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="services", daemon=True)

    def __enter__(self) -> "Services":
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        """What steps are called below."""
        return f"http://127.0.0.1:{self._port}"

    def reset(self) -> None:
        """Empty books, agreeable services."""
        # New ones: an answer of the test before that is still on its way is noted in the old.
        self.books = []
        self._seen = {}
        self.behaviour = agreeable

    def answer(self, **replies: Reply | Sequence[Reply]) -> None:
        """Give services their replies: one for ever, or one after another, the last for ever."""
        named = {name.replace("_", "-"): reply for name, reply in replies.items()} | replies

        def behave(service: str, before: int, body: Json) -> Reply:
            reply = named.get(service)
            if reply is None:
                return agreeable(service, before, body)
            return reply if isinstance(reply, Reply) else reply[min(before, len(reply) - 1)]

        self.behaviour = behave

    def called(self) -> list[str]:
        """The services in the order in which they were called."""
        return [call.service for call in self.books]

    def keys(self) -> Counter[str]:
        """How often each idempotency key came."""
        return Counter(call.key for call in self.books)

    def reached(self, service: str) -> bool:
        """Whether a request has come to it, answered or not."""
        return any(name == service for _, name in self._seen)

    def of(self, service: str) -> list[Call]:
        """The requests that one service got."""
        return [call for call in self.books if call.service == service]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=4096)
        self._port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._done.wait()
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        arrived = time.time()
        service = head[0].split(" ")[1].split("?")[0].rsplit("/", 1)[-1]
        body = json.loads(raw) if raw else None
        seen = (headers.get("x-workflow-id", ""), service)
        before = self._seen.get(seen, 0)
        self._seen[seen] = before + 1
        reply, books = self.behaviour(service, before, body), self.books
        if reply.delay:
            await asyncio.sleep(reply.delay)
        books.append(Call(service, body, headers, arrived, time.time(), reply.status))
        if reply.drop:
            return False
        sent = json.dumps(reply.body).encode()
        lines = {"Content-Type": "application/json", "Content-Length": str(len(sent)), **reply.headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{text}\r\n".encode() + sent)
        await writer.drain()
        return True
