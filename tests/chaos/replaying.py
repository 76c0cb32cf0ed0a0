"""A workflow's audit log told again, entry by entry, each held against the rules with nothing but what came before it.

The rules are those of the design's invariants, worked out anew here from the definition and the statuses so far: no
code of the orchestrator decides what is right.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from tests.chaos.record import Row, Told

UNDO = ":undo"
SETTLED = ("completed", "failed", "skipped")
FINAL = ("completed", "failed", "cancelled")
LATE = ("step.late", "workflow.rerun")


@dataclass
class Seen:
    """A step as the log has told it so far. `effects` are those that its attempts may have had."""

    status: str = "pending"
    attempts: int = 0
    in_flight: bool = False
    effects: set[str] = field(default_factory=set)

    def rest(self, status: str, effect: str) -> None:
        """It is not in flight any more; this is what its last attempt may have done."""
        self.status, self.in_flight = status, False
        self.effects.add(effect)


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
            if self.status in FINAL:
                self._illegal(f"{event['type']} of {event['step']} after it was {self.status}")
            self._take(event)
        self._compare()
        return self

    def _take(self, event: Row) -> None:
        scope, _, what = event["type"].partition(".")
        if scope == "workflow":
            self._workflow(what, event["details"])
        else:
            self._step(what, event["step"], event["details"])

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
                if self.ending is not None:
                    self._illegal(f"it begins to end as {details['ending']}, though it was to end as {self.ending}")
                self.ending = details["ending"]
            case "compensating":
                self._begin_undo(details["steps"])
            case "completed":
                self._complete()
            case "failed" | "cancelled":
                self._end(what)
            case "cancelRequested":
                pass
            case _:
                self._illegal(f"workflow.{what} is no entry that this run could cause")

    def _move(self, before: str, after: str) -> None:
        if self.status != before:
            self._illegal(f"it becomes {after} from {self.status or 'nothing'}")
        self.status = after

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
            if not name.endswith(UNDO) and seen.status not in SETTLED:
                self._order(f"it completes while {name} is {seen.status}")
        self._move("running", "completed")

    def _end(self, status: str) -> None:
        if self.ending != status:
            self._illegal(f"it ends as {status}, though it was to end as {self.ending}")
        if flying := [name for name, seen in self.steps.items() if seen.in_flight]:
            self._order(f"(7) it ends while {', '.join(flying)} is in flight")
        self.status = status

    # A step's entries

    def _step(self, what: str, name: str, details: Mapping[str, Json]) -> None:
        undo = name.endswith(UNDO)
        if undo and name.removesuffix(UNDO) in self.steps:
            self.steps.setdefault(name, Seen())
        seen = self.steps.get(name)
        if seen is None:
            self._illegal(f"step.{what} of {name}, which is no step")
            return
        if seen.status in SETTLED:
            self._illegal(f"step.{what} of {name}, which is {seen.status}")
        if what == "started":
            self._started(name, seen, details)
        elif what in ("lost", "retrying", "completed"):
            self._from_running(name, what, seen, details)
            seen.rest({"lost": "pending", "retrying": "waiting"}.get(what, what), _effect(what, details))
        elif what in ("failed", "skipped"):
            seen.rest(what, _effect(what, details))
        elif what not in ("resent", "outwaited"):
            self._illegal(f"step.{what} of {name} is no entry that this run could cause")

    def _from_running(self, name: str, what: str, seen: Seen, details: Mapping[str, Json]) -> None:
        if not seen.in_flight:
            self._illegal(f"step.{what} of {name}, which is {seen.status}")
        if details.get("attempt") != seen.attempts:
            self._illegal(f"step.{what} of {name} is for attempt {details.get('attempt')}, but {seen.attempts} is made")

    def _started(self, name: str, seen: Seen, details: Mapping[str, Json]) -> None:
        if seen.in_flight:
            self._illegal(f"{name} is started while it is in flight")
        seen.attempts += 1
        if details["attempt"] != seen.attempts:
            self._illegal(f"{name} is started as attempt {details['attempt']}, but {seen.attempts} is next")
        seen.status, seen.in_flight = "running", True
        if self.status == "paused":
            self._order(f"(6) {name} is started while the workflow is paused")
        if name.endswith(UNDO):
            self._undo_started(name.removesuffix(UNDO))
        elif self.ending is not None:
            self._order(f"(6) {name} is started after the workflow began to fail")
        elif (reason := self._not_ready(name)) is not None:
            self._order(f"(3) {name} is started, but {reason}")

    def _undo_started(self, step: str) -> None:
        if not self.steps[step].effects - {"none"}:
            self.wrong.append(("undone though not done", f"{step} had no effect, but is undone"))
        if self.undoing is None:
            own = self.definition.steps[step]
            tolerated = self.steps[step].status == "failed" and (own.fallback is not None or own.optional)
            if not tolerated:
                self._order(f"(7) {step} is undone while the workflow runs, and its failure is not tolerated")
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
        if self.definition.steps[name].compensate is None or not self.steps[name].effects - {"none"}:
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
