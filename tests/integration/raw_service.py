"""A service on a bare socket that answers byte by byte as a test says, and keeps a book of what reached it."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Behaviour = Callable[["Visit"], None]


class Visit:
    """One connection to the service."""

    def __init__(self, connection: socket.socket, service: "RawService", number: int) -> None:
        self.connection = connection
        self.service = service
        self.number = number
        """Counted from 0, in the order in which the connections came."""

    def read(self) -> bytes:
        """The next whole request, head and body; empty where the caller has closed the connection."""
        request = b""
        while b"\r\n\r\n" not in request:
            part = self.connection.recv(65536)
            if not part:
                return b""
            request += part
        head, _, body = request.partition(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        while len(body) < int(length.split(b":")[1]):
            body += self.connection.recv(65536)
        self.service.requests.append(head + b"\r\n\r\n" + body)
        return head + b"\r\n\r\n" + body

    def send(self, answer: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(answer)

    def drip(self, answer: bytes, every: float = 0.02) -> None:
        """Send a byte now and then until the caller has gone."""
        for byte in answer:
            self.send(bytes([byte]))
            if self.gone(every):
                return

    def gone(self, seconds: float) -> bool:
        """Whether the caller closes the connection (or sends more) within so many seconds."""
        return bool(select.select([self.connection], [], [], seconds)[0])


class RawService:
    """Listens on a free port of 127.0.0.1; each connection is handled by `behaviour` in a thread."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Close every connection and wait until every thread has ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            visit = Visit(connection, self, self.connections)
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(visit,)))
            self._threads[-1].start()

    def _serve(self, visit: Visit) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as closing:
            closing.callback(lambda: visit.connection.close())
            if self._tls is not None:
                visit.connection = self._tls.wrap_socket(visit.connection, server_side=True)
                self._open.append(visit.connection)
            self._behaviour(visit)


def answering(*answers: bytes) -> Behaviour:
    """Answer the n-th request with the n-th answer, on whichever connection it comes; the last one for ever."""

    def behaviour(visit: Visit) -> None:
        while visit.read():
            visit.send(answers[min(len(visit.service.requests), len(answers)) - 1])

    return behaviour


def once(answer: bytes) -> Behaviour:
    """Read one request, send these bytes, close."""

    def behaviour(visit: Visit) -> None:
        visit.read()
        visit.send(answer)

    return behaviour


def http(body: bytes | str = b"", *headers: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    """A whole answer with its Content-Length."""
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/{version} {status}", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + raw


@contextlib.contextmanager
def serving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[RawService]:
    """The service, closed at the end."""
    service = RawService(behaviour, tls)
    try:
        yield service
    finally:
        service.close()
