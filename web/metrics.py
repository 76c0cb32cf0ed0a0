"""`/metrics`: what this installation's web processes count, and how the ledger and the queue stand just now.

Workers serve their own (ORCHESTRATOR_METRICS_PORT). The ledger is one for all, so it is asked here only, and no more
often than every few seconds however many ask.
"""

import threading
import time
from collections.abc import Callable, Iterator

from flask import Blueprint, Flask, Response, current_app

from orchestrator.embedded import embedded_url
from orchestrator.errors import Unavailable
from orchestrator.exposition import CONTENT_TYPE, Reading, begin, rendered
from orchestrator.ledger import Ledger
from orchestrator.ledger.due import first_sent
from orchestrator.ledger.pool import watch_pool
from orchestrator.ledger.views.standing import MOST, Standing, standing
from orchestrator.settings import Settings
from tasks.depth import QueueState, queue_state
from web.parameters import NONE, query
from web.parts import Parts

bp = Blueprint("metrics", __name__)

KEPT_SECONDS = 5.0
"""How old what is shown of the ledger and the queue may be."""

_EXTENSION = "orchestrator.gauges"


@bp.get("/metrics")
def shown() -> Response:
    """All of it, for Prometheus."""
    query(NONE)
    counted = begin(()).exposed()
    return Response(counted + current_app.extensions[_EXTENSION].text(), content_type=CONTENT_TYPE)


def register(app: Flask, parts: Parts) -> None:
    """Count what this process does from now on, and show it."""
    begin(parts.definitions.values())
    watch_pool(parts.ledger.database)
    app.extensions[_EXTENSION] = Gauges(lambda: list(_readings(parts.ledger, _redis_of(parts.settings))))
    app.register_blueprint(bp)


class Gauges:
    """The text of gauges that cost a question, asked anew when what was answered is `KEPT_SECONDS` old."""

    def __init__(self, ask: Callable[[], list[Reading]], kept: float = KEPT_SECONDS) -> None:
        self._ask = ask
        self._kept = kept
        self._asking = threading.Lock()
        self._text = b""
        self._until = 0.0

    def text(self) -> bytes:
        """As Prometheus reads it. Who comes while another one asks waits for the same answer."""
        with self._asking:
            if time.monotonic() >= self._until:
                self._text = rendered(self._ask())
                self._until = time.monotonic() + self._kept
            return self._text


def _readings(ledger: Ledger, redis_url: str) -> Iterator[Reading]:
    """Of a server that is away there is nothing but that it is."""
    try:
        stands = standing(ledger)
    except Unavailable:
        stands = None
    yield Reading("ledger_up", "Whether the database answers.", {"": float(stands is not None)})
    if stands is not None:
        yield from _of_ledger(stands)
    queued = queue_state(redis_url)
    yield Reading("broker_up", "Whether Redis answers.", {"": float(queued is not None)})
    if queued is not None:
        yield Reading("queue_messages", "Messages that wait in Redis for a worker.", {"": queued.messages})
        if stands is not None:
            age = _age_of(ledger, queued) if queued.messages else 0.0
            yield Reading("queue_oldest_seconds", "How long the oldest message has waited for a worker.", {"": age})


def _of_ledger(stands: Standing) -> Iterator[Reading]:
    yield Reading("workflows", f"Workflows that are not over, counted up to {MOST:,}.", stands.workflows, "status")
    yield Reading(
        "workflows_needing_person",
        "Workflows that ended with something that could not be undone.",
        {"": stands.needing_person},
    )
    yield Reading("steps_open", f"Steps that are ready, running or waiting, up to {MOST:,}.", stands.steps, "status")
    yield Reading("steps_parked", "Steps that wait in the ledger, by what for.", stands.parked, "waiting_for")
    yield Reading(
        "notices_untold",
        "Notices for ops that their destination would not take, by what becomes of them.",
        stands.untold,
        "state",
    )
    yield Reading("workers_alive", "Worker processes that show signs of life.", {"": stands.workers_alive})


def _age_of(ledger: Ledger, queued: QueueState) -> float:
    """Seconds since the oldest message was sent whose step still waits to be taken."""
    try:
        firsts, now = first_sent(ledger, queued.oldest)
        return max(0.0, now - min((at for at in firsts.values() if at is not None), default=now))
    except Unavailable:
        return 0.0


def _redis_of(settings: Settings) -> str:
    return settings.redis_url or embedded_url(settings.data)
