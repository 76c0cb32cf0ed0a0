"""The chaos proof in short: under a minute of faults on each database, and nothing is wrong at its end."""

from pathlib import Path

import pytest

from tests.chaos.checking import check
from tests.chaos.conducting import Plan, conduct
from tests.chaos.disk import possible
from tests.chaos.record import Record
from tests.chaos.report import report

EVERYWHERE = (
    *("kill-worker", "kill-claimed", "kill-settled", "flushall", "redis-restart", "messages", "broken-message"),
    *("kill-started", "kill-foreign", "term-worker", "disk-full", "clock-jump"),
)
SHORT = [
    Plan(
        1000,
        "postgresql",
        0.7,
        2,
        (*EVERYWHERE, "postgres-cut", "postgres-restart"),
        calm=4,
        scale=0.3,
        rate=3,
        bound=30,
    ),
    Plan(248, "sqlite", 0.7, 2, (*EVERYWHERE, "sqlite-lock"), calm=4, scale=0.3, rate=3, bound=30),
]
"""Seeds that draw steps of every form, and early among the faults a full disk and (PostgreSQL) a clock that jumps.

The bound is twice what is promised: no test of every day may depend on what else the machine does.
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("plan", SHORT, ids=[plan.kind for plan in SHORT])
def test_whatever_dies_nothing_is_lost_stuck_doubled_or_left_undone(plan: Plan, folder: Path) -> None:
    """Real processes, faults one after the other; judged by the services' books and the ledger alone."""
    record = conduct(plan, folder)
    findings = check(record)
    assert not findings, "\n".join(report(plan, record, findings))
    ended = {str(told.row["status"]) for told in record.workflows.values()}
    assert {"completed", "failed"} <= ended, "a proof in which nothing fails, or nothing ends well, proves little"
    assert sum(episode.met for episode in record.episodes) >= 5, [episode.name for episode in record.episodes]
    assert possible() is not None or any("disk-full" in one.faults for one in record.episodes if one.met)
    assert waited_for(record) >= {"callback", "poll", "approval", "timer", "child", "task", "items"}
    assert record.said
    assert record.decisions
    assert record.heard


def waited_for(record: Record) -> set[str]:
    """What steps of any workflow waited for within an attempt."""
    events = [event for told in record.workflows.values() for event in told.events]
    expanded = {"items"} if any(event["type"] == "step.expanded" for event in events) else set()
    return expanded | {event["details"]["waitingFor"] for event in events if event["type"] == "step.waiting"}
