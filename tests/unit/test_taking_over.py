"""What a copy that is run again from a step takes over, and what it runs."""

from dataclasses import replace

import pytest

from orchestrator.definition import Definition
from orchestrator.errors import Conflict
from orchestrator.moves.taking_over import TakeOver, kept_for
from orchestrator.states import Effect, StepStatus
from orchestrator.testkit.rows import WORKFLOW
from orchestrator.workflow import Workflow
from tests.world.books import Behaviour
from tests.world.drawing import call, definition, starts_another, undone
from tests.world.scene import Scene

REFUSES, TOO_EARLY, TIMEOUT_AFTER = Behaviour.REFUSES, Behaviour.TOO_EARLY, Behaviour.TIMEOUT_AFTER


class Copy(Scene):
    """A fresh copy of an original's workflow, run again from a step."""

    def __init__(self, original: Scene, start: str) -> None:
        rows = original.rows
        steps = [replace(step) for step in rows.steps.values()]
        kept = kept_for(Workflow(rows.head, rows.definition, lambda _: steps), start)
        super().__init__(rows.definition, not_taken=original.not_taken)
        self.flush()
        self.strict = False  # the books of what is taken over are elsewhere
        _, publication = self._make([TakeOver(WORKFLOW, "original", kept)], f"take over {', '.join(kept)}")
        self.broker.publish(publication)


def ended(flow: Definition, *, not_taken: str = "", **behaves: Behaviour) -> Scene:
    """A workflow that has had its course; these services behaved so."""
    scene = Scene(flow, not_taken=not_taken.split())
    for name, mood in behaves.items():
        scene.behaves(name, mood)
    scene.play()
    return scene


def test_a_copy_of_a_completed_workflow_runs_the_step_and_what_follows_it() -> None:
    """What stands beside it is taken over."""
    copy = Copy(ended(definition("a > b c > d > e")), "b")
    assert copy.messages == {"b"}
    assert copy.play() == "completed"
    assert copy.calls == ["b", "d", "e"]


def test_a_copy_runs_what_had_failed_beside_the_step_as_well() -> None:
    """It needs to be done some time."""
    copy = Copy(ended(definition("a > b c > d"), c=REFUSES), "b")
    assert copy.play() == "completed"
    assert sorted(copy.calls) == ["b", "c", "d"]


def test_branches_that_were_not_taken_and_tolerated_failures_are_taken_over_as_they_were() -> None:
    """The step's successors wait for nothing that has been."""
    flow = definition("a > b c d > e > f", d={"optional": True})
    copy = Copy(ended(flow, not_taken="b", d=REFUSES), "e")
    assert copy.statuses() == {
        "a": "completed", "b": "skipped", "c": "completed", "d": "failed", "e": "pending", "f": "pending"
    }  # fmt: skip
    assert copy.play() == "completed"
    assert copy.calls == ["e", "f"]


def test_a_fallback_that_served_is_taken_over_with_the_step_it_stood_in_for() -> None:
    """And the undoing of that one is not sent again, should the copy fail."""
    flow = definition(
        "a > pay > ship > mail", pay={"fallback": "other", "compensate": undone()}, other={"compensate": undone()}
    )
    copy = Copy(ended(flow, pay=TIMEOUT_AFTER), "ship").behaves("ship", REFUSES)
    assert copy.play() == "failed, compensation completed"
    assert copy.calls == ["ship", "other:undo"]


@pytest.mark.parametrize(
    ("flow", "behaves", "start", "reason"),
    [
        (definition("a > b > c"), {"b": REFUSES}, "c", "c needs b, which is failed"),
        (definition("a > b > c > d"), {"b": REFUSES}, "d", "d needs b, which is failed"),
        (definition("a > b", a={"compensate": undone()}), {"b": REFUSES}, "b", "a was undone"),
        (definition("a > b c"), {"b": TIMEOUT_AFTER}, "c", "b is failed, and what it has done is not known"),
        (definition("a > b", a={"fallback": "z"}, z={}), {"a": REFUSES}, "z", "rerun from a"),
        (definition("a > b; c", a={"end": "completed"}), {}, "c", "a has ended the workflow"),
    ],
)
def test_what_cannot_be_taken_over_is_refused_with_the_reason(
    flow: Definition, behaves: dict[str, Behaviour], start: str, reason: str
) -> None:
    """A copy must not stand on what is not there."""
    with pytest.raises(Conflict, match=reason):
        Copy(ended(flow, **behaves), start)


def test_a_copy_that_could_not_but_fail_is_refused() -> None:
    """Two of three were wanted, two had failed."""
    flow = definition("a > b c d > e > f; a > g", b={"optional": True}, c={"optional": True}, e={"join": 2})
    with pytest.raises(Conflict, match="waits for more steps to complete"):
        Copy(ended(flow, b=REFUSES, c=REFUSES), "g")


def test_a_copy_may_be_retried_and_fails_like_any_workflow() -> None:
    """The order to retry is not taken for one that was given before."""
    copy = Copy(ended(definition("a > b", b={"call": call(1)})), "b")
    assert "only a failed or cancelled workflow" in str(copy.order("retry"))


def test_what_only_the_original_can_undo_is_not_taken_over() -> None:
    """The copy would not find the workflow that the step had started, and would say that nothing was to be undone."""
    scene = Scene(definition("a > b > c", b=starts_another(undone())))
    scene.rows.steps = {
        name: replace(step, status=StepStatus.COMPLETED, effect=Effect.DONE) for name, step in scene.rows.steps.items()
    }
    with pytest.raises(Conflict, match="b is undone by what only its own workflow knows"):
        Copy(scene, "c")
    assert Copy(scene, "b").messages == {"b"}
