"""Telling a browser the moment something changed: server-sent events, few and short, with polling as the way out."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from uuid import UUID

from flask import Blueprint, Response, current_app, jsonify, request

from orchestrator.errors import NotFound, Unavailable
from orchestrator.ledger.views import Pulse, pulse
from web.parts import parts

bp = Blueprint("streaming", __name__)

MOST_STREAMS = 5
"""Of one process, which has 16 threads: the others must stay free to answer. Who comes later polls."""

LASTS = 60.0
"""Seconds; the browser comes again by itself."""

LOOKS = 0.3
"""Seconds between two looks at the ledger."""

HEARTBEAT = 10.0
"""Seconds after which something is sent, so that proxies keep the line open and a browser that has left is noticed."""

LEAVING = "orchestrator.leaving"
"""The app's extension that says whether this process is about to end; `web.serving` sets it."""

_free = threading.BoundedSemaphore(MOST_STREAMS)


@bp.get("/workflows/<uuid:workflow_id>/pulse")
def looked(workflow_id: UUID) -> Response:
    """The number of its last event, for who polls."""
    found = pulse(parts().ledger, str(workflow_id))
    return jsonify(event=found.event, final=found.final)


@bp.get("/workflows/<uuid:workflow_id>/stream")
def stream(workflow_id: UUID) -> Response:
    """An event for each change after `?after=`, or after the last one that the browser had."""
    ledger, workflow = parts().ledger, str(workflow_id)
    seen = _number(request.headers.get("Last-Event-ID") or request.args.get("after", ""))
    first = pulse(ledger, workflow)
    if first.final and first.event == seen:
        return Response(status=204)  # for the browser: do not come again
    if not _free.acquire(blocking=False):
        response = Response("all streams are taken: poll instead\n", 503, mimetype="text/plain")
        response.headers["Retry-After"] = "5"
        return response
    leaving: Callable[[], bool] = current_app.extensions.get(LEAVING, lambda: False)
    response = Response(_events(lambda: pulse(ledger, workflow), seen, leaving), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    # Also where not one line of it could be sent.
    response.call_on_close(_free.release)
    return response


def _events(look: Callable[[], Pulse], seen: int, leaving: Callable[[], bool]) -> Iterator[str]:
    ends_at = time.monotonic() + LASTS
    quiet_until = time.monotonic() + HEARTBEAT
    yield "retry: 1000\n\n"
    while time.monotonic() < ends_at and not leaving():
        try:
            found = look()
        except (NotFound, Unavailable):
            return
        if found.event != seen:
            seen = found.event
            yield f"id: {seen}\ndata: {json.dumps({'event': seen, 'final': found.final})}\n\n"
            quiet_until = time.monotonic() + HEARTBEAT
        elif time.monotonic() > quiet_until:
            yield ": still here\n\n"
            quiet_until = time.monotonic() + HEARTBEAT
        if found.final:
            return
        time.sleep(LOOKS)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
