"""How long a step may go on trying: the budget of its retries and the deadline of all its attempts."""

from dataclasses import replace

from orchestrator.definition import Call, RetryPolicy
from orchestrator.jsontype import Json
from tests.world.books import Behaviour
from tests.world.drawing import call, definition, undone
from tests.world.scene import Scene

BUSY, ERROR, TIMEOUT_AFTER = Behaviour.BUSY, Behaviour.ERROR, Behaviour.TIMEOUT_AFTER


def patient(budget: float, *, delay: float = 10.0, one: Call | None = None) -> Call:
    """Ten retries, `delay` seconds apart, as long as the budget lasts."""
    policy = RetryPolicy(retries=10, delay=delay, factor=1, jitter="none", budget=budget)
    return replace(one or call(), retry=policy)


def error_of(scene: Scene, step: str) -> Json:
    """Why the step failed, as the audit log has it."""
    return next(
        event.details["error"] for _, event in scene.rows.events if (event.type, event.step) == ("step.failed", step)
    )


def test_no_attempt_is_begun_after_the_budget() -> None:
    """Two attempts fit into 15 seconds where the wait between them is 10; the third would not."""
    scene = Scene(definition("a", a={"call": patient(15)})).behaves("a", *[ERROR] * 9)
    assert scene.play() == "failed"
    assert scene.calls == ["a", "a"]
    assert "another attempt would exceed its `retry.budget` of 15s" in error_of(scene, "a")["message"]
    assert error_of(scene, "a")["kind"] == "http"


def test_a_service_that_asks_for_more_than_the_budget_fails_the_step_at_once() -> None:
    """Nothing waits for what cannot be."""
    scene = Scene(definition("a", a={"call": patient(1.5, delay=0.1)})).behaves("a", BUSY)
    scene.do("a")
    assert scene.status == "failed"
    assert "the 2 s that the service asks to be left alone (Retry-After)" in error_of(scene, "a")["message"]


def test_a_retry_by_a_person_has_a_budget_of_its_own() -> None:
    """Counted from the first attempt after it."""
    scene = Scene(definition("a", a={"call": patient(15)})).behaves("a", *[ERROR] * 4)
    scene.play()
    scene.now += 1000
    scene.order("retry")
    assert scene.play() == "failed"
    assert scene.calls == ["a"] * 4


def test_an_undo_has_the_budget_of_its_own_retries() -> None:
    """Past it, a person must look."""
    scene = Scene(definition("a > b", a={"compensate": patient(15, one=undone())}))
    scene.behaves("b", Behaviour.REFUSES).behaves("a:undo", *[ERROR] * 9)
    assert scene.play() == "failed, compensation failed"
    assert scene.calls == ["a", "b", "a:undo", "a:undo"]
