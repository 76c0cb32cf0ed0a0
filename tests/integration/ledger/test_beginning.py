"""A start that is put off: parked in the ledger, begun by whoever looks first, and open to orders meanwhile."""

import pytest

from orchestrator.beginning import LONGEST, Beginning
from orchestrator.errors import ContextError
from orchestrator.ledger.due import due
from orchestrator.ledger.starting import Start, start
from orchestrator.ledger.tables import steps, workflows
from orchestrator.ledger.views import why
from orchestrator.reading import read_document
from orchestrator.reconciling import reconcile
from orchestrator.workflow import Publication
from tests.integration.ledger.play import Play

WIDE = read_document(
    {
        "type": "wide",
        "deadline": 60,
        "steps": {
            "a": {"targetUrl": "http://s/a", "next": ["c"]},
            "b": {"targetUrl": "http://s/b", "next": ["c"]},
            "c": {"targetUrl": "http://s/c"},
            "alone": {"targetUrl": "http://s/alone"},
        },
    }
)


class EmptyQueue:
    """No message waits anywhere."""

    def oldest(self) -> list[tuple[str, str]]:
        return []

    def in_hand(self) -> list[tuple[str, str]]:
        return []


def put_off(play: Play, seconds: float) -> str:
    started = start(play.ledger, WIDE, Start({}, beginning=Beginning(delay=seconds)))
    assert not started.publication, "nothing is sent for a start that is put off"
    return started.workflow_id


def reconciled(play: Play) -> list[Publication]:
    sent: list[Publication] = []
    reconcile(play.ledger, EmptyQueue(), sent.append)
    return [each for each in sent if each]


def statuses(play: Play, workflow_id: str) -> dict[str, str]:
    return {row["name"]: row["status"] for row in play.rows(steps, workflow_id)}


def test_a_start_that_is_put_off_begins_when_its_time_has_come_and_not_before(play: Play) -> None:
    """Whole fragments are sent then, once, as a start at once sends them."""
    workflow_id = put_off(play, 60)
    assert reconciled(play) == [] == due(play.ledger).looks
    assert statuses(play, workflow_id) == {"a": "waiting", "b": "waiting", "c": "pending", "alone": "waiting"}
    play.pass_time(61)
    sent = reconciled(play)
    assert sorted(head for each in sent for one in each.fragments for head in one.heads) == ["a", "alone", "b"]
    assert not any(each.steps for each in sent)
    assert reconciled(play) == []
    assert play.events(workflow_id) == ["workflow.started", "workflow.begun"]


def test_the_deadline_counts_from_the_time_at_which_it_begins(play: Play) -> None:
    """A workflow that is put off for longer than it may take has not failed by that."""
    workflow_id = put_off(play, 3600)
    [row] = play.rows(workflows, workflow_id)
    assert row["deadline_at"] - row["created_at"] == pytest.approx(3660, abs=0.01)


def test_why_says_until_when_a_start_is_put_off(play: Play) -> None:
    """Each first step with its time."""
    workflow_id = put_off(play, 3600)
    found = [reason for reason in why(play.ledger, workflow_id)["reasons"] if reason["step"]]
    assert {reason["waitsFor"] for reason in found} == {"its time: the start was put off"}
    assert all(reason["until"] for reason in found)


def test_a_start_that_is_put_off_can_be_cancelled_and_then_retried(play: Play) -> None:
    """It ends at once, nothing was called; a retry is a person's word to begin now."""
    workflow_id = put_off(play, 3600)
    play.order(workflow_id, "cancel")
    [row] = play.rows(workflows, workflow_id)
    assert (row["status"], row["compensation"]) == ("cancelled", "none")
    assert set(statuses(play, workflow_id).values()) == {"pending"}
    assert due(play.ledger).looks == []
    play.order(workflow_id, "retry")
    play.pass_time(10)
    assert {look.step for look in due(play.ledger).looks} == {"a", "b", "alone"}


def test_a_pause_outlasts_the_time_at_which_it_would_begin(play: Play) -> None:
    """Nothing is sent before the resume, and everything by it."""
    workflow_id = put_off(play, 60)
    play.order(workflow_id, "pause")
    play.pass_time(61)
    assert reconciled(play) == []
    play.order(workflow_id, "resume")
    play.pass_time(10)
    assert sorted(name for each in reconciled(play) for name in each.steps) == ["a", "alone", "b"]


def test_a_resume_does_not_hurry_a_start_that_is_put_off(play: Play) -> None:
    """It still begins at its time; each step is sent once, by the ledger."""
    workflow_id = put_off(play, 60)
    play.order(workflow_id, "pause")
    play.order(workflow_id, "resume")
    assert reconciled(play) == []
    play.pass_time(61)
    sent = reconciled(play)
    assert sorted(name for each in sent for name in each.steps) == ["a", "alone", "b"]
    assert not any(each.fragments for each in sent)


def test_nothing_is_put_off_for_years(play: Play) -> None:
    """It is refused when it is asked for, not lost."""
    with pytest.raises(ContextError, match="more than 366d away"):
        start(play.ledger, WIDE, Start({}, beginning=Beginning(not_before=4e9 + LONGEST)))
    assert play.rows(workflows) == []
