"""What the reconciler does on a real ledger that only a real ledger shows."""

from collections.abc import Collection

import pytest
from sqlalchemy import select, update

from orchestrator.ledger.due import recall
from orchestrator.ledger.scopes import Key
from orchestrator.ledger.tables import definitions, steps, workflows
from orchestrator.outcome import Failed, StepError
from orchestrator.priority import Priority
from orchestrator.reconciling import LEFT, Left, reconcile
from orchestrator.states import Effect
from orchestrator.workflow import Publication
from tests.integration.ledger.play import Play


class Empty:
    """No message waits anywhere."""

    def oldest(self) -> Collection[Key]:
        """None."""
        return ()

    def in_hand(self) -> Collection[Key]:
        """None."""
        return ()


def make_unreadable(play: Play, workflow_id: str) -> None:
    """Its definition is one of a newer release, whose words this one does not know."""
    with play.ledger.database.transaction() as connection:
        version = select(workflows.c.version).where(workflows.c.id == workflow_id).scalar_subquery()
        connection.execute(
            update(definitions).where(definitions.c.version == version).values(document={"type": "order", "news": 1})
        )


class Watch:
    """A clock that goes on by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_one_workflow_that_cannot_be_looked_at_holds_up_no_other(play: Play) -> None:
    """It is the oldest that is due, and was so in every round of every worker: nothing was woken any more."""
    unreadable = play.start({"only": {"retries": 7}}, deadline="1s")
    make_unreadable(play, unreadable)
    play.pass_time(60)
    fine = play.start()
    play.pass_time(60)
    sent: list[Publication] = []
    ledger, watch = play.another_ledger(), Watch()
    left = Left(watch)
    reconcile(ledger, Empty(), sent.append, left)
    assert [each.workflow_id for each in sent] == [fine]
    assert reconcile(ledger, Empty(), sent.append, left).rows == 2  # its step and its deadline, for others to see
    watch.now += LEFT
    reconcile(ledger, Empty(), sent.append, left)
    assert not any(row["wake_at"] is None for row in play.rows(steps, unreadable))
    assert not left
    play.pass_time(20)
    assert reconcile(ledger, Empty(), sent.append, left).rows == 1  # the other one: this one's turn comes later
    play.pass_time(60)
    assert reconcile(ledger, Empty(), sent.append, left).rows == 3  # its step, its deadline, and the other one


def test_what_only_a_newer_release_understands_is_left_to_its_worker(play: Play) -> None:
    """The old worker looks first, in each round, and changes nothing: the new one finds it due."""
    workflow = play.start()
    play.pass_time(60)
    old, new = play.another_ledger(), play.ledger
    make_unreadable(play, workflow)  # `new` has read it before, as its own release wrote it
    sent: list[Publication] = []
    left = Left()
    before = play.rows(steps, workflow)
    for _ in range(3):
        assert reconcile(old, Empty(), sent.append, left).rows == 1
    assert play.rows(steps, workflow) == before
    assert not sent
    reconcile(new, Empty(), sent.append)
    assert [each.workflow_id for each in sent] == [workflow]
    assert reconcile(old, Empty(), sent.append, left).rows == 0
    assert not left


@pytest.mark.parametrize(
    ("column", "word"), [("waiting_for", "moonrise"), ("kind", "poem"), ("status", "dreaming"), ("carrier", "pigeon")]
)
def test_a_word_of_a_newer_release_in_a_step_is_left_as_it_is(play: Play, column: str, word: str) -> None:
    """The wait would else be taken for a delay that is over, and the step be called again."""
    workflow = play.start({"only": {"retries": 7}})
    play.step(workflow, "only", Failed(StepError("http", "answered 503", 503), Effect.NONE, retryable=True))
    with play.ledger.database.transaction() as connection:
        connection.execute(update(steps).values({column: word}))
    play.pass_time(3_600)
    before = play.rows(steps, workflow)
    sent: list[Publication] = []
    assert reconcile(play.ledger, Empty(), sent.append, Left()).rows == 1
    assert play.rows(steps, workflow) == before
    assert not sent


class Waiting(Empty):
    """One message waits, and nobody takes it."""

    def __init__(self, step: Key) -> None:
        self._step = step

    def oldest(self) -> Collection[Key]:
        """That one."""
        return (self._step,)


class OnItsWay:
    """A queue from which a worker takes the oldest message in the very moment between two looks."""

    def __init__(self, *steps: Key) -> None:
        self.queued = list(steps)
        self.hands: list[Key] = []

    def oldest(self) -> list[Key]:
        """As it stands now."""
        found = list(self.queued)
        self._take()
        return found

    def in_hand(self) -> list[Key]:
        """Likewise."""
        found = list(self.hands)
        self._take()
        return found

    def _take(self) -> None:
        if self.queued:
            self.hands.append(self.queued.pop(0))


def test_a_message_that_a_worker_takes_just_now_is_not_sent_again(play: Play) -> None:
    """It was in neither place when the hands were looked at before the queue."""
    old = play.start()
    play.pass_time(7)
    young = play.start()
    sent: list[Publication] = []
    reconcile(play.ledger, OnItsWay((old, "only"), (young, "only")), sent.append)
    assert not sent
    assert "step.resent" not in play.events(old)


def test_where_the_head_of_the_queue_was_claimed_between_two_looks_nothing_is_lost(play: Play) -> None:
    """It moves fast: what it has not come to yet was sent no longer ago than the rest of it."""
    claimed, behind = play.start(), play.start()
    play.pass_time(7)
    play.step(claimed, "only")
    sent: list[Publication] = []
    reconcile(play.ledger, Waiting((claimed, "only")), sent.append)
    assert not sent
    play.pass_time(7)
    reconcile(play.ledger, Empty(), sent.append)
    assert [one.workflow_id for one in sent] == [behind]


@pytest.mark.parametrize(("age", "again"), [(7.0, True), (100.0, False)])
def test_in_a_long_queue_messages_of_one_start_of_many_lie_among_later_ones(
    play: Play, age: float, again: bool
) -> None:
    """The last of them was taken just now; what is the oldest since then was sent 4 s later by its own time."""
    taken = play.start()
    play.pass_time(4)
    oldest = play.start()
    play.pass_time(age)
    reconcile(play.ledger, Waiting((oldest, "only")), lambda publication: None)
    assert ("step.resent" in play.events(taken)) is again


def test_what_was_put_off_because_it_queued_is_recalled_when_the_queue_is_gone(play: Play) -> None:
    """A step that had waited for long is put off for long: not where Redis was emptied."""
    old = play.start()
    play.pass_time(20)
    sent: list[Publication] = []
    reconcile(play.ledger, Waiting((old, "only")), sent.append)
    play.pass_time(30)
    reconcile(play.ledger, Empty(), sent.append)
    assert not sent, "it is put off for longer than it has waited"
    assert recall(play.ledger, 5.0) == 1
    reconcile(play.ledger, Empty(), sent.append)
    assert [one.workflow_id for one in sent] == [old]


def test_a_message_waits_behind_those_of_its_own_priority_only(play: Play) -> None:
    """A backlog of what is not urgent says nothing about what is: that is lost, and sent again."""
    low = play.start(priority="low")
    play.pass_time(1)
    high, next_low = play.start(priority="high"), play.start(priority="low")
    play.pass_time(10)
    sent: list[Publication] = []
    reconcile(play.ledger, Waiting((low, "only")), sent.append)
    assert [(each.workflow_id, each.priority) for each in sent if each] == [(high, Priority.HIGH)]
    [row] = play.rows(steps, next_low)
    assert row["wake_at"] > row["sent_at"] + 10, "it was put off"
