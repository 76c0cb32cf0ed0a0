"""A workflow to which nothing happens although it waits for nothing is told of, once; what waits on purpose is not."""

import threading

from orchestrator.keeping_house import Watch
from orchestrator.ledger.stuck import mark_stuck, stuck_page
from orchestrator.ledger.tables import notices
from orchestrator.moves.move import Claim
from orchestrator.outcome import Expanded, Failed, StepError
from orchestrator.states import Effect, WorkflowStatus
from tests.integration.ledger.play import Play

HOUR = 3_600.0
BUSY = Failed(StepError("http", "answered 503", 503), Effect.NONE, retryable=True)


def watch(play: Play, rounds: int = 2) -> list[str]:
    """What a worker does about every minute; the workflows that were found stuck so far."""
    round_ = Watch(play.ledger, HOUR).round
    for _ in range(rounds):
        round_()
    return [row["workflow_id"] for row in play.rows(notices) if row["kind"] == "stuck"]


def test_a_workflow_without_an_event_for_long_is_told_of_once(play: Play) -> None:
    """Its message waits in a queue that nobody consumes, say. The next notice is for the next time."""
    workflow = play.start({"charge": {"next": ["ship"]}, "ship": {}})
    play.pass_time(HOUR - 10)
    assert watch(play) == []
    play.pass_time(20)
    assert watch(play) == [workflow]
    play.pass_time(5 * HOUR)
    assert watch(play) == [workflow]
    assert play.events(workflow) == ["workflow.started", "workflow.stuck"]
    play.step(workflow, "charge")
    play.pass_time(HOUR + 10)
    assert watch(play) == [workflow, workflow]


def test_the_notice_says_for_how_long(play: Play) -> None:
    """Counted from the last event."""
    play.start()
    play.pass_time(2 * HOUR)
    watch(play)
    [row] = play.rows(notices)
    assert abs(row["details"]["idleSeconds"] - 2 * HOUR) < 10


def test_what_waits_on_purpose_is_not_stuck(play: Play) -> None:
    """A call under its lease, a retry that is due later, a person's pause; and what is over."""
    called = play.start({"only": {"timeout": "1h"}})
    play.ledger.make([Claim(called, "only", "worker-1")])
    parked = play.start({"only": {"retry": {"delay": "12h", "maxDelay": "12h", "jitter": "none"}}})
    play.step(parked, "only", BUSY)
    paused = play.start()
    play.order(paused, "pause")
    play.completed()
    play.pass_time(HOUR + 10)
    assert watch(play) == []


def test_what_should_long_have_been_woken_is_stuck(play: Play) -> None:
    """A retry that was due hours ago, and was not made."""
    workflow = play.start({"only": {"retry": {"delay": "1h", "maxDelay": "1h", "jitter": "none"}}})
    play.step(workflow, "only", BUSY)
    play.pass_time(3 * HOUR)
    assert watch(play) == [workflow]


def test_a_step_whose_items_do_not_move_is_stuck(play: Play) -> None:
    """It waits for its items, which is no purpose of its own; while one of them waits on purpose, all is well."""
    each = {"forEach": {"items": "${context.pin}"}, "retry": {"delay": "2h", "maxDelay": "2h", "jitter": "none"}}
    still, waiting = play.start({"send": each}), play.start({"send": each})
    for workflow in (still, waiting):
        play.step(workflow, "send", Expanded(["a", "b"]))
    play.step(waiting, "send[0]", BUSY)
    play.pass_time(HOUR + 10)
    assert watch(play) == [still]


def test_two_workers_that_find_the_same_one_say_it_once(play: Play) -> None:
    """They meet at the workflow's lock."""
    workflows = [play.start() for _ in range(10)]
    play.pass_time(2 * HOUR)
    ledgers = [play.another_ledger() for _ in range(3)]
    ready = threading.Barrier(3)

    def worker(number: int) -> None:
        ready.wait()
        for workflow in workflows:
            mark_stuck(ledgers[number], workflow, HOUR)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["workflow_id"] for row in play.rows(notices)) == workflows


def test_a_workflow_that_moved_meanwhile_is_not_stuck(play: Play) -> None:
    """Between the look and the lock."""
    workflow = play.start()
    play.pass_time(2 * HOUR)
    assert stuck_page(play.ledger, WorkflowStatus.RUNNING, HOUR, "").stuck == [workflow]
    play.ledger.make([Claim(workflow, "only", "worker-1")])
    assert not mark_stuck(play.ledger, workflow, HOUR)


def test_all_are_looked_at_page_by_page(play: Play) -> None:
    """Each page goes on where the one before ended."""
    workflows = [play.start() for _ in range(5)]
    play.pass_time(2 * HOUR)
    found, beyond = [], ""
    while True:
        page = stuck_page(play.ledger, WorkflowStatus.RUNNING, HOUR, beyond, limit=2)
        found += page.stuck
        if page.end is None:
            break
        beyond = page.end
    assert found == workflows
