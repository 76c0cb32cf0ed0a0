"""Small records told by hand, for trying the checker: a ledger and books that fit, to be doctored."""

from collections.abc import Sequence

from orchestrator.jsontype import Json
from orchestrator.moments import iso
from orchestrator.reading import read_document
from tests.chaos.drawing import CLOCKWORK
from tests.chaos.hooks import Heard
from tests.chaos.load import Start
from tests.chaos.person import Decision
from tests.chaos.record import Call, Happened, Record, Said, Told

URL = "http://services.example"
WITHOUT = {"wait", "approval", "workflow"}
"""What makes a step that calls nobody."""


class Story:
    """One workflow, told entry by entry, a second apart; calls and rows follow from what is told."""

    def __init__(self, steps: dict[str, dict[str, Json]], **top: Json) -> None:
        whole = {name: step if WITHOUT & step.keys() else _called(name, step) for name, step in steps.items()}
        self.definition = read_document({"type": "told", "steps": whole, **top})
        self.now = 1000.0
        self.events: list[dict[str, Json]] = []
        self.calls: list[Call] = []
        self.said: list[Said] = []
        self.decisions: list[Decision] = []
        self.children: list[Told] = []
        self.heard: list[Heard] = []
        self.deliveries: list[dict[str, Json]] = []
        self.paused_at: float | None = None
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
            "parent": None,
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

    def parks(self, name: str, waits_for: str) -> "Story":
        """The attempt goes on without a worker."""
        self.steps[name]["status"] = "waiting"
        self._entry("step.waiting", name, {"attempt": self.steps[name]["attempts"], "waitingFor": waits_for})
        return self

    def expands(self, name: str, items: int) -> "Story":
        """The step's list is there: its items may be called."""
        self.steps[name]["status"] = "waiting"
        self.steps |= {f"{name}[{index}]": _fresh() for index in range(items)}
        self._entry("step.expanded", name, {"items": items})
        return self

    def hears(
        self, name: str, word: str, status: int = 200, answer: str | None = None, *, forged: bool = False
    ) -> "Story":
        """Somebody says what came of an order."""
        self.said.append(Said("w", name, word, forged, status, answer))
        return self

    def decides(self, name: str, verb: str, answer: str | None = "recorded") -> "Story":
        """A person decides."""
        self.decisions.append(Decision("w", name, verb, 200 if answer else 409, answer))
        return self

    def begets(self, name: str, status: str) -> "Story":
        """The step starts another workflow, which ends so."""
        child = Story({"z": {}})
        child.row |= {"id": f"child-{len(self.children)}", "start_key": f"child-{len(self.children)}"}
        child.row["parent"] = {"workflow_id": "w", "step": name, "types": []}
        child.starts("z").calls_service("z").ends("z").workflow("completed")
        if status == "cancelled":
            child.workflow("undoRequested").workflow("cancelled")
        for call in child.calls:
            call.workflow = str(child.row["id"])
            self.calls.append(call)
        self.children.append(child.told())
        return self

    def tells(self, event: str, *, status: int = 200, genuine: bool = True, message: str = "m") -> "Story":
        """A webhook is told how the workflow has ended."""
        self.heard.append(Heard("w", event, message, genuine, status))
        return self

    def delivers(self, event: str, *, delivered: bool = True, due: bool = False, message: str = "m") -> "Story":
        """The ledger has a message for a webhook."""
        times = {"delivered_at": self.now if delivered else None, "due_at": self.now if due else None}
        self.deliveries.append({"id": message, "workflow_id": "w", "event": event, **times})
        return self

    def ticks(self, *seconds: float) -> "Story":
        """The clock has started a workflow at each of these times, counted from the beginning."""
        for at in seconds:
            made = Story({"z": {}}).does("z").workflow("completed")
            name = f"tick at {at}"
            made.row |= {"id": name, "start_key": f"schedule:definition:{CLOCKWORK}:{iso(1000.0 + at)}"}
            for call in made.calls:
                call.workflow = name
                self.calls.append(call)
            self.children.append(made.told())
        return self

    def told(self) -> Told:
        """The workflow as its ledger would tell it now."""
        return Told(self.row, dict(self.steps), list(self.events), self.definition)

    def does(self, *names: str) -> "Story":
        """Each step is claimed, called and completed."""
        for name in names:
            self.starts(name).calls_service(name).ends(name)
        return self

    def record(self, *episodes: Happened, starts: Sequence[Start] = ()) -> Record:
        """The record of a run that had this workflow only."""
        told = {str(one.row["id"]): one for one in (self.told(), *self.children)}
        asked = list(starts) or [Start(0, "k", "told", 1000.0, {"w"})]
        end = self.now, self.now + 30
        return Record(
            *(told, self.calls, asked, list(episodes), *end),
            said=self.said,
            decisions=self.decisions,
            heard=self.heard,
            deliveries=self.deliveries,
            paused_at=self.paused_at,
        )

    def _entry(self, what: str, step: str | None, details: dict[str, Json]) -> None:
        self.now += 1
        self.events.append({"type": what, "step": step, "details": details, "at": self.now})


def _called(name: str, step: dict[str, Json]) -> dict[str, Json]:
    return {"targetUrl": f"{URL}/keyed/{name}", **step}


def undone() -> dict[str, Json]:
    """A compensation."""
    return {"targetUrl": f"{URL}/undo"}


def _fresh() -> dict[str, Json]:
    return {"status": "pending", "attempts": 0, "wake_at": None, "error": None}
