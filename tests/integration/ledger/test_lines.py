"""The log says what the audit log says: a line for each event, and none for what was not committed."""

import pytest

from orchestrator.changes import Change
from orchestrator.errors import Conflict, Unavailable
from orchestrator.ledger.clerk import Clerk
from orchestrator.ledger.rerunning import rerun
from orchestrator.moves.move import Claim, Settle
from tests.integration.ledger.play import DONE, REFUSED, Play


def lines(caplog: pytest.LogCaptureFixture, workflow: str) -> list[str]:
    """The events that were logged of a workflow."""
    said = [record.msg.fields() for record in caplog.records if isinstance(record.msg, Change)]
    return [fields["event"] for fields in said if fields["workflowId"] == workflow]


def test_each_event_is_a_line(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever made the move: a client, a worker alone, a worker's clerk, a person."""
    caplog.set_level("INFO", "orchestrator")
    workflow = play.start({"charge": {"next": ["ship"], "compensate": {"targetUrl": "http://s/undo"}}, "ship": {}})
    play.order(workflow, "pause")
    play.order(workflow, "resume")
    clerk = Clerk(play.ledger)
    clerk.claim(workflow, "charge", "worker-1")
    clerk.settle(Settle(workflow, "charge", 1, DONE, 0.5), patience=0)
    play.step(workflow, "ship", REFUSED)
    play.step(workflow, "charge:undo")
    copy = rerun(play.ledger, workflow, "ada").workflow_id
    for each in (workflow, copy):
        assert lines(caplog, each) == [
            event for event in play.events(each) if (each, event) != (copy, "workflow.rerun")
        ]
    assert "workflow.rerun" in lines(caplog, workflow)
    assert len(lines(caplog, workflow)) > 10


def test_what_is_refused_is_no_line(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing changed."""
    workflow = play.completed()
    caplog.set_level("INFO", "orchestrator")
    with pytest.raises(Conflict):
        play.order(workflow, "cancel")
    assert lines(caplog, workflow) == []


def test_what_was_not_committed_is_no_line(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """The database went away in the middle: the move is made again later, and logged then."""
    workflow = play.start()
    caplog.set_level("INFO", "orchestrator")
    with pytest.raises(Unavailable):
        cut_short(play, workflow)
    assert lines(caplog, workflow) == []
    play.step(workflow, "only")
    assert lines(caplog, workflow) == ["step.started", "step.completed", "workflow.completed"]


def cut_short(play: Play, workflow: str) -> None:
    """A transaction that is not committed."""
    with play.ledger.database.transaction() as connection:
        play.ledger.make_in(connection, [Claim(workflow, "only", "worker-1")])
        raise Unavailable("cut")
