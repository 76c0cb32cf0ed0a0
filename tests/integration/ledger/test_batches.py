"""The moves of many threads in one transaction: none is too large for the database, none takes the others with it."""

import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from orchestrator.errors import Unavailable
from orchestrator.ledger import Ledger
from orchestrator.ledger.book import Made, Reply
from orchestrator.ledger.clerk import Clerk, Went, make_together
from orchestrator.ledger.engine import Database
from orchestrator.ledger.materials import Materials
from orchestrator.ledger.tables import steps
from orchestrator.moves.move import Claim, Move, Proceed, Settle
from orchestrator.moves.settling import Settled
from orchestrator.states import StepStatus
from orchestrator.workflow import Workflow
from tests.integration.ledger.play import DONE, Play
from tests.servers import until

WIDTH = 700
FAN_OUT = {"root": {"next": [f"leaf{i}" for i in range(WIDTH)]}, **{f"leaf{i}": {} for i in range(WIDTH)}}


def test_wide_workflows_settle_together(play: Play) -> None:
    """Their successors are more than PostgreSQL takes in one statement: the batch failed, again and again."""
    together = [play.start(FAN_OUT) for _ in range(12)]
    make_together(play.ledger, [Claim(each, "root", "worker-1") for each in together])
    made = make_together(play.ledger, [Settle(each, "root", 1, DONE, 0.5) for each in together])
    assert [one.reply for one in made] == [Settled.COMPLETED] * len(together)
    ready = [row for row in play.rows(steps) if row["status"] == StepStatus.PENDING and row["wake_at"] is not None]
    assert len(ready) == WIDTH * len(together)


class Interrupted(Ledger):
    """Its first transaction waits until it may go on; in the second, of several moves, the thread is told to end."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.go_on = threading.Event()
        self.transactions = 0

    def make_in(
        self, connection: Connection, moves: Sequence[Move[Reply]], *, context: bool = False
    ) -> tuple[list[Made[Reply]], dict[str, Workflow]]:
        """Counted."""
        self.transactions += 1
        if self.transactions == 1:
            assert self.go_on.wait(10)
        if self.transactions == 2:
            raise SystemExit
        return super().make_in(connection, moves, context=context)


def test_a_thread_that_is_told_to_end_leaves_nobody_waiting(play: Play) -> None:
    """Those whose moves it was making looked for themselves in the queue for ever, and held it meanwhile."""
    ledger = Interrupted(play.ledger.database)
    clerk = Clerk(ledger)
    ended: list[str] = []

    def claim(workflow_id: str) -> None:
        try:
            clerk.claim(workflow_id, "only", "worker-1")
        except Unavailable:
            ended.append("told")
        except SystemExit:
            ended.append("ended")
        else:
            ended.append("claimed")

    threads = [threading.Thread(target=claim, args=(play.start(),), daemon=True) for _ in range(3)]
    threads[0].start()
    until(lambda: ledger.transactions == 1, "the first transaction is under way")
    for thread in threads[1:]:
        thread.start()
    until(lambda: clerk._make.waiting == 2, "the others wait for the next one")
    ledger.go_on.set()
    for thread in threads:
        thread.join(10)
    assert sorted(ended) == ["claimed", "claimed", "ended"]
    assert clerk.claim(play.start(), "only", "worker-1").reply is not None


class Forgetful(Ledger):
    """Of its commits those with a number in `lost` go through, and the answer is lost; those in `away` are not made."""

    def __init__(self, database: Database, *, lost: frozenset[int], away: frozenset[int] = frozenset()) -> None:
        super().__init__(database)
        self.lost, self.away, self.commits = lost, away, 0

    def make_in(
        self, connection: Connection, moves: Sequence[Move[Reply]], *, context: bool = False
    ) -> tuple[list[Made[Reply]], dict[str, Workflow]]:
        """The caller's commit is empty where the answer is lost."""
        self.commits += 1
        if self.commits in self.away:
            raise Unavailable("nobody is there")
        made = super().make_in(connection, moves, context=context)
        if self.commits in self.lost:
            connection.commit()
            raise Unavailable("the answer was lost")
        return made


def proceed(clerk: Clerk, workflow_id: str, step: str, patience: float = 5) -> Went:
    """The worker records that the step is done."""
    went = clerk.proceed(Proceed(Settle(workflow_id, step, 1, DONE, 0.5), "worker-1", 16), patience=patience).reply
    assert went is not None
    return went


def test_what_was_kept_by_a_commit_whose_answer_was_lost_is_kept_once(play: Play) -> None:
    """The outcome is recorded once more; the steps that nobody holds come with it, each to one thread."""
    clerk = Clerk(Forgetful(play.ledger.database, lost=frozenset({2, 4})))
    workflow_id = play.start({"a": {"next": ["b", "c"]}, "b": {"next": ["d"]}, "c": {"next": ["d"]}, "d": {}})
    assert isinstance(clerk.claim(workflow_id, "a", "worker-1").reply, Materials)
    went = proceed(clerk, workflow_id, "a")
    assert sorted(materials.step.name for materials in went.kept) == ["b", "c"]
    assert play.events(workflow_id).count("step.started") == 3
    assert proceed(clerk, workflow_id, "b") == Went(Settled.COMPLETED, [])  # c is in its thread's hands


def test_a_call_whose_outcome_could_not_be_recorded_is_not_made_again_by_a_thread_beside(play: Play) -> None:
    """It is lost, which only the reconciler may say: a payment that is not idempotent would be made twice."""
    clerk = Clerk(Forgetful(play.ledger.database, lost=frozenset({4}), away=frozenset({3})))
    pay = {"idempotent": False, "next": ["d"]}
    workflow_id = play.start(
        {"a": {"next": ["pay", "b"]}, "pay": pay, "b": {"next": ["c"]}, "c": {"next": ["d"]}, "d": {}}
    )
    clerk.claim(workflow_id, "a", "worker-1")
    assert len(proceed(clerk, workflow_id, "a").kept) == 2
    with pytest.raises(Unavailable):
        proceed(clerk, workflow_id, "pay", patience=0)
    assert [materials.step.name for materials in proceed(clerk, workflow_id, "b").kept] == ["c"]
