"""The checker finds what is wrong, and nothing where nothing is: each kind of finding is put in on purpose."""

import pytest

from tests.chaos.checking import check
from tests.chaos.load import Start
from tests.chaos.record import Happened, books_of
from tests.chaos.stories import Story, undone

KILLED = Happened(("kill-worker",), 1000.5, 1000.5)


def two_steps() -> Story:
    """a, which can be undone, then b."""
    return Story({"a": {"compensate": undone()}, "b": {"waitFor": ["a"]}})


def completed() -> Story:
    """Both done."""
    return two_steps().does("a", "b").workflow("completed")


def failing() -> Story:
    """b was refused: a is to be undone."""
    story = two_steps().does("a").starts("b").calls_service("b", acts=False).ends("b", "failed", effect="none")
    return story.workflow("failing", ending="failed").workflow("compensating", steps=["a"])


def failed() -> Story:
    """The same, a undone."""
    return failing().does("a:undo").workflow("failed")


def kinds(story: Story, *episodes: Happened) -> set[str]:
    """The kinds of what is found."""
    return {finding.kind for finding in check(story.record(*episodes))}


@pytest.mark.parametrize("story", [completed, failed])
def test_nothing_is_found_where_nothing_is_wrong(story: Story) -> None:
    """A checker that always complains would be as useless as one that never does."""
    assert check(story().record(KILLED)) == []  # type: ignore[operator]  # the cases are functions


def test_a_workflow_that_nobody_will_look_at_is_lost() -> None:
    """Neither ended nor with a time at which it is due."""
    assert kinds(two_steps().does("a")) == {"lost"}


def test_a_workflow_whose_time_has_long_come_is_stuck() -> None:
    """It is due, but nothing happens."""
    story = two_steps().does("a")
    story.steps["b"]["wake_at"] = story.now
    assert kinds(story) == {"stuck"}


def test_an_accepted_start_without_a_row_is_lost() -> None:
    """The client was told so."""
    found = check(completed().record(starts=[Start(0, "k", "told", 1000.0, {"w"}), Start(1, "l", "told", 1.0, {"x"})]))
    assert [(finding.kind, finding.workflow) for finding in found] == [("lost", "x")]


def test_no_progress_for_too_long_after_a_fault_is_stuck() -> None:
    """However well it ends."""
    story = two_steps().does("a")
    story.now += 20
    story.does("b").workflow("completed")
    assert kinds(story, Happened(("flushall",), 1004.0, 1004.0)) == {"stuck"}
    assert kinds(story, Happened(("flushall",), 1004.0, 1010.0)) == set()


def test_two_keys_for_one_step_are_found() -> None:
    """Whoever honours keys would do it twice."""
    story = two_steps().starts("a").calls_service("a", acts=False).ends("a", "retrying", effect="none")
    story.starts("a").calls_service("a", key="another").ends("a").does("b").workflow("completed")
    assert kinds(story) == {"doubled"}


def test_what_does_not_honour_keys_may_be_done_once_more_for_each_worker_that_died_with_it() -> None:
    """Not more often, and not without a death."""
    story = two_steps().starts("a").calls_service("a", kind="careless").ends("a", "lost")
    story.starts("a").calls_service("a", kind="careless").ends("a").does("b").workflow("completed")
    assert kinds(story, KILLED) == set()
    assert kinds(story, Happened(("kill-web",), 1000.5, 1000.5, takes_over=False)) == {"doubled"}
    story.calls_service("a", kind="careless")
    assert kinds(story, KILLED) >= {"doubled"}


def test_a_call_that_nobody_claimed_is_found() -> None:
    """The books know of it, the ledger does not."""
    assert kinds(completed().calls_service("b")) == {"doubled"}


def test_a_step_before_its_turn_is_found() -> None:
    """By the log's order, and by the books' times."""
    story = two_steps().starts("b").calls_service("b").ends("b").does("a").workflow("completed")
    sentences = [finding.sentence for finding in check(story.record())]
    assert any("a has not settled" in sentence for sentence in sentences)
    assert any("before a was done" in sentence for sentence in sentences)


def test_a_step_while_paused_is_found() -> None:
    """What a person stopped must not start anything."""
    story = two_steps().does("a").workflow("paused").starts("b").workflow("resumed")
    assert "wrongly ordered" in kinds(story.ends("b").workflow("completed"))


def test_a_step_after_the_failure_is_found() -> None:
    """In the log, and in the books alone: a worker that was frozen before its call."""
    story = failing().starts("b")
    assert "wrongly ordered" in kinds(story)
    late = failed()
    late.now += 5
    assert {"wrongly ordered", "not undone"} <= kinds(late.calls_service("a"))


def test_undoing_while_something_is_in_flight_is_found() -> None:
    """The sibling that is being charged must be waited for."""
    story = Story({"a": {"compensate": undone()}, "b": {}}).does("a").starts("b")
    story.workflow("failing", ending="failed").workflow("compensating", steps=["a"]).does("a:undo").workflow("failed")
    assert "wrongly ordered" in kinds(story)


def test_undoing_in_the_order_of_the_graph_is_found() -> None:
    """What came last is undone first."""
    story = Story({"a": {"compensate": undone()}, "b": {"waitFor": ["a"], "compensate": undone()}})
    story.does("a", "b").workflow("failing", ending="cancelled").workflow("compensating", steps=["b", "a"])
    assert "wrongly ordered" in kinds(story.does("a:undo", "b:undo").workflow("cancelled"))


def test_a_charge_without_its_refund_is_found() -> None:
    """Though the ledger says that all is undone."""
    story = failed()
    story.calls = [call for call in story.calls if call.kind != "undo"]
    assert kinds(story) == {"not undone"}


def test_an_undo_that_failed_is_no_finding_where_it_is_on_record() -> None:
    """A person must look, and is told so."""
    story = failing().starts("a:undo").calls_service("a:undo", acts=False).ends("a:undo", "failed", effect="none")
    story.workflow("failed")
    assert kinds(story) == {"not undone"}
    story.row["compensation"] = "failed"
    assert kinds(story) == set()


def test_undoing_what_was_refused_is_found() -> None:
    """Nothing was done, so there is nothing to take back."""
    story = two_steps().starts("a").calls_service("a", acts=False).ends("a", "failed", effect="none")
    story.workflow("failing", ending="failed").workflow("compensating", steps=["a"]).does("a:undo").workflow("failed")
    assert kinds(story) == {"undone though not done"}


def test_undoing_in_a_workflow_that_completes_is_found() -> None:
    """The customer has paid nothing and got everything."""
    assert "undone though not done" in kinds(completed().calls_service("a:undo"))


def test_a_completed_step_that_no_book_knows_is_found() -> None:
    """The ledger says done; nobody did it."""
    story = completed()
    story.calls = [call for call in story.calls if call.step != "b"]
    assert kinds(story) == {"lost"}


@pytest.mark.parametrize(
    "doctored",
    [
        lambda story: story.workflow("completed"),
        lambda story: story.ends("a"),
        lambda story: story.steps["b"].update(status="failed"),
        lambda story: story.steps["b"].update(attempts=2),
        lambda story: story.row.update(status="failed"),
        lambda story: story.events.pop(-2),
        lambda story: story.ends("b", "invented"),
    ],
    ids=["ends twice", "settles twice", "row differs", "attempts differ", "end differs", "entry missing", "unknown"],
)
def test_a_log_that_no_arrow_explains_is_found(doctored: object) -> None:
    """Each transition commits once, together with its entry."""
    story = completed()
    doctored(story)  # type: ignore[operator]  # the cases are functions
    assert "illegal move" in kinds(story)


def test_one_key_with_two_workflows_is_found() -> None:
    """Told to clients, or written down."""
    found = check(completed().record(starts=[Start(0, "k", "told", 1000.0, {"w", "x"})]))
    assert "start key" in {finding.kind for finding in found}
    record, another = completed().record(), completed().record()
    record.workflows["x"] = another.workflows["w"]
    record.workflows["x"].row = {**record.workflows["x"].row, "id": "x"}
    assert "start key" in {finding.kind for finding in check(record)}


def test_books_are_read_as_they_were_written() -> None:
    """A request that was asked, acted and answered; one that was only asked."""
    lines = [
        '{"what": "asked", "number": 1, "at": 1.0, "workflow": "w", "step": "a", "kind": "keyed", "key": "k"}',
        '{"what": "asked", "number": 2, "at": 1.5, "workflow": "w", "step": "b", "kind": "undo", "key": "l"}',
        '{"what": "acted", "number": 1, "at": 2.0}',
        '{"what": "answered", "number": 1, "at": 3.0, "fate": "ok", "status": 200}',
    ]
    first, second = books_of(lines).calls
    assert (first.asked_at, first.acted_at, first.answered_at, first.fate) == (1.0, 2.0, 3.0, "ok")
    assert (second.step, second.kind, second.acted_at) == ("b", "undo", None)
