"""Whether each form of a step keeps what it promises: who is believed, children with their parents, limits.

Sentences as `tests.chaos.checking` gathers them, with the kind of finding; nothing where all is well.
"""

from collections.abc import Iterable, Iterator, Mapping

from tests.chaos.drawing import TIMEOUT
from tests.chaos.person import Decision
from tests.chaos.record import Call, Record, Said, Told
from tests.chaos.replaying import CLOCKS, FINAL

Sentences = Iterator[tuple[str, str]]
RECORDED = ("recorded", "repeated")
"""Answers that tell whoever has said something that it is on record."""


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
        given_up = call.asked_at + TIMEOUT
        end = min(call.answered_at or given_up, given_up)
        found += [(call.asked_at, 1, 0, call), (end, -1, 0, None)]
    for told in record.workflows.values():
        for event in told.events:
            if event["type"] == "step.lost" and told.limit_of(event["step"]) is not None:
                found += [(event["at"] - CLOCKS, 0, 1, None), (event["at"] + TIMEOUT, 0, -1, None)]
    return sorted(found, key=lambda one: (one[0], one[1]))
