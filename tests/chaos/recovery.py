"""How long each kind of fault held work up: from the fault's end to the next progress of each workflow under way."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.record import Happened, Record, Row, Told

NO_PROGRESS = frozenset({"step.late", "step.resent", "step.lost", "workflow.paused", "workflow.rerun"})

_ENDS = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})

_THE_END = Happened((), math.inf, math.inf)


@dataclass(frozen=True)
class Recovery:
    """`workflow` made its next progress so many `seconds` after `fault`; `hit`: a step was taken over or sent again."""

    fault: str
    workflow: str
    seconds: float
    hit: bool


def recoveries(record: Record) -> Iterator[Recovery]:
    """One for each episode and each workflow under way at its end that had not been paused.

    A workflow that made no progress before the next episode began is counted there: it was hit again before it could.
    One that waits for another one which it has started goes on when that does.
    """
    progress = _progress(record)
    for episode, following in pairwise([*record.episodes, _THE_END]):
        if not episode.met:
            continue
        for told in record.workflows.values():
            found = _after(told, progress[told.id], episode, min(following.begin, record.at), record.bound)
            if found is not None:
                yield found


def _progress(record: Record) -> dict[str, list[Row]]:
    """Every workflow's entries with those of the workflows that it has started, in their order."""
    entries = {told.id: list(told.events) for told in record.workflows.values()}
    for (parent, _), children in record.children().items():
        entries[parent] = sorted([*entries[parent], *(event for one in children for event in one.events)], key=_at)
    return entries


def _at(event: Row) -> float:
    return float(event["at"])


def _after(told: Told, events: Sequence[Row], episode: Happened, until: float, bound: float) -> Recovery | None:
    if told.row["created_at"] > episode.end or _ended_before(told, episode.end):
        return None
    paused, hit = False, False
    for event in events:
        at = event["at"]
        if at <= episode.end:
            paused = _paused(event, paused)
            hit = hit or (at >= episode.begin and event["type"] in ("step.lost", "step.resent"))
            continue
        if paused:
            return None
        if event["type"] not in NO_PROGRESS:
            return Recovery(episode.name, told.id, at - episode.end, hit) if at <= until else None
        hit = hit or event["type"] in ("step.lost", "step.resent")
    return None if paused or until < episode.end + bound else Recovery(episode.name, told.id, until - episode.end, hit)


def _paused(event: Row, paused: bool) -> bool:
    if event["type"] == "workflow.paused":
        return True
    return paused and event["type"] != "workflow.resumed"


def _ended_before(told: Told, at: float) -> bool:
    """Whether it had ended by then; a child that is undone with its parent had ended before that."""
    ended = False
    for event in told.events:
        if event["at"] > at:
            break
        ended = event["type"] in _ENDS or (ended and event["type"] in NO_PROGRESS)
    return ended


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
