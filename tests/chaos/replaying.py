"""A workflow's audit log told again, entry by entry, each held against the rules with nothing but what came before it.

The rules are those of the design's invariants, worked out anew here from the definition and the statuses so far: no
code of the orchestrator decides what is right.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.workflow import step_of
from tests.chaos.record import UNDO, Row, Told

SETTLED = ("completed", "failed", "skipped")
FINAL = ("completed", "failed", "cancelled")
LATE = ("step.late", "workflow.rerun")
UNDER_WAY = ("callback", "poll", "child", "task")
"""What a step waits for while that which it began may yet act."""

ASKED = ("poll", "child", "task")
"""Of these a worker asks how they stand, without a new attempt; it may be lost over that."""

CLOCKS = 0.05
"""Seconds by which two readings of one clock, one of them in a transaction, may lie the wrong way round."""


@dataclass
class Seen:
    """A step as the log has told it so far. `effects` are those that its attempts may have had.

    `waits_for` is what its attempt is parked for, since `parked_at`; `started_at` is when that attempt was begun.
    """

    status: str = "pending"
    attempts: int = 0
    in_flight: bool = False
    effects: set[str] = field(default_factory=set)
    waits_for: str | None = None
    parked_at: float = 0.0
    started_at: float = 0.0

    def rest(self, status: str, effect: str) -> None:
        """It is not in flight any more; this is what its last attempt may have done."""
        self.status, self.in_flight, self.waits_for = status, False, None
        self.effects.add(effect)

    def park(self, waits_for: str, at: float) -> None:
        """Its attempt goes on without a worker."""
        self.status, self.waits_for, self.parked_at = "waiting", waits_for, at
        self.in_flight = waits_for in UNDER_WAY


@dataclass
class Replay:
    """One workflow, entry by entry. `wrong` gathers (kind of finding, sentence)."""

    told: Told
    status: str = ""
    ending: str | None = None
    undoing: list[str] | None = None
    steps: dict[str, Seen] = field(default_factory=dict)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    @property
    def definition(self) -> Definition:
        """What the workflow was started with."""
        return self.told.definition

    def run(self) -> "Replay":
        """Tell it to its end, and compare with what the rows say."""
        self.steps = {name: Seen() for name in self.definition.steps}
        for event in self.told.events:
            if event["type"] in LATE:
                continue
            if self.status in FINAL and event["type"] != "workflow.undoRequested":
                self._illegal(f"{event['type']} of {event['step']} after it was {self.status}")
            self._take(event)
        self._compare()
        return self

    def _take(self, event: Row) -> None:
        scope, _, what = event["type"].partition(".")
        if scope == "workflow":
            self._workflow(what, event["details"])
        else:
            self._step(what, event["step"], event["details"], event["at"])

    # The workflow's own entries

    def _workflow(self, what: str, details: Mapping[str, Json]) -> None:
        match what:
            case "started":
                self._move("", "running")
            case "paused":
                self._move("running", "paused")
            case "resumed":
                self._move("paused", "running" if self.ending is None else "compensating")
            case "failing":
                self._doom(details["ending"])
            case "compensating":
                self._begin_undo(details["steps"])
            case "completed":
                self._complete()
            case "failed" | "cancelled":
                self._end(what)
            case "undoRequested":
                self._take_back()
            case _ if what not in ("cancelRequested", "begun"):
                self._illegal(f"workflow.{what} is no entry that this run could cause")

    def _doom(self, ending: str) -> None:
        if self.ending is not None:
            self._illegal(f"it begins to end as {ending}, though it was to end as {self.ending}")
        self.ending = ending

    def _move(self, before: str, after: str) -> None:
        if self.status != before:
            self._illegal(f"it becomes {after} from {self.status or 'nothing'}")
        self.status = after

    def _take_back(self) -> None:
        """Its parent is undone; nobody else can ask for that."""
        if self.told.parent is None:
            self._illegal("it is to be undone, though no workflow had started it")
        self._move("completed", "compensating")
        self.ending = "cancelled"

    def _begin_undo(self, names: list[str]) -> None:
        if self.ending is None:
            self._illegal("it undoes, though it did not fail")
        if self.undoing is not None:
            self._illegal("it begins to undo a second time")
        if flying := [name for name, seen in self.steps.items() if seen.in_flight]:
            self._order(f"(7) undoing begins while {', '.join(flying)} is in flight")
        self.undoing, self.status = list(names), "compensating"

    def _complete(self) -> None:
        if self.ending is not None:
            self._illegal(f"it completes, though it was to end as {self.ending}")
        for name, seen in self.steps.items():
            if name in self.definition.steps and seen.status not in SETTLED:
                self._order(f"it completes while {name} is {seen.status}")
        self._move("running", "completed")

    def _end(self, status: str) -> None:
        if self.ending != status:
            self._illegal(f"it ends as {status}, though it was to end as {self.ending}")
        if flying := [name for name, seen in self.steps.items() if seen.in_flight]:
            self._order(f"(7) it ends while {', '.join(flying)} is in flight")
        self.status = status

    # A step's entries

    def _step(self, what: str, name: str, details: Mapping[str, Json], at: float) -> None:
        if name.endswith(UNDO) and name.removesuffix(UNDO) in self.steps:
            self.steps.setdefault(name, Seen())
        seen = self.steps.get(name)
        if seen is None:
            self._illegal(f"step.{what} of {name}, which is no step")
            return
        if seen.status in SETTLED:
            self._illegal(f"step.{what} of {name}, which is {seen.status}")
        self._hold_to_time(what, name, seen, details, at)
        self._go_on(what, name, seen, details, at)

    def _go_on(self, what: str, name: str, seen: Seen, details: Mapping[str, Json], at: float) -> None:
        match what:
            case "started":
                self._started(name, seen, details, at)
            case "waiting":
                self._from_running(name, what, seen, details)
                seen.park(details["waitingFor"], at)
            case "expanded":
                self._expanded(name, seen, details["items"], at)
            case "lost":
                self._lost(name, seen, details)
            case "retrying" | "completed":
                self._from_running(name, what, seen, details)
                seen.rest({"retrying": "waiting"}.get(what, what), _effect(what, details))
            case "failed" | "skipped":
                seen.rest(what, _effect(what, details))
            case "heldBack":
                seen.status = "waiting"  # it waits for a place before it is started
            case "outwaited":
                seen.status, seen.in_flight = "running", True  # it is left to a worker that was lost
            case _ if what != "resent":
                self._illegal(f"step.{what} of {name} is no entry that this run could cause")

    def _lost(self, name: str, seen: Seen, details: Mapping[str, Json]) -> None:
        """Who asks how an attempt stands may be lost over that; the attempt goes on."""
        self._from_running(name, "lost", seen, details)
        if seen.waits_for not in ASKED:
            seen.rest("pending", "unknown")

    def _expanded(self, name: str, seen: Seen, items: int, at: float) -> None:
        """A step's list is there: a row for each; or that of what its items have to take back."""
        if not seen.in_flight:
            self._illegal(f"step.expanded of {name}, which is {seen.status}")
        seen.park("items", at)
        if not name.endswith(UNDO):
            for index in range(items):
                self.steps.setdefault(f"{name}[{index}]", Seen())

    def _hold_to_time(self, what: str, name: str, seen: Seen, details: Mapping[str, Json], at: float) -> None:
        """What is waited for is waited for as long as the definition says."""
        own = self.definition.steps[step_of(name)]
        too_late = (details.get("error") or {}).get("kind") == "timeout"
        match seen.waits_for:
            case "timer" if what == "completed" and own.wait is not None:
                due = seen.parked_at + (own.wait.seconds or 0.0)
            case "approval" if too_late and own.approval is not None:
                due = seen.parked_at + own.approval.timeout
            case "callback" if too_late and own.callback is not None:
                due = seen.parked_at + own.callback.timeout
            case _:
                return
        if at < due - CLOCKS:
            self._order(f"(10) {name} has waited for its {seen.waits_for} {due - at:.2f} s less than it was to")

    def _from_running(self, name: str, what: str, seen: Seen, details: Mapping[str, Json]) -> None:
        if not (seen.in_flight or seen.waits_for or self._answered_after_all(name, what, seen)):
            self._illegal(f"step.{what} of {name}, which is {seen.status}")
        if details.get("attempt") != seen.attempts:
            self._illegal(f"step.{what} of {name} is for attempt {details.get('attempt')}, but {seen.attempts} is made")

    def _answered_after_all(self, name: str, what: str, seen: Seen) -> bool:
        """Whether a service may say that it is done although its attempt was given up, or lost with its worker."""
        own = self.definition.steps[step_of(name)]
        return what == "completed" and seen.attempts > 0 and (own.callback is not None or own.task is not None)

    def _started(self, name: str, seen: Seen, details: Mapping[str, Json], at: float) -> None:
        if seen.in_flight:
            self._illegal(f"{name} is started while it is in flight")
        seen.attempts += 1
        if details["attempt"] != seen.attempts:
            self._illegal(f"{name} is started as attempt {details['attempt']}, but {seen.attempts} is next")
        seen.status, seen.in_flight, seen.started_at = "running", True, at
        if self.status == "paused":
            self._order(f"(6) {name} is started while the workflow is paused")
        if name.endswith(UNDO):
            self._undo_started(name.removesuffix(UNDO))
        elif self.ending is not None:
            self._order(f"(6) {name} is started after the workflow began to fail")
        elif step_of(name) != name:
            self._item_started(name)
        elif (reason := self._not_ready(name)) is not None:
            self._order(f"(3) {name} is started, but {reason}")

    def _item_started(self, name: str) -> None:
        owner = self.definition.steps[step_of(name)]
        if self.steps[owner.name].waits_for != "items":
            self._order(f"(3) {name} is started, but {owner.name} does not wait for its items")
        calls = [item for item in self._items_of(owner.name) if self.steps[item].in_flight]
        if owner.for_each is not None and len(calls) > owner.for_each.max_parallel:
            self.wrong.append(("over the limit", f"{len(calls)} items of {owner.name} are under way at once"))

    def _items_of(self, step: str) -> list[str]:
        return [name for name in self.steps if name.startswith(f"{step}[") and not name.endswith(UNDO)]

    def _effects(self, step: str) -> set[str]:
        """Those that the step may have had, or that its items may have had."""
        items = [self.steps[item].effects for item in self._items_of(step)]
        return set().union(*items) if items else self.steps[step].effects

    def _undoes_items(self, step: str) -> bool:
        return self.steps.get(step + UNDO, Seen()).waits_for == "items"

    def _undo_started(self, step: str) -> None:
        if not self._effects(step) - {"none"}:
            self.wrong.append(("undone though not done", f"{step} had no effect, but is undone"))
        owner = step_of(step)
        if self.undoing is None:
            own = self.definition.steps[owner]
            tolerated = own.fallback is not None or own.optional or owner != step
            if not (self._undoes_items(owner) or (tolerated and self.steps[step].status == "failed")):
                self._order(f"(7) {step} is undone while the workflow runs, and its failure is not tolerated")
            return
        if owner != step:
            if not self._undoes_items(owner):
                self._order(f"(8) {step} is undone, but it is not the turn of {owner}")
            return
        if step not in self.undoing:
            self._order(f"(8) {step} is undone, but that was not said")
        for other in self._undone_before(step):
            status = self.steps.get(other + UNDO, Seen()).status
            if status not in SETTLED:
                self._order(f"(8) {step} is undone while the undo of {other}, which comes first, is {status}")

    def _undone_before(self, step: str) -> Iterator[str]:
        assert self.undoing is not None
        if self.definition.compensation == "sequential":
            yield from self.undoing[: self.undoing.index(step)] if step in self.undoing else ()
            return
        yield from (other for other in self.undoing if self.definition.graph.precedes(step, other))

    # What a step waits for

    def _not_ready(self, name: str) -> str | None:
        """Why the step may not be started yet; None where it may."""
        stood_for = self.definition.stands_in_for.get(name)
        if stood_for is not None:
            return self._holds_its_place(stood_for)
        own = self.definition.steps[name]
        ends = {before: self.resolution(before) for before in own.after}
        if own.join is not None:
            done = sum(end == "completed" for end in ends.values())
            return None if done >= own.join else f"{done} of the {own.join} that it needs have completed"
        if still_open := [before for before, end in ends.items() if end is None]:
            return f"{', '.join(still_open)} has not settled"
        if ends and all(end == "skipped" for end in ends.values()):
            return "all that it waits for was skipped"
        return None

    def resolution(self, name: str) -> str | None:
        """How the step, or who stood in for it, let its successors go; None as long as it does not."""
        while self.steps[name].status == "failed":
            fallback = self.definition.steps[name].fallback
            if fallback is None or self._not_needed(fallback):
                undo = self.steps.get(name + UNDO)
                undone = undo is None or undo.status in SETTLED
                return "failed" if self.definition.steps[name].optional and undone else None
            name = fallback
        status = self.steps[name].status
        return status if status in ("completed", "skipped") else None

    def _not_needed(self, fallback: str) -> bool:
        seen = self.steps[fallback]
        return seen.status == "skipped" and seen.attempts == 0

    def _holds_its_place(self, name: str) -> str | None:
        if self.steps[name].status != "failed":
            return f"{name} is {self.steps[name].status}"
        if self.definition.steps[name].compensate is None or not self._effects(name) - {"none"}:
            return None
        undo = self.steps.get(name + UNDO, Seen())
        return None if undo.status == "completed" else f"{name} may have acted, and its undo is {undo.status}"

    # The rows at the end

    def _compare(self) -> None:
        row = self.told.row
        if self.status != row["status"] and not (self.ending is not None and row["status"] == "compensating"):
            self._illegal(f"its row says {row['status']}, its log {self.status}")
        for name, seen in self.steps.items():
            stored = self.told.steps.get(name)
            if stored is None:
                self._illegal(f"{name} has no row")
            elif stored["status"] != seen.status and not (seen.status == "waiting" and stored["status"] == "pending"):
                self._illegal(f"the row of {name} says {stored['status']}, its log {seen.status}")
            elif stored["attempts"] != seen.attempts:
                self._illegal(f"the row of {name} says {stored['attempts']} attempts, its log {seen.attempts}")

    def _illegal(self, sentence: str) -> None:
        self.wrong.append(("illegal move", sentence))

    def _order(self, sentence: str) -> None:
        self.wrong.append(("wrongly ordered", sentence))


def _effect(what: str, details: Mapping[str, Json]) -> str:
    """What an attempt that ended so may have done in the world."""
    return {"lost": "unknown", "completed": "done"}.get(what) or str(details.get("effect", "none"))
