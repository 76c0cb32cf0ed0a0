"""Ops are told: one round for one place takes the notices that are due, sends them, and records what came of it."""

import logging
from collections.abc import Sequence
from typing import Protocol

from orchestrator.ledger import Ledger
from orchestrator.ledger.notices import GIVE_UP_AFTER, LEASE, Taken, not_told, take, told
from orchestrator.notice import digest_of, text_of, title_of

log = logging.getLogger("orchestrator")

IDLE = 3.0
"""Seconds between two looks."""

SINGLY = 5
"""So many notices are sent as a message each; more that are due at once are one message."""


class Place(Protocol):
    """Where messages are sent."""

    @property
    def name(self) -> str:
        """As it is logged."""

    def send(self, title: str, text: str) -> str | None:
        """Send it within a bounded time; the reason where that failed."""


class Teller:
    """Tells one place, the `destination`-th. Any number of processes may do so: a notice is with one at a time.

    Told at least once: who dies between sending and recording it leaves it to the next, once `lease` seconds are over.
    """

    def __init__(
        self, ledger: Ledger, destination: int, place: Place, public_url: str | None, *, lease: float = LEASE
    ) -> None:
        self._ledger = ledger
        self._destination = destination
        self._place = place
        self._public_url = public_url
        self._lease = lease

    def round(self) -> float:
        """Tell what is due; returns the seconds until the next round."""
        taken = take(self._ledger, self._destination, lease=self._lease)
        left = list(taken)
        for batch in [[each] for each in taken] if len(taken) <= SINGLY else [taken]:
            error = self._place.send(*self._words(batch))
            if error is not None:
                self._failed(left, error)
                break
            told(self._ledger, batch)
            left = left[len(batch) :]
        return IDLE

    def _words(self, batch: Sequence[Taken]) -> tuple[str, str]:
        if len(batch) == 1:
            return title_of(batch[0].notice), text_of(batch[0].notice, self._public_url)
        return digest_of([each.notice for each in batch], self._public_url)

    def _failed(self, left: Sequence[Taken], error: str) -> None:
        """What goes to the same place would fail too: it waits as well."""
        given_up = not_told(self._ledger, left, error)
        place = f"destination {self._destination + 1} of ORCHESTRATOR_NOTIFY ({self._place.name})"
        log.warning("%s could not be told of %d notices: %s", place, len(left), error)
        if given_up:
            log.error("%d notices are given up after %.0f days", given_up, GIVE_UP_AFTER / 86_400)
