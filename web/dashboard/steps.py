"""What a page tells of one step: its request and every attempt, from the workflow's JSON and the audit log. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.jsontype import Json
from orchestrator.workflow import undo_of, undone_by

_ENDS = {
    "step.completed": "completed",
    "step.retrying": "failed",
    "step.failed": "failed",
    "step.lost": "lost",
    "step.skipped": "skipped",
    "step.late": "late",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call; `ended` is the JSON of the event that tells of its end, None while it runs."""

    number: int
    at: str
    worker: str
    outcome: str
    ended: Json

    @property
    def details(self) -> Mapping[str, Json]:
        """What the audit log keeps of its end."""
        return self.ended["details"] if self.ended else {}


@dataclass(frozen=True, slots=True)
class Called:
    """A step or an undoing: the last request that was made (method, url, key) and all attempts."""

    request: Mapping[str, Json] | None
    attempts: Sequence[Attempt]


NOT_CALLED = Called(None, ())


def called(events: Iterable[Json]) -> dict[str, Called]:
    """By the ledger's name of the step (`undo_of` of a step's name for its undoing)."""
    by_step: dict[str, list[Json]] = {}
    for event in events:
        if event["step"] is not None:
            by_step.setdefault(event["step"], []).append(event)
    return {name: Called(_request(found), _attempts(found)) for name, found in by_step.items()}


def undoing(name: str) -> str:
    """The ledger's name of a step's undoing."""
    return undo_of(name)


def told(event: Json) -> str:
    """What the page calls the step of an event."""
    name = event["step"]
    return "" if name is None else f"undo {undone_by(name)}" if name == undo_of(undone_by(name)) else name


def _request(events: Sequence[Json]) -> Mapping[str, Json] | None:
    return next((event["details"] for event in reversed(events) if "url" in event["details"]), None)


def _attempts(events: Sequence[Json]) -> list[Attempt]:
    found: list[Attempt] = []
    for event in events:
        if event["type"] == "step.started":
            details = event["details"]
            found.append(Attempt(details["attempt"], event["at"], details.get("worker") or "", "running", None))
        elif event["type"] in _ENDS and found and found[-1].ended is None:
            open_ = found.pop()
            found.append(Attempt(open_.number, open_.at, open_.worker, _ENDS[event["type"]], event))
    return found
