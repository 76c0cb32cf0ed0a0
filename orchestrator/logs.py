"""Where logging is set up, for workers, the web and the command alike: one handler, console or JSON lines."""

import json
import logging
import sys
import time
from logging.handlers import WatchedFileHandler
from typing import TextIO

from orchestrator.changes import Change
from orchestrator.jsontype import Json
from orchestrator.setting_texts import LogFormat


def set_up(level: int | str, form: LogFormat, *, file: str | None = None) -> None:
    """Write what is logged from `level` on to standard error, or to `file`. A second call replaces the first."""
    handler: logging.Handler = _File(file) if file else _StandardError()
    handler.setFormatter(JsonLines() if form == "json" else Console())
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each, _File | _StandardError)]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    root.setLevel(level)


class Console(logging.Formatter):
    """`2025-01-31T12:00:00.123Z INFO orchestrator: step.completed workflowId=…`, for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """In UTC, as the API and the audit log write it."""
        return _moment(record)


class JsonLines(logging.Formatter):
    """One JSON object a line, for machines: a change of state with its ids as fields, everything else as `message`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Json] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
        }
        if isinstance(record.msg, Change):
            line |= record.msg.fields()
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


class _StandardError(logging.Handler):
    """Our handler to whatever is standard error at the time."""

    @property
    def stream(self) -> TextIO:
        """Celery asks for it."""
        return sys.stderr

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line at once; where that fails, logging says so in its own way."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


class _File(WatchedFileHandler):
    """Our handler to a file (`celery worker --logfile`), which may be rotated by others."""


def _moment(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z"
