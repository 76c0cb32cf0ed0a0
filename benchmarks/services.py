"""The services that all peers call: one process that answers at once, or later, and keeps books of when.

    POST /<anything>               answered at once
    POST /after/<ms>/<anything>    answered after so many milliseconds
    POST /reset                    empties the books
    GET  /wait?count=N             answered when N calls have been answered since the last reset
    GET  /books                    [[workflow, step, arrived, answered], …], seconds of the monotonic clock

Who calls says which step it is with the headers `X-Workflow-Id` and `X-Step`. It reads no more of a request than it
must: what it costs is the same for all peers and counts for none of them.
"""

import asyncio
import json
import time

ANSWER = json.dumps(
    {
        "ok": True,
        "id": "r-4711",
        "userId": "u-4711",
        "orderId": "o-4711",
        "accountId": "a-4711",
        "trackingId": "k-4711",
        "transactionId": "t-4711",
        "receiptUrl": "http://localhost/receipts/4711",
    }
).encode()
"""Everything that any step of any shape reads of the one before it."""


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


_ANSWER = _response(ANSWER)


class Books:
    """What was called and when; who waits for how many answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, float, float]] = []
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def answered(self, workflow: str, step: str, arrived: float) -> None:
        """A call is being answered."""
        self.calls.append((workflow, step, arrived, time.monotonic()))
        if self._waiting:
            self._tell()

    async def wait(self, count: int) -> None:
        """Until so many calls have been answered."""
        told = asyncio.get_running_loop().create_future()
        self._waiting.append((count, told))
        self._tell()
        await told

    def reset(self) -> None:
        """Forget everything."""
        self.calls.clear()

    def _tell(self) -> None:
        for count, told in self._waiting:
            if len(self.calls) >= count and not told.done():
                told.set_result(None)
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]


class Connection(asyncio.Protocol):
    """One client; it sends its next request when it has the answer to the one before."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._received = b""
        self._controls: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A request, or a part of one."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        if len(rest) < int(_header(head, lowered, b"content-length") or 0):
            return
        self._received = b""
        self._begin(head, lowered)

    def _begin(self, head: bytes, lowered: bytes) -> None:
        arrived = time.monotonic()
        target = head.split(b" ", 2)[1].decode()
        workflow = _header(head, lowered, b"x-workflow-id")
        if not workflow:
            control = asyncio.create_task(self._control(target))
            self._controls.add(control)
            control.add_done_callback(self._controls.discard)
            return
        step = _header(head, lowered, b"x-step")
        if target.startswith("/after/"):
            delay = int(target.split("/", 3)[2]) / 1000
            asyncio.get_running_loop().call_later(delay, self._answer, workflow, step, arrived)
        else:
            self._answer(workflow, step, arrived)

    def _answer(self, workflow: str, step: str, arrived: float) -> None:
        self._books.answered(workflow, step, arrived)
        self._transport.write(_ANSWER)

    async def _control(self, target: str) -> None:
        body = b"{}"
        if target.startswith("/wait?count="):
            await self._books.wait(int(target.removeprefix("/wait?count=")))
        elif target == "/books":
            body = json.dumps(self._books.calls).encode()
        elif target == "/reset":
            self._books.reset()
        self._transport.write(_response(body))


def _header(head: bytes, lowered: bytes, name: bytes) -> str:
    _, found, after = lowered.partition(b"\r\n" + name + b": ")
    if not found:
        return ""
    start = len(head) - len(after)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].decode("latin-1")


async def serve() -> None:
    """On a free port of this machine, which is printed, until a signal ends it."""
    books = Books()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(books), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
