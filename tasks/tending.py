"""Threads beside the reconciler's for what may take its time: telling ops and webhooks, what is stuck, deleting."""

import logging
import random
import threading
from collections.abc import Callable

from orchestrator.call import Caller
from orchestrator.delivering import AT_ONCE, Courier
from orchestrator.errors import Unavailable
from orchestrator.keeping_house import Retention, Watch
from orchestrator.ledger import Ledger
from orchestrator.ledger.limiting import Limiter
from orchestrator.messenger import Messenger
from orchestrator.request import Surroundings
from orchestrator.scheduling import Clockwork
from orchestrator.sealing import Sealer
from orchestrator.settings import Settings
from orchestrator.signing import derived
from orchestrator.telling import Teller
from orchestrator.workflow import Publication

log = logging.getLogger("orchestrator")

AFTER_ERROR = 5.0
"""Seconds."""


class Tending(threading.Thread):
    """Makes a round again and again; the round says after how many seconds."""

    def __init__(self, name: str, round_: Callable[[], float]) -> None:
        super().__init__(name=name, daemon=True)
        self._round = round_
        self._stopped = threading.Event()

    def stop(self) -> None:
        """No further round. One that is under way may go on for a while; it dies with the process without harm."""
        self._stopped.set()

    def run(self) -> None:
        """Rounds until `stop`. A round that fails is logged and made again: this thread must outlive every server."""
        pause = 1.0
        # Workers that were started together must not all look at the same moment.
        while not self._stopped.wait(pause * random.uniform(0.7, 1.3)):  # noqa: S311 - spreading, not a secret
            try:
                pause = self._round()
            except Unavailable as error:
                log.warning("%s: the ledger cannot be reached: %s", self.name, error)
                pause = AFTER_ERROR
            except Exception:
                log.exception("%s: a round failed", self.name)
                pause = AFTER_ERROR


def courier(settings: Settings, ledger: Ledger) -> Courier:
    """Who delivers webhooks, with connections of its own: services that steps call must not wait for slow receivers."""
    keys = settings.key().split(",")
    caller = Caller(pool_size=AT_ONCE, max_answer_bytes=settings.max_answer_bytes, allow_hosts=settings.allow_hosts)
    around = Surroundings(settings.vars, settings.secrets, Sealer(keys))
    return Courier(ledger, caller, around, settings.webhook_secrets or derived(keys))


def tended(
    settings: Settings, ledger: Ledger, limiter: Limiter, publish: Callable[[Publication], None]
) -> list[Tending]:
    """The threads that these settings ask for, not started yet. Each place that is told has its own."""
    threads = [Tending("watch", Watch(ledger, settings.stuck_after).round), Tending("limits", limiter.tidy)]
    for number, url in enumerate(settings.notify):
        teller = Teller(ledger, number, Messenger(url), settings.public_url)
        threads.append(Tending(f"notices-{number + 1}", teller.round))
    threads.append(Tending("schedules", Clockwork(ledger, publish).round))
    threads.append(Tending("webhooks", courier(settings, ledger).round))
    if settings.retention is not None:
        threads.append(Tending("retention", Retention(ledger, settings.retention).round))
    return threads
