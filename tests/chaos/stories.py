"""Small records told by hand, for trying the checker: a ledger and books that fit, to be doctored."""

from collections.abc import Sequence

from orchestrator.jsontype import Json
from orchestrator.reading import read_document
from tests.chaos.load import Start
from tests.chaos.record import Call, Happened, Record, Told

URL = "http://services.example"


class Story:
    """One workflow, told entry by entry, a second apart; calls and rows follow from what is told."""

    def __init__(self, steps: dict[str, dict[str, Json]], **top: Json) -> None:
        whole = {name: {"targetUrl": f"{URL}/keyed/{name}", **step} for name, step in steps.items()}
        self.definition = read_document({"type": "told", "steps": whole, **top})
        self.now = 1000.0
        self.events: list[dict[str, Json]] = []
        self.calls: list[Call] = []
        self.row: dict[str, Json] = {
            "id": "w",
            "type": "told",
            "status": "running",
            "ending": None,
            "compensation": "none",
            "compensate": True,
            "start_key": "k",
            "created_at": self.now,
            "completed_at": None,
            "wake_at": None,
        }
        self.steps: dict[str, dict[str, Json]] = {name: _fresh() for name in self.definition.steps}
        self.workflow("started")

    def workflow(self, what: str, **details: Json) -> "Story":
        """An entry of the workflow's own."""
        self._entry(f"workflow.{what}", None, details)
        if what in ("completed", "failed", "cancelled"):
            self.row |= {"status": what, "completed_at": self.now}
        elif what == "failing":
            self.row |= {"ending": details["ending"], "status": "compensating"}
        elif what == "compensating":
            self.row["compensation"] = "completed"
        elif what in ("paused", "resumed"):
            self.row["status"] = "paused" if what == "paused" else "running"
        return self

    def starts(self, name: str) -> "Story":
        """A worker claims the step."""
        row = self.steps.setdefault(name, _fresh())
        row |= {"status": "running", "attempts": row["attempts"] + 1}
        self._entry("step.started", name, {"attempt": row["attempts"], "worker": "one"})
        return self

    def calls_service(self, name: str, *, acts: bool = True, kind: str = "keyed", key: str | None = None) -> "Story":
        """The step's service is called."""
        step, _, undo = name.partition(":")
        self.now += 0.25
        made = Call(len(self.calls) + 1, "w", step, "undo" if undo else kind, key or f"key of {name}", self.now)
        made.acted_at = self.now if acts else None
        self.calls.append(made)
        return self

    def ends(self, name: str, what: str = "completed", **details: Json) -> "Story":
        """The attempt is settled."""
        statuses = {"lost": "pending", "retrying": "waiting"}
        self.steps[name]["status"] = statuses.get(what, what)
        self._entry(f"step.{what}", name, {"attempt": self.steps[name]["attempts"], **details})
        return self

    def does(self, *names: str) -> "Story":
        """Each step is claimed, called and completed."""
        for name in names:
            self.starts(name).calls_service(name).ends(name)
        return self

    def record(self, *episodes: Happened, starts: Sequence[Start] = ()) -> Record:
        """The record of a run that had this workflow only."""
        told = Told(self.row, dict(self.steps), list(self.events), self.definition)
        asked = list(starts) or [Start(0, "k", "told", 1000.0, {"w"})]
        return Record({"w": told}, self.calls, asked, list(episodes), self.now, self.now + 30)

    def _entry(self, what: str, step: str | None, details: dict[str, Json]) -> None:
        self.now += 1
        self.events.append({"type": what, "step": step, "details": details, "at": self.now})


def undone() -> dict[str, Json]:
    """A compensation."""
    return {"targetUrl": f"{URL}/undo"}


def _fresh() -> dict[str, Json]:
    return {"status": "pending", "attempts": 0, "wake_at": None}
