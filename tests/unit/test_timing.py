"""How long a step may go on trying: the budget of its retries and the deadline of all its attempts."""

from dataclasses import replace

from orchestrator.definition import Call, RetryPolicy
from orchestrator.jsontype import Json
from orchestrator.moves.claiming import LEASE_MARGIN, Refusal
from tests.world.books import Behaviour
from tests.world.drawing import call, definition, undone
from tests.world.scene import Scene

BUSY, TOO_EARLY, TIMEOUT_AFTER = Behaviour.BUSY, Behaviour.TOO_EARLY, Behaviour.TIMEOUT_AFTER


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
    scene = Scene(definition("a", a={"call": patient(15)})).behaves("a", *[TOO_EARLY] * 9)
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
    scene = Scene(definition("a", a={"call": patient(15)})).behaves("a", *[TOO_EARLY] * 4)
    scene.play()
    scene.now += 1000
    scene.order("retry")
    assert scene.play() == "failed"
    assert scene.calls == ["a"] * 4


def test_an_undo_has_the_budget_of_its_own_retries() -> None:
    """Past it, a person must look."""
    scene = Scene(definition("a > b", a={"compensate": patient(15, one=undone())}))
    scene.behaves("b", Behaviour.REFUSES).behaves("a:undo", *[TOO_EARLY] * 9)
    assert scene.play() == "failed, compensation failed"
    assert scene.calls == ["a", "b", "a:undo", "a:undo"]


def test_a_wait_beyond_the_deadline_of_a_step_is_not_begun() -> None:
    """The step fails at once, as by any other failure: what was done is undone."""
    steps: dict[str, Json] = {"a": {"compensate": undone()}, "b": {"call": call(9, delay=10.0), "deadline": 25.0}}
    scene = Scene(definition("a > b", **steps)).behaves("b", *[TOO_EARLY] * 9)
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["a", "b", "b", "a:undo"]
    assert error_of(scene, "b")["kind"] == "deadline"
    assert "another attempt would exceed its deadline of 25s" in error_of(scene, "b")["message"]


def test_a_call_in_flight_at_the_deadline_is_the_last_one_and_its_outcome_is_unknown() -> None:
    """It is cut off there, so the deadline is kept; what it may have done is undone."""
    steps: dict[str, Json] = {"a": {"call": call(9), "deadline": 8.0, "compensate": undone()}}
    scene = Scene(definition("a", **steps)).behaves("a", TIMEOUT_AFTER)
    scene.begin("a")
    scene.later(8)
    assert scene.status == "running"
    scene.end("a")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["a", "a:undo"]
    assert error_of(scene, "a")["kind"] == "deadline"


def test_a_call_gets_no_more_time_than_the_deadline_leaves() -> None:
    """The lease as well: whoever holds the step longer is lost."""
    scene = Scene(definition("a", a={"call": call(9, delay=5.0, timeout=10.0), "deadline": 12.0}))
    scene.behaves("a", TOO_EARLY)
    scene.begin("a")
    assert scene.rows.steps["a"].wake_at == scene.now + 10 + LEASE_MARGIN
    scene.end("a")
    scene.later(5)
    scene.begin("a")
    assert scene.rows.steps["a"].wake_at == scene.now + 7 + LEASE_MARGIN
    assert scene.play() == "completed"


def test_a_message_that_comes_after_the_deadline_leads_to_no_call() -> None:
    """The step was ready in time, but the queue was long: it fails when its turn comes."""
    scene = Scene(definition("a > b", a={"call": call(9), "deadline": 8.0, "optional": True})).behaves("a", TOO_EARLY)
    scene.do("a")
    scene.later(1)
    scene.now += 20
    scene.deliver(scene.broker.bag[0])
    assert scene.refusals[-1] == ("a", Refusal.OVERDUE)
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b"]


def test_the_reconciler_fails_a_step_whose_deadline_has_passed_and_whose_message_was_lost() -> None:
    """Nothing is sent again for it."""
    scene = Scene(definition("a", a={"call": call(9), "deadline": 3.0})).behaves("a", TOO_EARLY)
    scene.do("a")
    scene.later(1)
    scene.flush()
    scene.later(5)
    assert scene.status == "failed"
    assert scene.calls == ["a"]


def test_a_lost_worker_is_not_replaced_after_the_deadline() -> None:
    """What it may have done is undone."""
    scene = Scene(definition("a", a={"deadline": 3.0, "compensate": undone()}))
    scene.begin("a")
    scene.now += 100
    scene.crash(scene.in_flight("a"), again=False)
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["a", "a:undo"]


def test_a_pause_does_not_stop_the_clock_of_a_step() -> None:
    """Resumed after its deadline, a step that waited for its next attempt has failed."""
    scene = Scene(definition("a", a={"call": call(9), "deadline": 30.0})).behaves("a", TOO_EARLY)
    scene.do("a")
    scene.order("pause")
    scene.later(100)
    assert scene.play() == "failed"
    assert scene.calls == ["a"]


def test_a_fallback_has_time_of_its_own() -> None:
    """The deadline of the first provider is no reason to give up the second."""
    steps: dict[str, Json] = {"pay": {"call": call(9, delay=10.0), "deadline": 5.0, "fallback": "other"}, "other": {}}
    scene = Scene(definition("pay > ship", **steps)).behaves("pay", TOO_EARLY)
    assert scene.play() == "completed"
    assert scene.calls == ["pay", "other", "ship"]
