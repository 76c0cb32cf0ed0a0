"""What a run prints: its findings, how to see it again, and the table of recovery times for `docs/reliability.md`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tests.chaos.checking import KINDS, Finding
from tests.chaos.conducting import Plan
from tests.chaos.record import Record, Row
from tests.chaos.recovery import Recovery, percentile, recoveries

MOST_SHOWN = 5
"""Findings of one kind that are shown."""

MOST_TOLD = 3
"""Findings that are shown with the whole story of their workflow."""


def report(plan: Plan, record: Record, findings: Sequence[Finding]) -> Iterator[str]:
    """The lines."""
    yield from summary(plan, record)
    yield ""
    yield from table(recoveries(record), Counter(one.name for one in record.episodes if one.met))
    yield ""
    kinds = Counter(finding.kind for finding in findings)
    yield "findings: " + ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS)
    for number, finding in enumerate(_some_of_each(findings)):
        yield f"  {finding}"
        if number < MOST_TOLD:
            yield from _story(record, finding.workflow)
    if findings:
        yield f"  to see it again: {plan.command}"


def _some_of_each(findings: Sequence[Finding]) -> Iterator[Finding]:
    shown: Counter[str] = Counter()
    for finding in findings:
        shown[finding.kind] += 1
        if shown[finding.kind] <= MOST_SHOWN:
            yield finding


def summary(plan: Plan, record: Record) -> Iterator[str]:
    """What was done."""
    statuses = Counter(str(told.row["status"]) for told in record.workflows.values())
    ended = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    events = Counter(event["type"] for event in _events(record))
    faults = sum(len(episode.faults) for episode in record.episodes if episode.met)
    answered = sum(bool(start.ids) for start in record.starts)
    yield f"seed {plan.seed}, {plan.kind}, {plan.workers} workers, {plan.minutes:g} minutes"
    yield f"faults: {faults} in {sum(one.met for one in record.episodes)} episodes"
    if record.loads:
        yield f"load averages of the machine: {min(record.loads):.1f} to {max(record.loads):.1f}"
    waiting = Counter(
        e["details"]["waitingFor"] for e in _events(record) if e["type"] in ("step.waiting", "step.heldBack")
    )
    waiting["items"] = events["step.expanded"]
    yield "waited for: " + ", ".join(f"{name} {count}" for name, count in sorted(waiting.items()))
    yield f"said later: {len(record.said)}; decided: {len(record.decisions)}; webhooks told: {len(record.heard)}"
    yield f"starts: {len(record.starts)}, answered {answered}; workflows: {len(record.workflows)} ({ended})"
    yield f"calls: {len(record.calls)}; " + ", ".join(
        f"{name} {events[f'step.{name}']}" for name in ("lost", "resent", "late", "retrying")
    )


def _events(record: Record) -> Iterator[Row]:
    for told in record.workflows.values():
        yield from told.events


def table(found: Iterable[Recovery], episodes: Counter[str]) -> Iterator[str]:
    """Recovery times by fault, in Markdown. Seconds."""
    by_fault: dict[str, list[Recovery]] = {}
    for one in found:
        for fault in ("**all**", *one.fault.split(" + ")):
            by_fault.setdefault(fault, []).append(one)
    times: Counter[str] = Counter()
    for name, count in episodes.items():
        for fault in ("**all**", *name.split(" + ")):
            times[fault] += count
    yield "| fault | times | workflows under way | taken over or sent again | median | p99 | max |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for fault in sorted(times, key=lambda name: (name.startswith("*"), name)):
        ones = by_fault.get(fault, [])
        seconds = [one.seconds for one in ones] or [0.0]
        shown = " | ".join(f"{percentile(seconds, share):.1f}" for share in (0.5, 0.99, 1.0))
        yield f"| {fault} | {times[fault]} | {len(ones)} | {sum(one.hit for one in ones)} | {shown} |"


def _story(record: Record, workflow_id: str) -> Iterator[str]:
    told = record.workflows.get(workflow_id)
    if told is None:
        return
    yield f"      {told.row['type']} {told.row['status']} {told.row['ending']} {told.row['compensation']}"
    for name, step in told.steps.items():
        shown = {word: step[word] for word in ("status", "waits_for", "carrier", "wake_at", "sent_at", "worker")}
        yield f"      {name} {shown}"
    for event in told.events[-60:]:
        yield f"      {event['at']:.2f} {event['type']} {event['step'] or ''} {dict(event['details'])}"
    for call in record.of.get(workflow_id, []):
        yield f"      call {call.asked_at:.2f} {call.kind} {call.step} acted {call.acted_at} {call.fate} {call.key[:8]}"
