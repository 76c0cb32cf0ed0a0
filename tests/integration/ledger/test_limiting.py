"""Limits on each kind of database: slots that are shared, given in order, and given back whatever happens."""

import itertools
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from orchestrator.ledger.due import due
from orchestrator.ledger.limiting import Limiter
from orchestrator.ledger.materials import Materials
from orchestrator.ledger.tables import limits, slots, steps
from orchestrator.moves.claiming import Refusal
from orchestrator.moves.move import Claim, Look, Settle
from orchestrator.outcome import Completed
from tests.integration.ledger.play import Play

ONE: dict[str, object] = {"limit": {"key": "bank", "concurrency": 1}}


class Bank:
    """A worker whose steps need slots. `hurries` counts how often its reconciler was told that something is due."""

    def __init__(self, play: Play, name: str = "worker-1") -> None:
        self.play = play
        self.hurries = 0
        self.limiter = Limiter(play.ledger, name, self._hurry)
        self.name = name

    def _hurry(self) -> None:
        self.hurries += 1

    def claim(self, workflow_id: str, step: str = "only") -> Materials | Refusal:
        """Bring the step as its message does."""
        [made] = self.play.ledger.make([Claim(workflow_id, step, self.name)])
        if made.reply is not Refusal.LIMITED:
            assert isinstance(made.reply, Refusal)
            return made.reply
        reply = self.limiter.claim(workflow_id, step).reply
        assert reply is not None
        return reply

    def take(self, workflow_id: str) -> Materials:
        """The same, where it has to be let in."""
        materials = self.claim(workflow_id)
        assert isinstance(materials, Materials), materials
        return materials

    def end(self, materials: Materials, good: bool | None = True) -> None:
        """The call has ended."""
        move = Settle(materials.workflow_id, materials.step.name, materials.attempt, Completed(None, 200), 0.5)
        self.play.ledger.make([move])
        self.limiter.give_back(materials, good)

    def woken(self) -> list[str]:
        """The reconciler's round: whose turn it is, looked at and sent."""
        found = [look for look in due(self.play.ledger).looks if look.step is not None]
        self.play.ledger.make(found)
        return [look.workflow_id for look in found]


@pytest.fixture
def bank(play: Play) -> Iterator[Bank]:
    """A worker."""
    return Bank(play)


def waiting_for(bank: Bank, workflow_id: str) -> str | None:
    """What the workflow's step waits for."""
    [row] = bank.play.rows(steps, workflow_id)
    return row["waiting_for"] if row["status"] == "waiting" else None


def test_one_that_gets_no_slot_is_parked_without_an_attempt_and_woken_by_the_end_of_another(bank: Bank) -> None:
    """It holds no worker, and its turn comes with the settle that frees the slot."""
    first, second = bank.play.start({"only": ONE}), bank.play.start({"only": ONE})
    taken = bank.take(first)
    assert bank.claim(second) is Refusal.PARKED
    assert waiting_for(bank, second) == "limit"
    [row] = bank.play.rows(steps, second)
    assert row["attempts"] == 0
    assert "step.started" not in bank.play.events(second)
    assert bank.woken() == []
    bank.end(taken)
    assert bank.woken() == [second]
    assert bank.take(second).attempt == 1


def test_turns_come_in_the_order_of_waiting(bank: Bank) -> None:
    """Nobody who comes later passes, though a slot be free just then."""
    ids = [bank.play.start({"only": ONE}) for _ in range(6)]
    taken = bank.take(ids[0])
    for workflow_id in ids[1:5]:
        assert bank.claim(workflow_id) is Refusal.PARKED
    for workflow_id in ids[1:5]:
        bank.end(taken)
        assert bank.claim(ids[5]) in (Refusal.PARKED, Refusal.HELD)
        assert bank.woken() == [workflow_id]
        taken = bank.take(workflow_id)


def test_a_worker_that_dies_takes_no_slot_with_it(bank: Bank) -> None:
    """Its slot ends with the step's lease: whoever takes the step over has ended it."""
    first, second = bank.play.start({"only": ONE}), bank.play.start({"only": ONE})
    bank.take(first)
    assert bank.claim(second) is Refusal.PARKED
    bank.limiter.tidy()
    assert bank.woken() == []
    bank.play.pass_time(200)
    bank.play.ledger.make([Look(first, "only")])
    other = Bank(bank.play, "worker-2")
    other.limiter.tidy()
    assert other.hurries == 1
    assert second in other.woken()
    other.take(second)


def test_a_step_that_is_taken_over_has_no_use_for_the_slot_of_its_lost_attempt(bank: Bank) -> None:
    """Asked before anybody has tidied: it gets that place itself, or waits for its turn like any other."""
    first, second = bank.play.start({"only": ONE}), bank.play.start({"only": ONE})
    bank.take(first)
    bank.play.pass_time(200)
    bank.play.ledger.make([Look(first, "only")])
    again = bank.take(first)
    assert again.attempt == 2
    assert bank.claim(second) is Refusal.PARKED
    bank.play.pass_time(200)
    bank.play.ledger.make([Look(first, "only")])
    assert bank.claim(first) is Refusal.PARKED, "the other one waits longer"
    assert bank.woken() == []
    bank.limiter.tidy()
    assert bank.woken() == [second]
    bank.end(bank.take(second))
    assert bank.woken() == [first]


def test_a_slot_that_nobody_comes_for_goes_to_the_next(bank: Bank) -> None:
    """A workflow that was cancelled while it waited holds up nobody."""
    first, second, third = (bank.play.start({"only": ONE}) for _ in range(3))
    taken = bank.take(first)
    assert bank.claim(second) is bank.claim(third) is Refusal.PARKED
    bank.play.order(second, "cancel")
    bank.end(taken)
    assert bank.woken() == [third]
    bank.take(third)


def test_a_limit_holds_over_many_threads_and_processes(bank: Bank) -> None:
    """Forty at once, through two ledgers: never more than three are let in."""
    three = {"limit": {"key": "bank", "concurrency": 3}}
    ids = [bank.play.start({"only": three}) for _ in range(40)]
    others = [Limiter(bank.play.another_ledger(), f"worker-{number}") for number in range(2)]
    replies = []

    def bring(number: int) -> None:
        replies.append(others[number % 2].claim(ids[number], "only").reply)

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(replies) == 40
    assert sum(isinstance(reply, Materials) for reply in replies) == 3


def test_a_rate_gives_each_its_time(bank: Bank) -> None:
    """Those that are too early are parked until their turn."""
    fast = {"limit": {"key": "bank", "rate": "600/m"}}
    ids = [bank.play.start({"only": fast}) for _ in range(5)]
    bank.take(ids[0])
    assert all(bank.claim(workflow_id) is Refusal.PARKED for workflow_id in ids[1:])
    times = sorted(row["wake_at"] for each in ids[1:] for row in bank.play.rows(steps, each))
    assert all(0.09 < later - earlier < 0.11 for earlier, later in itertools.pairwise(times))


def test_a_circuit_opens_parks_probes_and_closes(bank: Bank) -> None:
    """While it is open nothing is called and no attempt is burnt."""
    weak = {"limit": {"key": "bank", "circuit": {"failures": 2, "pause": 30}}}
    ids = [bank.play.start({"only": weak}) for _ in range(5)]
    for workflow_id in ids[:2]:
        bank.end(bank.take(workflow_id), good=False)
    assert bank.claim(ids[2]) is bank.claim(ids[3]) is Refusal.PARKED
    assert waiting_for(bank, ids[2]) == "circuit"
    with bank.play.ledger.database.transaction() as connection:
        connection.execute(update(limits).values(open_until=limits.c.open_until - 60))
    bank.limiter.tidy()
    assert bank.woken() == [ids[2]]
    probe = bank.take(ids[2])
    assert bank.claim(ids[4]) is Refusal.PARKED
    bank.end(probe)
    assert set(bank.woken()) == {ids[3], ids[4]}
    bank.take(ids[3])


def test_the_key_is_worked_out_for_each_step(bank: Bank) -> None:
    """A slot for each tenant; one that cannot be worked out fails the step, with what would be right."""
    tenant = {"limit": {"key": "tenant-${context.pin}", "concurrency": 1}}
    materials = bank.take(bank.play.start({"only": tenant}))
    assert materials.slot == "tenant-a-context"
    wrong = bank.play.start({"only": {"limit": {"key": "a b", "concurrency": 1}}})
    assert bank.claim(wrong) is Refusal.UNUSABLE
    [row] = bank.play.rows(steps, wrong)
    assert row["status"] == "failed"
    assert "limit.key must be" in row["error"]["message"]


def test_without_a_key_the_host_is_the_key(bank: Bank) -> None:
    """With its port, where one is written."""
    own = {"limit": {"concurrency": 1}, "targetUrl": "http://API.example.com:81/x"}
    assert bank.take(bank.play.start({"only": own})).slot == "api.example.com:81"


def test_a_claim_whose_answer_was_lost_finds_its_slot(bank: Bank) -> None:
    """The second try is given what the first had taken."""
    workflow_id = bank.play.start({"only": ONE})
    bank.take(workflow_id)
    made = bank.limiter._claim(workflow_id, "only", again=True)
    assert isinstance(made.reply, Materials)
    assert (made.reply.slot, made.reply.attempt) == ("bank", 1)
    with bank.play.ledger.database.reading() as connection:
        assert len(connection.execute(select(slots)).all()) == 1
