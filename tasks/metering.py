"""The metrics of a worker process, on a port of its own where ORCHESTRATOR_METRICS_PORT gives one; else at no cost.

The children of a prefork pool count in a folder that they share with the process that the port belongs to.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from celery.concurrency.prefork import TaskPool
from celery.signals import worker_init
from celery.worker import WorkController

from orchestrator.api_keys import ApiKey, Scope, found
from orchestrator.errors import DefinitionError
from orchestrator.ledger.engine import Database
from orchestrator.reading import read_folder
from orchestrator.settings import Settings

log = logging.getLogger("orchestrator")


@worker_init.connect
def _share(sender: WorkController, **_: object) -> None:
    """Before children are forked: where they will count."""
    if Settings.from_environment().metrics_port is not None and issubclass(sender.pool_cls, TaskPool):
        from orchestrator.exposition import share

        share()


def count(settings: Settings, database: Database) -> None:
    """Count what this process does from now on, if its metrics are wanted."""
    if settings.metrics_port is None:
        return
    from orchestrator.exposition import begin
    from orchestrator.ledger.pool import watch_pool

    try:
        definitions = read_folder(settings.definitions)
    except DefinitionError as error:
        # The worker can do without the folder: it reads definitions in the ledger.
        log.warning("metrics name no type and no step, because the definitions' folder has faults: %s", error)
        definitions = {}
    begin(definitions.values())
    watch_pool(database)


def serve(settings: Settings) -> None:
    """Answer on the port until the process ends. A port that is taken is logged: the work does not depend on it."""
    port = settings.metrics_port
    if port is None:
        return
    from orchestrator.exposition import CONTENT_TYPE, begin

    # As the web server: whoever can be reached by others asks for a key.
    host = "0.0.0.0" if settings.api_keys else "127.0.0.1"  # noqa: S104 - only where there are keys
    try:
        server = make_server(
            host, port, _answering(begin(()).exposed, CONTENT_TYPE, settings.api_keys), _Server, _Quiet
        )
    except OSError as error:
        log.error("no metrics: cannot listen on %s:%s (ORCHESTRATOR_METRICS_PORT): %s", host, port, error.strerror)
        return
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name that is overridden
        """A line for each scrape would say nothing."""


def _answering(
    exposed: Callable[[], bytes], content_type: str, keys: tuple[ApiKey, ...]
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, text = HTTPStatus.OK, b""
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        key = found(keys, given.strip().encode("latin-1")) if scheme.lower() == "bearer" else None
        if keys and key is None:
            status = HTTPStatus.UNAUTHORIZED
        elif key is not None and Scope.READ not in key.scopes:
            status = HTTPStatus.FORBIDDEN
        elif environ.get("PATH_INFO") != "/metrics":
            status = HTTPStatus.NOT_FOUND
        else:
            text = exposed()
        headers = [("Content-Type", content_type), ("Content-Length", str(len(text)))]
        if status is HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", 'Bearer realm="orchestrator"'))
        start_response(f"{status.value} {status.phrase}", headers)
        return [text]

    return answer
