"""The findings of a run, all of which must be none. Reads the services' books, the ledger and what clients were told.

lost                      accepted, and neither ended nor with a time at which somebody will look at it; or not there
stuck                     not ended long after the last fault, or without progress for too long after some fault
doubled                   done twice by a service that honours keys, or called again without a cause
wrongly ordered           before its turn, after the end, while it may not
not undone                failed or cancelled, said to be undone, but the books have an open entry
undone though not done    the other way round
illegal move              an entry of the audit log that no arrow of the statuses leads to
start key                 one key, two workflows
forged                    somebody was believed who may not say how a step ended, or the rightful one was not
over the limit            more calls at once than a limit, or a list of items, allows
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.workflow import step_of
from tests.chaos.forms_held import believed, brought_up, crowds, decided, put_off, ticks, told_of_ends
from tests.chaos.record import Call, Happened, Record, Told
from tests.chaos.recovery import recoveries
from tests.chaos.replaying import CLOCKS, FINAL, UNDO, Replay

KINDS = (
    "lost",
    "stuck",
    "doubled",
    "wrongly ordered",
    "not undone",
    "undone though not done",
    "illegal move",
    "start key",
    "forged",
    "over the limit",
)


TAKEN_OVER = 15.0
"""Seconds after a fault's end within which a step may be taken over because of it."""


@dataclass(frozen=True, order=True)
class Finding:
    """Something that must not be. `workflow` is an id, or a start's key."""

    kind: str
    workflow: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.workflow}: {self.sentence}"


def check(record: Record) -> list[Finding]:
    """Everything that is wrong."""
    found = [*_starts(record), *_held_up(record), *_all_together(record)]
    children = record.children()
    delays = {workflow_id: start.delay for start in record.starts for workflow_id in start.ids}
    for told in record.workflows.values():
        calls = record.of.get(told.id, [])
        sentences = [
            *Replay(told).run().wrong,
            *_ended(told, record.at),
            *_booked(told, calls, record.episodes),
            *_called_rightly(told, calls),
            *_undone(told, calls),
            *believed(told, [said for said in record.said if said.workflow == told.id]),
            *decided(told, [one for one in record.decisions if one.workflow == told.id]),
            *brought_up(told, children),
            *put_off(told, delays),
        ]
        found += [Finding(kind, told.id, sentence) for kind, sentence in sentences]
    return sorted(set(found))


def _all_together(record: Record) -> Iterator[Finding]:
    for promise in (crowds, told_of_ends, ticks):
        yield from (Finding(*one) for one in promise(record))


Sentences = Iterator[tuple[str, str]]


def _starts(record: Record) -> Iterator[Finding]:
    keys = Counter((told.row["type"], told.row["start_key"]) for told in record.workflows.values())
    for (_, key), times in keys.items():
        if key is not None and times > 1:
            yield Finding("start key", key, f"{times} workflows were started with it")
    for start in record.starts:
        if len(start.ids) > 1:
            yield Finding("start key", start.key, f"clients were told {', '.join(sorted(start.ids))}")
        for workflow_id in start.ids:
            if workflow_id not in record.workflows:
                yield Finding("lost", workflow_id, "a client was told that it is accepted; the ledger has no such row")


def _held_up(record: Record) -> Iterator[Finding]:
    for one in recoveries(record):
        if one.seconds > record.bound:
            yield Finding("stuck", one.workflow, f"no progress for {one.seconds:.1f} s after {one.fault}")


def _ended(told: Told, at: float) -> Sentences:
    if told.row["status"] in FINAL:
        return
    times = [row["wake_at"] for row in (told.row, *told.steps.values()) if row["wake_at"] is not None]
    due = [row["wake_at"] for row in told.steps.values() if row["wake_at"] is not None]
    if not times:
        yield "lost", f"it is {told.row['status']}, and nobody will ever look at it"
    elif not due:
        yield "stuck", f"it is {told.row['status']}, and nobody looks at it before its deadline"
    else:
        yield "stuck", f"it is {told.row['status']}; its next look is {min(due) - at:+.1f} s from the end of the run"


# The books


def _booked(told: Told, calls: Iterable[Call], episodes: list[Happened]) -> Sentences:
    by_step: dict[tuple[str, bool], list[Call]] = {}
    for call in calls:
        by_step.setdefault((call.step, call.kind == "undo"), []).append(call)
    for (step, undo), made in by_step.items():
        what = f"{step}{UNDO if undo else ''}"
        if len({call.key for call in made}) > 1:
            yield "doubled", f"(5) {what} was called with several keys"
        acts = sum(call.acted_at is not None for call in made)
        lost = _lost(told, what)
        if acts > (1 + len(lost) if made[0].kind == "careless" else 1):
            yield "doubled", f"{what} was done {acts} times by a service that is {made[0].kind}"
        attempts = told.steps[what]["attempts"] if what in told.steps else 0
        if len(made) > attempts:
            yield "doubled", f"{what} was called {len(made)} times, but claimed {attempts} times"
    for name in told.steps:
        for begin, end in _lost(told, name):
            if not any(
                one.takes_over and one.begin - CLOCKS <= end and begin <= one.end + TAKEN_OVER for one in episodes
            ):
                yield "doubled", f"{name} was taken over from a worker that nothing was done to"


def _lost(told: Told, step: str) -> list[tuple[float, float]]:
    """From when to when an attempt of the step was under way that is said to be lost with its worker."""
    lost, began = [], 0.0
    for event in told.events:
        if event["step"] == step and event["type"] == "step.started":
            began = event["at"]
        elif event["step"] == step and event["type"] == "step.lost":
            lost.append((began, event["at"]))
    return lost


def _called_rightly(told: Told, calls: list[Call]) -> Sentences:
    """By the books' own times: after what it needs was done, and no step any more once undoing has begun."""
    first_acts: dict[str, float] = {}
    for call in calls:
        if call.kind != "undo" and call.acted_at is not None:
            first_acts.setdefault(call.step, call.acted_at)
    begun = [event["at"] for event in told.events if event["type"] == "workflow.compensating"]
    for call in calls:
        if call.kind == "undo":
            continue
        if begun and call.asked_at > begun[0] + CLOCKS:
            yield "wrongly ordered", f"(7) {call.step} was called {call.asked_at - begun[0]:.2f} s after undoing began"
        for before in _must_have_acted(told, call.step):
            if first_acts.get(before, float("inf")) > call.asked_at + CLOCKS:
                yield "wrongly ordered", f"(3) {call.step} was called before {before} was done"


def _must_have_acted(told: Told, step: str) -> Iterator[str]:
    own = told.definition.steps[step_of(step)]
    if own.join is None:
        for before in own.after:
            yield from (row for row in told.rows_of(before) if told.steps[row]["status"] == "completed")


def _undone(told: Told, calls: list[Call]) -> Sentences:
    """What the books have open and should not, and what they closed and should not have."""
    for step in told.definition.steps:
        for name in told.rows_of(step):
            yield from _undone_row(told, step, name, calls)


def _undone_row(told: Told, step: str, name: str, calls: list[Call]) -> Sentences:
    own, status = told.definition.steps[step], told.steps[name]["status"]
    if told.steps[step]["status"] == "failed":
        status = "failed"  # and with it whatever its items did
    acts = [call.acted_at for call in calls if call.step == name and call.kind != "undo" and call.acted_at]
    undos = [call.acted_at for call in calls if call.step == name and call.kind == "undo" and call.acted_at]
    still_open = bool(acts) and (not undos or max(acts) > max(undos)) and own.compensate is not None
    if told.row["status"] == "completed":
        if status == "completed" and (undos or not acts):
            yield "undone though not done" if undos else "lost", f"{name} completed; done {acts}, undone {undos}"
        if still_open and status == "failed":
            yield "not undone", f"the workflow went on without {name}, but what it did is still there"
    elif still_open and _should_be_undone(told, name):
        yield "not undone", f"the workflow {told.row['status']}, but {name} was done and not undone"


def _should_be_undone(told: Told, name: str) -> bool:
    if told.row["status"] not in FINAL or not told.row["compensate"]:
        return False
    undo = told.steps.get(name + UNDO)
    # One that failed for good is on record as such, and the workflow says that a person must look.
    recorded = undo is not None and undo["status"] == "failed" and told.row["compensation"] == "failed"
    return not recorded
