"""Whether traces are written: where the standard OTEL_… variables name an exporter and the extra `otel` is there.

Without both not one module of OpenTelemetry is imported.
"""

import logging
from typing import TYPE_CHECKING

from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.spans import Spans

log = logging.getLogger("orchestrator")


def begin(settings: Settings) -> "Spans | None":
    """Write the spans of what happens in this process from now on, if they are wanted."""
    if not settings.traces:
        return None
    try:
        from orchestrator.spans import begin as begin_spans
    except ModuleNotFoundError as error:
        log.warning("no traces: %s; install it with: pip install 'celery-orchestrator[otel]'", error)
        return None
    try:
        return begin_spans(settings.traces)
    except ValueError:
        log.warning(
            "no traces: no such exporter is installed as OTEL_TRACES_EXPORTER says: %s", ", ".join(settings.traces)
        )
        return None
