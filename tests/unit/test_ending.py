"""A step that says `end` ends the workflow when it completes (pattern 43, explicit termination)."""

import pytest

from orchestrator.definition import Definition
from orchestrator.states import StepStatus
from tests.world.books import Behaviour
from tests.world.drawing import call, definition, undone
from tests.world.scene import Scene

TOO_EARLY, REFUSES, TIMEOUT_AFTER = Behaviour.TOO_EARLY, Behaviour.REFUSES, Behaviour.TIMEOUT_AFTER


def checked(end: str, **fields: object) -> Definition:
    """A charge, then a check that ends the workflow where it completes, beside a slow branch; a mail after both."""
    return definition(
        "charge > check slow > mail", charge={"compensate": undone()}, check={"end": end}, slow=fields or {}
    )


def test_pattern_43_explicit_termination() -> None:
    """The workflow is completed, nothing more is called, nothing is undone; what never began is skipped."""
    scene = Scene(definition("a > check > b > c; d > c", a={"compensate": undone()}, check={"end": "completed"}))
    scene.do("d", "a", "check")
    assert scene.status == "completed"
    assert scene.calls == ["d", "a", "check"]
    assert scene.statuses()["b"] == scene.statuses()["c"] == "skipped"


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_an_end_as_failed_or_cancelled_undoes_what_took_effect(end: str) -> None:
    """After what is in flight has been waited for."""
    scene = Scene(checked(end, compensate=undone()))
    scene.do("charge")
    scene.begin("slow")
    scene.do("check")
    assert scene.status == "compensating"
    scene.end("slow")
    assert scene.play() == f"{end}, compensation completed"
    assert scene.calls == ["charge", "slow", "check", "slow:undo", "charge:undo"]
    assert scene.rows.head.error["kind"] == "ended"


def test_an_end_as_completed_waits_for_what_is_in_flight() -> None:
    """Its result is kept; what would have followed is not called."""
    scene = Scene(checked("completed"))
    scene.do("charge")
    scene.begin("slow")
    scene.do("check")
    assert scene.status == "running"
    scene.end("slow")
    assert scene.status == "completed"
    assert scene.status_of("slow") is StepStatus.COMPLETED
    assert scene.calls == ["charge", "slow", "check"]


def test_what_fails_in_flight_does_not_change_an_end_as_completed() -> None:
    """It is not tried again either."""
    scene = Scene(checked("completed", call=call(9))).behaves("slow", TIMEOUT_AFTER)
    scene.do("charge")
    scene.begin("slow")
    scene.do("check")
    scene.end("slow")
    assert scene.play() == "completed"
    assert scene.calls == ["charge", "slow", "check"]


def test_a_step_that_waits_for_its_next_attempt_does_not_get_it() -> None:
    """It has failed, and the workflow is completed without it."""
    scene = Scene(checked("completed", call=call(9))).behaves("slow", TOO_EARLY)
    scene.do("charge", "slow", "check")
    assert scene.status == "completed"
    assert scene.status_of("slow") is StepStatus.FAILED


def two_providers() -> Definition:
    """One provider's unknown outcome is being undone, so that the other may be asked, when another branch ends all."""
    pay = {"fallback": "other", "compensate": undone(0)}
    return definition("pay; check", pay=pay, other={}, check={"end": "completed"})


def test_an_undo_for_a_fallback_ends_before_the_workflow_does() -> None:
    """The fallback itself is not called any more."""
    scene = Scene(two_providers()).behaves("pay", TIMEOUT_AFTER)
    scene.do("pay", "check")
    assert scene.status == "running"
    assert scene.play() == "completed"
    assert scene.calls == ["pay", "check", "pay:undo"]


def test_an_undo_that_fails_keeps_a_workflow_from_completing() -> None:
    """Somebody paid and nobody could take it back: a person must look, whatever else the workflow has come to."""
    scene = Scene(two_providers()).behaves("pay", TIMEOUT_AFTER).behaves("pay:undo", REFUSES)
    scene.do("pay", "check")
    assert scene.play() == "failed, compensation failed"
    scene.order("retry")
    assert scene.play() == "failed, compensation completed"


def test_a_step_that_is_skipped_or_fails_ends_nothing() -> None:
    """Only one that completes does."""
    scene = Scene(definition("check > b", check={"end": "cancelled"}), not_taken={"check"})
    assert scene.play() == "completed"
    scene = Scene(definition("check > b", check={"end": "cancelled", "optional": True})).behaves("check", REFUSES)
    assert scene.play() == "completed"
    assert scene.calls == ["check", "b"]


def test_a_paused_workflow_that_was_ended_completes_when_it_is_resumed() -> None:
    """What runs ends, in a pause too; the end waits for the person."""
    scene = Scene(checked("completed"))
    scene.do("charge")
    scene.begin("slow", "check")
    scene.order("pause")
    scene.end("check", "slow")
    assert scene.status == "paused"
    scene.order("resume")
    assert scene.status == "completed"


def test_a_workflow_that_a_step_has_ended_is_not_retried() -> None:
    """Nothing has failed; to retry would be to pass over the end."""
    scene = Scene(definition("check > b", check={"end": "failed"}))
    assert scene.play() == "failed"
    conflict = scene.order("retry")
    assert "check has ended it, as its definition says" in str(conflict)


def test_a_workflow_that_is_completing_can_no_longer_be_cancelled() -> None:
    """It has its end already."""
    scene = Scene(checked("completed"))
    scene.do("charge")
    scene.begin("slow")
    scene.do("check")
    assert "on its way to completed" in str(scene.order("cancel"))
