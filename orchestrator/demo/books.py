"""The books of the example services: every request in order, and one effect for one idempotency key."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from orchestrator.jsontype import Json

Kind = Literal["booked", "replayed", "refused", "failed"]


@dataclass(frozen=True)
class Caller:
    """Who asks for what: the service, its endpoint (`step`), the workflow and the key that the request carried."""

    service: str
    step: str
    workflow_id: str | None
    key: str | None


@dataclass(frozen=True)
class Booking:
    """An effect: the answer to the caller and what the books note of it."""

    answer: Json
    noted: dict[str, Json] = field(default_factory=dict)


class KeyReused(Exception):
    """The same idempotency key came with another body."""


@dataclass
class _Kept:
    """What a key stands for. Its lock makes a second request with the same key wait for the first one's answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    body: Json = None
    booking: Booking | None = None


class Books:
    """In memory, for as long as the process lives; safe to use from the threads of a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[dict[str, Json]] = []
        self._kept: defaultdict[tuple[str, str], _Kept] = defaultdict(_Kept)

    def once(self, caller: Caller, body: Json, perform: Callable[[], Booking]) -> tuple[Json, bool]:
        """The answer, and whether it is a replay: `perform` runs once for each key, every time where there is none.

        What `perform` raises is not remembered, so that the same key may try again. Raises KeyReused.
        """
        if caller.key is None:
            booking = perform()
            self.note(caller, "booked", **booking.noted)
            return booking.answer, False
        with self._lock:
            kept = self._kept[caller.step, caller.key]
        with kept.lock:
            if kept.booking is None:
                booking = perform()
                kept.body, kept.booking = body, booking
                self.note(caller, "booked", **booking.noted)
                return booking.answer, False
            if kept.body != body:
                raise KeyReused
            self.note(caller, "replayed", **kept.booking.noted)
            return kept.booking.answer, True

    def note(self, caller: Caller, kind: Kind, **noted: Json) -> None:
        """Write a line."""
        entry = {
            "time": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "service": caller.service,
            "step": caller.step,
            "kind": kind,
            "workflowId": caller.workflow_id,
            "key": caller.key,
            **noted,
        }
        with self._lock:
            self._entries.append(entry)

    def booked(self, step: str, **noted: Json) -> list[dict[str, Json]]:
        """The effects of an endpoint whose notes hold these values, oldest first."""
        return [
            entry
            for entry in self.entries()
            if entry["kind"] == "booked"
            and entry["step"] == step
            and all(entry.get(name) == value for name, value in noted.items())
        ]

    def entries(self, service: str | None = None) -> list[dict[str, Json]]:
        """The lines of one service or of all, oldest first."""
        with self._lock:
            return [dict(entry) for entry in self._entries if service in (None, entry["service"])]

    def clear(self) -> None:
        """Forget everything, keys included."""
        with self._lock:
            self._entries.clear()
            self._kept.clear()
