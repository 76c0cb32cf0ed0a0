"""A webhook that keeps what it is sent: what ops use, on a real socket, as slow or broken as a test wants it."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from orchestrator.jsontype import Json


class Receiver:
    """Answers `status` after `wait()`; `messages` are those it took, `paths` of all that came."""

    def __init__(self, port: int = 0) -> None:
        self.messages: list[Json] = []
        self.paths: list[str] = []
        self.status = 200
        self.wait: Callable[[], object] = lambda: None
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.server_address[1]
        return port

    def url(self, path: str = "/hook") -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}{path}"

    def texts(self) -> list[str]:
        """What each message said."""
        return [f"{message['title']}\n{message['message']}" for message in self.messages]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.paths.append(self.path)
            receiver.wait()
            if receiver.status < 300:
                receiver.messages.append(message)
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the test's screen."""

    return Handler
