"""Whether each form of a step, and of a start, keeps what it promises: who is believed, children, limits, ticks, ends.

Sentences as `tests.chaos.checking` gathers them, with the kind of finding; nothing where all is well.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from orchestrator.beginning import moment
from tests.chaos.drawing import CLOCKWORK, EVERY, TIMEOUT
from tests.chaos.hooks import Heard
from tests.chaos.person import Decision
from tests.chaos.record import Call, Record, Row, Said, Told
from tests.chaos.replaying import CLOCKS, FINAL

Sentences = Iterator[tuple[str, str]]
RECORDED = ("recorded", "repeated")
"""Answers that tell whoever has said something that it is on record."""


BEFORE = 0.5
"""Seconds by which a caller's time-out may begin before its request arrives: its slot is free when that is over."""


def believed(told: Told, said: Iterable[Said]) -> Sentences:
    """A service is believed about its own order, and nobody else is."""
    for one in said:
        if one.forged and one.status != 403:
            yield "forged", f"somebody without a token said {one.word} of {one.step}, and was answered {one.status}"
        if not one.forged and one.status == 403:
            yield "forged", f"the service said {one.word} of {one.step} with its token, and was refused"
        if one.word == "done" and one.answer in RECORDED and told.steps[one.step]["status"] != "completed":
            yield "lost", f"it is on record that {one.step} is done, but it {told.steps[one.step]['status']}"


def decided(told: Told, decisions: Iterable[Decision]) -> Sentences:
    """A step that waits for a person ends as that person said."""
    sent: dict[str, list[Decision]] = {}
    for one in decisions:
        sent.setdefault(one.step, []).append(one)
    for name, step in told.definition.steps.items():
        if step.approval is None:
            continue
        status, error = told.steps[name]["status"], told.steps[name]["error"] or {}
        own = sent.get(name, [])
        if status == "completed" and not any(one.verb == "approve" for one in own):
            yield "forged", f"nobody approved {name}, but it completed"
        if error.get("kind") == "rejected" and not any(one.verb == "reject" for one in own):
            yield "forged", f"nobody rejected {name}, but it failed so"
        for one in own:
            wanted = "completed" if one.verb == "approve" else "failed"
            if one.answer in RECORDED and status != wanted:
                yield "lost", f"it is on record that somebody did {one.verb} {name}, but it {status}"


def brought_up(told: Told, children: Mapping[tuple[str, str], list[Told]]) -> Sentences:
    """A step has one child; it ends before its parent, and is undone with it."""
    for name, step in told.definition.steps.items():
        if step.child is None:
            continue
        own = children.get((told.id, name), [])
        if len(own) > 1:
            yield "doubled", f"{name} has started {len(own)} workflows"
        if not own and told.steps[name]["status"] == "completed":
            yield "lost", f"{name} completed, but the workflow that it is to have started is not there"
        for child in own:
            yield from _with_its_parent(told, name, child)


def _with_its_parent(told: Told, name: str, child: Told) -> Sentences:
    if told.row["status"] not in FINAL:
        return
    ended = child.row["status"] in FINAL
    if not ended or child.row["completed_at"] > told.row["completed_at"] + CLOCKS:
        yield "wrongly ordered", f"it {told.row['status']}, while {child.id}, which {name} had started, was under way"
    if not ended:
        return
    done = child.row["status"] == "completed"
    if told.row["status"] == "completed" and done != (told.steps[name]["status"] == "completed"):
        yield (
            "lost",
            f"{name} {told.steps[name]['status']}, but {child.id}, which it had started, is {child.row['status']}",
        )
    if told.row["status"] != "completed" and done and told.row["compensate"] and told.row["compensation"] != "failed":
        yield "not undone", f"it {told.row['status']}, but {child.id}, which {name} had started, is still completed"


def told_of_ends(record: Record) -> Iterator[tuple[str, str, str]]:
    """Who wants to know how a workflow has ended is told at least once, under one id, and of nothing else."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for row in record.deliveries:
        rows.setdefault((row["workflow_id"], row["event"]), []).append(row)
    heard: dict[tuple[str, str], list[Heard]] = {}
    for one in record.heard:
        heard.setdefault((one.workflow, one.event), []).append(one)
        if not one.genuine:
            yield "forged", one.workflow, f"a webhook was told of {one.event} without our signature"
    ends = {end for told in record.workflows.values() for end in _ends_to_tell(told)}
    for workflow, event in sorted(heard.keys() - ends):
        yield "illegal move", workflow, f"a webhook was told of {event}, which nobody wanted to know, or never was"
    for end in sorted(ends):
        ids = {one.id for one in heard.get(end, ())}
        for sentence in _delivered(rows.get(end, []), {one.id for one in heard.get(end, ()) if one.status < 300}):
            yield "lost", end[0], f"{end[1]}: {sentence}"
        if len(ids | {row["id"] for row in rows.get(end, ())}) > 1:
            yield "doubled", end[0], f"a webhook was told of {end[1]} under several ids"


def _ends_to_tell(told: Told) -> Iterator[tuple[str, str]]:
    for event in told.events:
        ending = event["type"].removeprefix("workflow.")
        if ending in FINAL and any(ending in webhook.events for webhook in told.definition.webhooks):
            yield told.id, event["type"]


def _delivered(rows: list[Row], taken: set[str]) -> Iterator[str]:
    if not rows:
        yield "a webhook is to be told of it, but nobody will"
    for row in rows:
        if row["delivered_at"] is not None and row["id"] not in taken:
            yield "it is said to be delivered, but no webhook took it"
        if row["delivered_at"] is None and row["due_at"] is None:
            yield "a webhook is to be told of it, and it was given up"


def ticks(record: Record) -> Iterator[tuple[str, str, str]]:
    """Each tick of the clock has started one workflow, in time, until the schedule was paused."""
    name = f"schedule:definition:{CLOCKWORK}:"
    keys = [str(told.row["start_key"] or "") for told in record.workflows.values()]
    made = sorted(moment(key.removeprefix(name)) for key in keys if key.startswith(name))
    for one, following in pairwise(made):
        for missing in range(1, round((following - one) / EVERY)):
            yield "lost", CLOCKWORK, f"there is no workflow for the tick at {one + missing * EVERY:.2f}"
        if following - one < EVERY - CLOCKS:
            yield "doubled", CLOCKWORK, f"{following - one:.2f} s from one tick to the next"
    if record.paused_at is None:
        return
    if not made or made[-1] < record.quiet_at - EVERY - record.bound:
        yield "stuck", CLOCKWORK, f"its last tick is {record.quiet_at - max(made, default=0):.1f} s before the end"
    if made and made[-1] > record.paused_at + CLOCKS:
        yield "wrongly ordered", CLOCKWORK, f"a tick came {made[-1] - record.paused_at:.2f} s after it was paused"


def put_off(told: Told, delays: Mapping[str, float]) -> Sentences:
    """What is to begin later does not begin before."""
    begun = [event["at"] for event in told.events if event["type"] == "step.started"]
    due = told.row["created_at"] + delays.get(told.id, 0.0)
    if begun and begun[0] < due - CLOCKS:
        yield "wrongly ordered", f"it was put off, and began {due - begun[0]:.2f} s too early"


def crowds(record: Record) -> Iterator[tuple[str, str, str]]:
    """More calls under way at once than their limit allows, by the services' books: kind, workflow, sentence.

    A call ends with its answer, or where its caller gave it up. One whose worker was lost may still be there when its
    slot was given to the next: so many more are no finding.
    """
    allowed, under_way, lost = 0, 0, 0
    for at, change, lost_change, call in _comings_and_goings(record):
        under_way, lost = under_way + change, lost + lost_change
        if call is not None:
            limit = record.workflows[call.workflow].limit_of(call.step)
            allowed = limit or allowed
            if change > 0 and under_way > allowed + lost:
                yield (
                    "over the limit",
                    call.workflow,
                    f"{call.step} was called at {at:.2f} as one of {under_way} at once",
                )


def _comings_and_goings(record: Record) -> list[tuple[float, int, int, Call | None]]:
    """When a limited call comes or ends, and when one begins or ceases to count as lost; endings first."""
    found: list[tuple[float, int, int, Call | None]] = []
    for call in record.calls:
        told = record.workflows.get(call.workflow)
        if call.kind == "undo" or told is None or told.limit_of(call.step) is None:
            continue
        given_up = call.asked_at + TIMEOUT - BEFORE
        end = min(call.answered_at or given_up, given_up)
        found += [(call.asked_at, 1, 0, call), (end, -1, 0, None)]
    for told in record.workflows.values():
        for event in told.events:
            if event["type"] == "step.lost" and told.limit_of(event["step"]) is not None:
                found += [(event["at"] - CLOCKS, 0, 1, None), (event["at"] + TIMEOUT, 0, -1, None)]
    return sorted(found, key=lambda one: (one[0], one[1]))
