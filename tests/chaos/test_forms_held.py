"""The checker finds where a form of a step breaks its promise: each kind is put in on purpose."""

import pytest

from orchestrator.signing import signed
from tests.chaos.checking import check
from tests.chaos.drawing import EVERY
from tests.chaos.hooks import SECRET, is_genuine
from tests.chaos.load import Start
from tests.chaos.record import Happened
from tests.chaos.stories import URL, Story, undone
from tests.chaos.test_checking import KILLED, kinds

CALLBACK = {"callback": {"timeout": 5}, "compensate": undone()}
LIST = {"forEach": {"items": [0, 1], "maxParallel": 1, "tolerate": 1}, "compensate": undone()}
NARROW = {"limit": {"key": "narrow", "concurrency": 1}}


def called_back() -> Story:
    """An order, taken and told of."""
    story = Story({"a": CALLBACK}).starts("a").parks("a", "callback").calls_service("a")
    return story.ends("a").hears("a", "done", answer="recorded").workflow("completed")


def listed() -> Story:
    """Two items, one after the other."""
    story = Story({"a": LIST}).starts("a").expands("a", 2).does("a[0]", "a[1]")
    return story.ends("a").workflow("completed")


def approved() -> Story:
    """A person said yes."""
    story = Story({"a": {"approval": {"timeout": 5}}}).starts("a").parks("a", "approval")
    return story.decides("a", "approve").ends("a").workflow("completed")


def with_child(status: str = "completed") -> Story:
    """A workflow that has started another one."""
    return Story({"a": {"workflow": "other"}}).starts("a").begets("a", status).parks("a", "child")


def taken_back(child: str) -> Story:
    """It is cancelled after its child has completed."""
    story = with_child(child).ends("a").workflow("failing", ending="cancelled").workflow("compensating", steps=["a"])
    return story.starts("a:undo").ends("a:undo").workflow("cancelled")


@pytest.mark.parametrize("story", [called_back, listed, approved, lambda: with_child().ends("a").workflow("completed")])
def test_nothing_is_found_where_a_form_keeps_its_promise(story: object) -> None:
    """Orders, lists, people and children."""
    assert kinds(story(), KILLED) == set()  # type: ignore[operator]  # the cases are functions


def test_somebody_without_a_token_who_is_believed_is_found() -> None:
    """And a service that is not believed about its own order."""
    assert kinds(called_back().hears("a", "failed", 403, forged=True)) == set()
    assert kinds(called_back().hears("a", "failed", 200, "recorded", forged=True)) == {"forged"}
    assert kinds(called_back().hears("a", "done", 403)) == {"forged"}


def test_what_was_acknowledged_and_forgotten_is_found() -> None:
    """A service was told that its answer is on record, but the step failed."""
    story = Story({"a": CALLBACK}).starts("a").parks("a", "callback").hears("a", "done", answer="recorded")
    story.ends("a", "failed", effect="none").workflow("failing", ending="failed").workflow("failed")
    assert kinds(story) == {"lost"}


def test_a_step_that_completes_before_its_service_has_acted_is_found() -> None:
    """Somebody else's word was taken for the service's."""
    story = called_back()
    story.calls[0].acted_at = None
    assert kinds(story) == {"lost"}


def test_a_decision_that_nobody_made_is_found() -> None:
    """Approved by nobody; rejected by nobody; and one that was made, acknowledged and not kept."""
    story = approved()
    story.decisions.clear()
    assert kinds(story) == {"forged"}
    story = Story({"a": {"approval": {"timeout": 5}}}).starts("a").parks("a", "approval").ends("a", "failed")
    story.workflow("failing", ending="failed").workflow("failed")
    assert kinds(story) == set()
    story.steps["a"]["error"] = {"kind": "rejected"}
    assert kinds(story) == {"forged"}
    assert kinds(approved().decides("a", "reject")) == {"lost"}


@pytest.mark.parametrize(
    ("fields", "waits_for", "error"),
    [
        ({"wait": {"for": 60}}, "timer", None),
        ({"approval": {"timeout": 60}}, "approval", {"kind": "timeout"}),
        ({"callback": {"timeout": 60}}, "callback", {"kind": "timeout"}),
    ],
)
def test_what_is_not_waited_for_long_enough_is_found(fields: dict[str, object], waits_for: str, error: object) -> None:
    """A timer that goes off early, a person and a service that are given up too soon."""
    story = Story({"a": fields}).starts("a").parks("a", waits_for)
    if error is None:
        story.ends("a").workflow("completed")
    else:
        story.ends("a", "failed", error=error).workflow("failing", ending="failed").workflow("failed")
    assert kinds(story) == {"wrongly ordered"}


def test_more_items_at_once_than_allowed_are_found() -> None:
    """One at a time was asked for."""
    story = Story({"a": LIST}).starts("a").expands("a", 2).starts("a[0]").starts("a[1]")
    story.calls_service("a[0]").calls_service("a[1]").ends("a[0]").ends("a[1]").ends("a").workflow("completed")
    assert kinds(story) == {"over the limit"}


def test_an_item_that_is_not_undone_is_found() -> None:
    """Left behind while the step was undone; and tolerated, though it may have acted."""
    story = Story({"a": LIST}).starts("a").expands("a", 2).does("a[0]", "a[1]").ends("a")
    story.workflow("failing", ending="cancelled").workflow("compensating", steps=["a"]).starts("a:undo")
    story.expands("a:undo", 2).does("a[1]:undo").ends("a:undo").workflow("cancelled")
    assert kinds(story) == {"not undone"}
    story = Story({"a": LIST}).starts("a").expands("a", 2).does("a[0]").starts("a[1]").calls_service("a[1]")
    story.ends("a[1]", "failed", effect="unknown").ends("a").workflow("completed")
    assert kinds(story) == {"not undone"}


def test_an_item_before_its_list_is_there_is_found() -> None:
    """Its step has not been claimed."""
    story = listed()
    started, expanded = story.events[1:3]
    story.events[1:3] = [expanded, started]
    assert "illegal move" in kinds(story)


def test_more_calls_at_once_than_a_limit_allows_are_found() -> None:
    """Unless one of them is that of a worker that died: nobody can call it back."""
    story = Story({"a": NARROW, "b": NARROW}).starts("a").starts("b")
    story.calls_service("a").calls_service("b").ends("a").ends("b").workflow("completed")
    story.calls[0].answered_at = story.calls[1].asked_at - 0.1
    assert kinds(story) == set()
    story.calls[0].answered_at = None
    assert kinds(story) == {"over the limit"}
    story.events[1:1] = [
        {"type": "step.started", "step": "a", "details": {"attempt": 1}, "at": 1000.0},
        {"type": "step.lost", "step": "a", "details": {"attempt": 1}, "at": story.calls[0].asked_at},
    ]
    assert "over the limit" not in kinds(story, KILLED)


def test_a_step_with_two_children_is_found() -> None:
    """It was to start one."""
    assert kinds(with_child().begets("a", "completed").ends("a").workflow("completed")) == {"doubled"}


def test_a_child_that_is_not_there_is_found() -> None:
    """Its step completed."""
    story = with_child().ends("a").workflow("completed")
    story.children.clear()
    assert kinds(story) == {"lost"}


def test_a_child_that_outlives_its_parent_is_found() -> None:
    """Its parent has ended, it has not."""
    story = with_child().ends("a").workflow("completed")
    assert isinstance(story.children[0].row, dict)
    story.children[0].row["completed_at"] = story.now + 5
    assert kinds(story) == {"wrongly ordered"}


def test_a_child_that_is_not_undone_with_its_parent_is_found() -> None:
    """What it did is still there."""
    assert kinds(taken_back("cancelled")) == set()
    assert kinds(taken_back("completed")) == {"not undone"}


def test_a_child_that_had_completed_is_not_held_up_until_it_is_undone() -> None:
    """It was not under way when the fault was over: its parent was."""
    late = Story({"z": {}}).does("z").workflow("completed")
    ended_at = late.now
    late.now += 30
    late.row["parent"] = {"workflow_id": "w", "step": "a", "types": []}
    late.workflow("undoRequested").workflow("cancelled")
    assert not [
        one for one in check(late.record(Happened(("flushall",), ended_at + 1, ended_at + 1))) if one.kind == "stuck"
    ]


def test_undoing_what_completed_without_a_parent_is_found() -> None:
    """What completed is final for everybody else."""
    story = Story({"a": {}}).does("a").workflow("completed").workflow("undoRequested").workflow("cancelled")
    assert "illegal move" in kinds(story)


COMPLETED = "workflow.completed"


def telling() -> Story:
    """A workflow whose end a webhook wants to know."""
    return Story({"a": {}}, webhooks=[{"url": f"{URL}/hook", "events": ["completed"]}]).does("a").workflow("completed")


def test_an_end_that_is_told_at_least_once_is_no_finding() -> None:
    """Twice under one id; or not yet, where somebody will; other ends nobody wants to know."""
    assert kinds(telling().tells(COMPLETED, status=500).tells(COMPLETED).tells(COMPLETED).delivers(COMPLETED)) == set()
    assert kinds(telling().delivers(COMPLETED, delivered=False, due=True)) == set()
    failed = Story({"a": {}}, webhooks=[{"url": f"{URL}/hook", "events": ["completed"]}]).starts("a")
    failed.calls_service("a", acts=False).ends("a", "failed", effect="none")
    assert kinds(failed.workflow("failing", ending="failed").workflow("failed")) == set()


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        (telling(), "lost"),
        (telling().delivers(COMPLETED), "lost"),
        (telling().delivers(COMPLETED, delivered=False), "lost"),
        (telling().tells(COMPLETED, status=503).delivers(COMPLETED), "lost"),
        (telling().tells(COMPLETED).tells(COMPLETED, message="n").delivers(COMPLETED), "doubled"),
        (telling().tells(COMPLETED).delivers(COMPLETED).delivers(COMPLETED, message="n"), "doubled"),
        (telling().tells(COMPLETED, genuine=False).delivers(COMPLETED), "forged"),
        (telling().tells(COMPLETED).delivers(COMPLETED).tells("workflow.failed"), "illegal move"),
    ],
)
def test_an_end_that_is_not_told_rightly_is_found(story: Story, kind: str) -> None:
    """Nobody will be told; nobody took it; given up; under two ids; unsigned; never happened."""
    assert kind in kinds(story)


def test_a_signature_is_verified() -> None:
    """Over id, time and body."""
    headers = dict(signed("m", 1000.0, "{}", [SECRET]))
    assert is_genuine("{}", headers)
    assert not is_genuine("{ }", headers)
    assert not is_genuine("{}", headers | {"webhook-id": "n"})
    assert not is_genuine("{}", {})


def test_ticks_that_are_missing_or_too_many_are_found() -> None:
    """One start for each, in time, and none after the schedule was paused."""

    def clocked(*times: float) -> Story:
        story = Story({"a": {}}).does("a").workflow("completed").ticks(*times)
        story.now, story.paused_at = 1000.0 + 4 * EVERY, 1000.0 + 4 * EVERY + 1
        return story

    assert kinds(clocked(EVERY, 2 * EVERY, 3 * EVERY, 4 * EVERY)) == set()
    assert kinds(clocked(EVERY, 3 * EVERY, 4 * EVERY)) == {"lost"}
    assert "doubled" in kinds(clocked(EVERY, 2 * EVERY, 2 * EVERY + 1, 3 * EVERY, 4 * EVERY))
    assert "start key" in kinds(clocked(EVERY, 2 * EVERY, 3 * EVERY, 4 * EVERY).ticks(4 * EVERY + 0.0001))
    assert kinds(clocked(EVERY, 2 * EVERY, 3 * EVERY, 4 * EVERY, 5 * EVERY)) == {"wrongly ordered"}
    late = clocked(EVERY)
    late.now += 40
    assert kinds(late) == {"stuck"}


def test_a_start_that_is_not_put_off_long_enough_is_found() -> None:
    """It was to begin a minute later."""
    story = Story({"a": {}}).does("a").workflow("completed")
    for delay, found in ((1.0, set()), (60.0, {"wrongly ordered"})):
        start = Start(0, "k", "told", 1000.0, {"w"}, delay)
        assert {finding.kind for finding in check(story.record(starts=[start]))} == found
