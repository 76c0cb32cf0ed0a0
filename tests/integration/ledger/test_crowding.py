"""Steps that are sent aside, on each kind of database: parked without an attempt, and called back whatever happens."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orchestrator.ledger.clerk import Clerk
from orchestrator.ledger.crowding import Crowding, Hosts
from orchestrator.ledger.due import due
from orchestrator.ledger.materials import Materials
from orchestrator.ledger.presence import beat, bury
from orchestrator.ledger.tables import steps, workers, workflows
from orchestrator.moves.claiming import Refusal
from orchestrator.moves.move import Settle
from orchestrator.shares import LONG, Shares, threads_for
from tests.integration.ledger.play import DONE, Play

PLACES = 2


class Worker:
    """Two places and a spare one, all of whose calls last long. `hurries` counts when its reconciler is told so."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.now = self.hurries = 0
        ledger = play.another_ledger()
        shares = self.shares = Shares(threads_for(PLACES), Hosts({}), lambda: self.now)
        ledger.aside = shares.aside
        self.clerk = Clerk(ledger, shares)
        self.crowding = Crowding(ledger, shares, self._hurry)
        self._places: dict[str, ExitStack] = {}

    def _hurry(self) -> None:
        self.hurries += 1

    def claim(self, workflow_id: str, step: str = "only") -> Materials | Refusal:
        """A thread brings the step; where it gets it, it stays with it until `end`."""
        with ExitStack() as place:
            place.enter_context(self.shares.place())
            reply = self.clerk.claim(workflow_id, step, "worker-1").reply
            assert reply is not None
            if isinstance(reply, Materials):
                self._places[workflow_id] = place.pop_all()
                self.now += LONG
            return reply

    def end(self, materials: Materials) -> None:
        """Its call has ended."""
        settle = Settle(materials.workflow_id, materials.step.name, materials.attempt, DONE, 0.5)
        self.clerk.settle(settle, patience=0)
        self._places.pop(materials.workflow_id).close()

    def close(self) -> None:
        """Every thread ends."""
        for place in self._places.values():
            place.close()


@pytest.fixture
def worker(play: Play) -> Iterator[Worker]:
    """One that two calls to the slow host have filled, and whose third is sent aside."""
    made = Worker(play)
    yield made
    made.close()


def filled(worker: Worker) -> tuple[list[Materials], str]:
    """What has its places, and who was sent aside."""
    taken = [worker.claim(worker.play.start()) for _ in range(PLACES)]
    aside = worker.play.start()
    assert worker.claim(aside) is Refusal.PARKED
    return [each for each in taken if isinstance(each, Materials)], aside


def looked_at(play: Play) -> list[str]:
    """The reconciler's round: which workflows' steps were due."""
    found = due(play.ledger).looks
    play.ledger.make(found)
    return [look.workflow_id for look in found]


def test_a_step_sent_aside_has_cost_no_attempt_and_comes_when_a_call_ends(worker: Worker, play: Play) -> None:
    """Nothing is due, and no statement made, until there is a place."""
    taken, aside = filled(worker)
    [row] = play.rows(steps, aside)
    assert (row["status"], row["waiting_for"], row["attempts"]) == ("waiting", "share", 0)
    assert play.events(aside)[-1] == "step.heldBack"
    worker.crowding.round()
    assert (worker.hurries, looked_at(play)) == (0, [])
    worker.end(taken[0])
    worker.crowding.round()
    assert (worker.hurries, looked_at(play)) == (1, [aside])
    assert isinstance(worker.claim(aside), Materials)


def test_another_host_is_called_meanwhile(worker: Worker, play: Play) -> None:
    """On the spare thread."""
    filled(worker)
    other = play.start({"only": {"targetUrl": "http://quick/x"}})
    assert isinstance(worker.claim(other), Materials)


def test_what_a_lost_worker_sent_aside_is_due_with_its_steps(worker: Worker, play: Play) -> None:
    """Nobody else would call it back."""
    beat(play.ledger, "worker-1", "here", 1)
    taken, aside = filled(worker)
    play.pass_time(30)
    with play.ledger.database.transaction() as connection:
        connection.execute(workers.update().values(seen_until=0))
    assert bury(play.ledger) == ["worker-1"]
    assert set(looked_at(play)) == {aside, *(each.workflow_id for each in taken)}
    [row] = play.rows(steps, aside)
    assert (row["status"], row["waiting_for"]) == ("pending", None)


def test_an_order_finds_it_as_any_other_that_waits(worker: Worker, play: Play) -> None:
    """A cancel ends it, and calling it back then changes nothing."""
    taken, aside = filled(worker)
    play.order(aside, "cancel")
    worker.end(taken[0])
    worker.crowding.round()
    [workflow] = play.rows(workflows, aside)
    assert workflow["status"] == "cancelled"
    assert looked_at(play) == []
