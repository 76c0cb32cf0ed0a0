"""The production server: gunicorn as a library, threads in a few processes, ended gracefully by SIGTERM or Ctrl-C."""

import ipaddress
import logging
import os
import threading
import time
from typing import cast

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from orchestrator.errors import SettingsError, Unavailable
from orchestrator.exposition import share
from orchestrator.logs import set_up
from orchestrator.reading import read_folder
from orchestrator.scheduling import keep_schedules
from orchestrator.settings import Settings
from orchestrator.supervisor import check_port
from web.application import create_app
from web.dashboard.streaming import LEAVING
from web.parts import EXTENSION, Parts

THREADS = 16
"""Of one process: a request holds one for a few milliseconds, most of them waiting for the database."""

MOST_PROCESSES = 4
_AGAIN = 2.0
GRACE = 10
"""Seconds that requests have to end in after SIGTERM."""


def serve(settings: Settings, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until a signal ends it; then SystemExit. To be called in the main thread, with the tables there.

    Raises SettingsError where the address can be reached by others and there are no API keys, DefinitionError where the
    definitions have faults, Unavailable where the port is taken.
    """
    check_guarded(settings, host)
    read_folder(settings.definitions)
    settings.key()  # made once, before several processes want it
    check_port(host, port)
    set_up(settings.log_level, settings.log_format)
    logging.captureWarnings(True)
    if _processes(settings) > 1:
        share()  # whichever process is asked for /metrics answers for all
    _Server(settings, host, port).run()


def check_guarded(settings: Settings, host: str) -> None:
    """Raise SettingsError where everybody who reaches the host could start and cancel workflows."""
    if not settings.api_keys and not _is_loopback(host):
        raise SettingsError(
            f"others can reach {host}, so ORCHESTRATOR_API_KEYS is needed, or --host 127.0.0.1; make a key with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )


class _Log(Logger):
    """Gunicorn's own lines, where and how all others are written."""

    def setup(self, cfg: Config) -> None:
        """It would keep them to itself."""
        super().setup(cfg)
        self.error_log.propagate = True


class _Server(BaseApplication):
    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._options = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "worker_class": "gthread",
            "workers": _processes(settings),
            "threads": THREADS,
            "keepalive": 30,
            "graceful_timeout": GRACE,
            "timeout": 60,
            "loglevel": settings.log_level.lower(),
            "logger_class": _Log,
            "errorlog": None,
            "proc_name": "orchestrator web",
            "post_worker_init": _begin,
            # It would be a file in the home folder that nobody asked for.
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        """Only what is said here: no file, no command line, no GUNICORN_CMD_ARGS."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:  # type: ignore[override]  # Flask says more of its arguments than the stub wants
        """The app, made in each process after the fork: no connection is shared."""
        return create_app(self._settings)


def _begin(worker: Worker) -> None:
    _tell_leaving(worker)
    app = cast(Flask, worker.wsgi)
    threading.Thread(target=_keep_schedules, args=(app,), name="schedules", daemon=True).start()


def _keep_schedules(app: Flask) -> None:
    """Once, as soon as the database is there: requests are not held up by it meanwhile."""
    parts = cast(Parts, app.extensions[EXTENSION])
    while True:
        try:
            return keep_schedules(parts.ledger, parts.definitions, parts.sealer)
        except Unavailable:
            time.sleep(_AGAIN)
        except Exception:
            logging.getLogger("orchestrator").exception("the definitions' schedules could not be kept")
            return None


def _tell_leaving(worker: Worker) -> None:
    """Let streams see that their process is about to end: they would hold it up until the grace is over."""
    cast(Flask, worker.wsgi).extensions[LEAVING] = lambda: not worker.alive


def _processes(settings: Settings) -> int:
    """One on SQLite: its threads queue fairly for the one writer, where processes would poll the file's lock.

    (Measured with 16 clients on 2 cores: 595 starts/s and 51 ms at the 99th percentile, against 391/s and 885 ms.)
    """
    return 1 if settings.database_url.startswith("sqlite") else min(MOST_PROCESSES, os.cpu_count() or 1)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
