"""The tables of statuses, walked: what is final, what can be reached, and that nothing else is let through."""

import inspect
import itertools
import re

import pytest

from orchestrator import states
from orchestrator.states import (
    FINAL,
    SETTLED,
    STEP_MOVES,
    WORKFLOW_MOVES,
    StepStatus,
    WorkflowStatus,
)
from orchestrator.workflow import Head, StepState


def workflow(status: WorkflowStatus) -> Head:
    """A workflow of that status."""
    return Head("w", "t", "v", 0.0, status=status)


def reached_from(start: str, moves: dict) -> set[str]:  # type: ignore[type-arg]
    """Every status that some moves lead to."""
    reached, waiting = {start}, [start]
    while waiting:
        for following in moves[waiting.pop()] - reached:
            reached.add(following)
            waiting.append(following)
    return reached


def test_every_status_has_its_row() -> None:
    """No status is forgotten in the tables."""
    assert set(WORKFLOW_MOVES) == set(WorkflowStatus)
    assert set(STEP_MOVES) == set(StepStatus)


def test_every_status_can_be_reached_from_the_start() -> None:
    """No status is there for nothing."""
    assert reached_from(WorkflowStatus.RUNNING, WORKFLOW_MOVES) == set(WorkflowStatus)
    assert reached_from(StepStatus.PENDING, STEP_MOVES) == set(StepStatus)


def test_from_every_status_an_end_can_be_reached() -> None:
    """Nothing is stuck by the tables alone."""
    assert all(reached_from(status, WORKFLOW_MOVES) & FINAL for status in WorkflowStatus)
    assert all(reached_from(status, STEP_MOVES) & SETTLED for status in StepStatus)


def test_what_is_completed_or_skipped_stays_so() -> None:
    """Only what failed can be opened again, by a person; and a child is undone with its parent."""
    assert WORKFLOW_MOVES[WorkflowStatus.COMPLETED] == {WorkflowStatus.COMPENSATING}
    assert STEP_MOVES[StepStatus.COMPLETED] == STEP_MOVES[StepStatus.SKIPPED] == frozenset()
    assert STEP_MOVES[StepStatus.FAILED] == {StepStatus.PENDING}


def test_a_workflow_ends_badly_only_by_way_of_its_undoing() -> None:
    """Whoever fails or is cancelled was `compensating` before: what is in flight was waited for."""
    for ending in (WorkflowStatus.FAILED, WorkflowStatus.CANCELLED):
        assert [status for status in WorkflowStatus if ending in WORKFLOW_MOVES[status]] == [
            WorkflowStatus.COMPENSATING
        ]


def test_no_status_follows_itself() -> None:
    """Nothing happens twice: the second time is refused."""
    assert not any(status in WORKFLOW_MOVES[status] for status in WorkflowStatus)
    assert not any(status in STEP_MOVES[status] for status in StepStatus)


@pytest.mark.parametrize(("one", "other"), list(itertools.product(WorkflowStatus, repeat=2)))
def test_a_workflow_moves_along_its_arrows_and_no_other_way(one: WorkflowStatus, other: WorkflowStatus) -> None:
    """What the table does not say is refused, and says so."""
    head = workflow(one)
    if other in WORKFLOW_MOVES[one]:
        head.move(other)
        assert head.status is other
    else:
        with pytest.raises(ValueError, match=f"{one} does not become {other}"):
            head.move(other)
        assert head.status is one


@pytest.mark.parametrize(("one", "other"), list(itertools.product(StepStatus, repeat=2)))
def test_a_step_moves_along_its_arrows_and_no_other_way(one: StepStatus, other: StepStatus) -> None:
    """What the table does not say is refused, and says so."""
    step = StepState("a", status=one)
    if other in STEP_MOVES[one]:
        step.move(other)
        assert step.status is other
    else:
        with pytest.raises(ValueError, match=f"{one} does not become {other}"):
            step.move(other)
        assert step.status is one


@pytest.mark.parametrize("status", [*WorkflowStatus, *StepStatus])
def test_the_picture_shows_every_status(status: str) -> None:
    """The drawing in the module's docstring is of these tables."""
    assert re.search(rf"\b{status}\b", inspect.getdoc(states) or "")


def test_final_and_settled_say_so() -> None:
    """The properties follow the sets."""
    assert [status for status in WorkflowStatus if workflow(status).final] == ["completed", "failed", "cancelled"]
    assert [status for status in StepStatus if StepState("a", status=status).settled] == [
        "completed",
        "failed",
        "skipped",
    ]
