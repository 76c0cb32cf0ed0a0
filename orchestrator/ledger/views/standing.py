"""How many workflows and steps stand where, for gauges that are asked for all the time.

Every number comes from an index and is counted no further than `MOST`, so that a ledger of millions answers in
milliseconds. What is over is not counted here: the counters of who ended it say that.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, case, func, literal, select

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import notices, steps, workers, workflows
from orchestrator.states import FINAL, Compensation, StepStatus, WorkflowStatus

MOST = 100_000

OPEN = tuple(status for status in WorkflowStatus if status not in FINAL)
_MOST_NEEDING = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """`steps` holds those that are open by status, `parked` the waiting ones of them by what they wait for.

    `untold` holds the notices that their destination would not take: those that are sent again (`retrying`), and those
    that were given up (`given_up`).
    """

    workflows: Mapping[str, int]
    needing_person: int
    steps: Mapping[str, int]
    parked: Mapping[str, int]
    workers_alive: int
    untold: Mapping[str, int]


def standing(ledger: Ledger) -> Standing:
    """Four queries. Raises Unavailable."""
    with ledger.database.reading() as connection:
        now = ledger.database.now(connection)
        counted = dict(connection.execute(_WORKFLOWS).mappings().one())
        open_steps = connection.execute(_STEPS).all()
        untold = connection.execute(_UNTOLD).one()
        alive = connection.execute(select(func.count()).where(workers.c.seen_until >= now)).scalar_one()
    by_status = dict.fromkeys((StepStatus.PENDING.value, StepStatus.RUNNING.value, StepStatus.WAITING.value), 0)
    parked: dict[str, int] = {"retry": 0}
    for row in open_steps:
        by_status[row.status] = by_status.get(row.status, 0) + row.number
        if row.status == StepStatus.WAITING.value:
            parked[row.waiting_for or "time"] = row.number
    return Standing(counted, counted.pop(_NEEDING), by_status, parked, alive, dict(untold._mapping))


_NEEDING = "needing_person"


def _counted(column: str, value: str, most: int) -> ScalarSelect[int]:
    some = select(literal(1)).where(workflows.c[column] == value).limit(most).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


_WORKFLOWS = select(
    *(_counted("status", status.value, MOST).label(status.value) for status in OPEN),
    _counted("compensation", Compensation.FAILED.value, _MOST_NEEDING).label(_NEEDING),
)
# In the order of the index: without it the database might rather read the whole table.
_OPEN_STEPS = (
    select(steps.c.status, case((steps.c.status == StepStatus.WAITING.value, steps.c.waiting_for)).label("waiting_for"))
    .where(steps.c.wake_at.is_not(None))
    .order_by(steps.c.wake_at)
    .limit(MOST)
    .subquery()
)
_STEPS = select(_OPEN_STEPS.c.status, _OPEN_STEPS.c.waiting_for, func.count().label("number")).group_by(
    _OPEN_STEPS.c.status, _OPEN_STEPS.c.waiting_for
)
# The oldest: what was given up stays until its workflow is deleted.
_REFUSED = (
    select(notices.c.due_at)
    .where(notices.c.told_at.is_(None), notices.c.error.is_not(None))
    .order_by(notices.c.created_at)
    .limit(MOST)
    .subquery()
)
_UNTOLD = select(
    func.count(_REFUSED.c.due_at).label("retrying"), (func.count() - func.count(_REFUSED.c.due_at)).label("given_up")
).select_from(_REFUSED)
