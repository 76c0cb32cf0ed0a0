"""Schedules on real databases: one start a tick, whoever looks and whoever dies, pauses, and what was missed."""

import threading

import pytest

from orchestrator.definition import Schedule
from orchestrator.errors import Conflict, NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.retention import delete_finished
from orchestrator.ledger.schedules import create, delete_schedule, due_schedules, pause, resume, tick, trigger
from orchestrator.ledger.tables import definitions, schedules, workflows
from orchestrator.ledger.views.schedules import schedule_view, schedules_view
from orchestrator.reading import read_document
from orchestrator.rhythm import CatchUp, Rhythm
from orchestrator.scheduling import Clockwork, keep_schedules, planned
from orchestrator.sealing import Sealer
from orchestrator.workflow import Publication
from tests.integration.ledger.play import Play
from tests.integration.web.desk import KEY

SEALER = Sealer([KEY])


def document(**top: Json) -> Json:
    return {"type": "report", "steps": {"only": {"targetUrl": "http://s/only"}}, "sensitive": ["context.pin"], **top}


def scheduled(play: Play, catch_up: CatchUp = "one", **rhythm: Json) -> None:
    schedule = Schedule(Rhythm(**(rhythm or {"every": 60.0})), catch_up, {"pin": "1234"})
    create(play.ledger, planned("daily", read_document(document()), schedule, SEALER))


def ticked(play: Play) -> list[Publication]:
    sent: list[Publication] = []
    Clockwork(play.ledger, sent.append).round()
    return sent


def started(play: Play) -> list[str]:
    return [row["start_key"] for row in play.rows(workflows)]


def test_a_tick_starts_a_workflow_when_its_time_has_come(play: Play) -> None:
    """With the context that was given, sensitive fields encrypted, and sent at once."""
    scheduled(play)
    assert ticked(play) == []
    play.pass_time(61)
    assert [one.heads for each in ticked(play) for one in each.fragments] == [("only",)]
    assert ticked(play) == []
    [row] = play.rows(workflows)
    assert row["context"] == {"pin": "•••"}
    assert SEALER.open(row["sealed"]) == {"context.pin": "1234"}
    shown = schedule_view(play.ledger, "daily")
    assert shown["lastWorkflowId"] == row["id"]
    assert len(shown["nextRuns"]) == 5


def test_however_many_workers_look_a_tick_is_made_once(play: Play) -> None:
    """Twelve ticks in a row, looked at by four workers in the same moment each time."""
    scheduled(play)
    for _ in range(12):
        play.pass_time(61)
        together = threading.Barrier(4)
        sent: list[Publication] = []

        def work(together: threading.Barrier = together, sent: list[Publication] = sent) -> None:
            clockwork = Clockwork(play.another_ledger(), sent.append)
            together.wait()
            clockwork.round()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(sent) == 1
    assert len(set(started(play))) == len(started(play)) == 12


@pytest.mark.parametrize(("policy", "starts"), [("skip", 0), ("one", 1), ("all", 10)])
def test_what_was_missed_is_caught_up_with_as_the_schedule_says(play: Play, policy: CatchUp, starts: int) -> None:
    """Ten ticks passed while no worker was alive, the last of them more than a minute ago."""
    scheduled(play, policy, every=100.0)
    play.pass_time(1_075)
    ticked(play)
    assert len(started(play)) == starts
    assert ticked(play) == []


def test_a_tick_whose_worker_died_before_its_commit_is_made_by_the_next(play: Play) -> None:
    """The workflow and the next tick are written together, or neither is."""
    scheduled(play)
    play.pass_time(61)

    class Died(Exception):
        pass

    other = play.another_ledger()

    def dies(*_: object) -> None:
        raise Died

    other.definitions.get = dies  # type: ignore[assignment,method-assign]  # a worker that dies here
    with pytest.raises(Died):
        tick(other, "daily")
    assert started(play) == []
    assert len(ticked(play)) == 1


def test_a_tick_that_was_started_is_not_started_again_by_a_schedule_made_anew(play: Play) -> None:
    """The start key of the tick says so."""
    scheduled(play)
    play.pass_time(61)
    due_at = play.rows(schedules)[0]["next_at"]
    ticked(play)
    with play.ledger.database.transaction() as connection:
        connection.execute(schedules.update().values(next_at=due_at))
    assert ticked(play) == []
    assert len(started(play)) == 1


def test_a_paused_schedule_makes_no_tick_and_catches_up_with_none(play: Play) -> None:
    """Whatever its policy."""
    scheduled(play, "all")
    pause(play.ledger, "daily")
    play.pass_time(600)
    assert ticked(play) == []
    assert schedule_view(play.ledger, "daily")["nextRuns"] == []
    resume(play.ledger, "daily")
    assert ticked(play) == []
    play.pass_time(61)
    assert len(ticked(play)) == 1


def test_a_trigger_starts_it_besides(play: Play) -> None:
    """The next tick comes when it would have come."""
    scheduled(play)
    before = schedule_view(play.ledger, "daily")["nextAt"]
    trigger(play.ledger, "daily", "ada")
    assert schedule_view(play.ledger, "daily")["nextAt"] == before
    assert started(play) == [None]


def test_a_deleted_schedule_starts_nothing_more(play: Play) -> None:
    """And one that is not there is said to be."""
    scheduled(play)
    with pytest.raises(Conflict, match="already"):
        scheduled(play)
    delete_schedule(play.ledger, "daily")
    play.pass_time(61)
    assert ticked(play) == []
    for order in (delete_schedule, pause, resume):
        with pytest.raises(NotFound):
            order(play.ledger, "daily")


def test_one_schedule_that_cannot_be_read_does_not_hold_up_the_others(play: Play) -> None:
    """Its tick is tried again."""
    scheduled(play)
    other = Schedule(Rhythm(every=60.0))
    create(play.ledger, planned("other", read_document(document(type="other")), other, SEALER))
    play.pass_time(61)
    with play.ledger.database.transaction() as connection:
        connection.execute(definitions.update().where(definitions.c.type == "report").values(document={"type": "?"}))
    reader = play.another_ledger()
    sent: list[Publication] = []
    assert Clockwork(reader, sent.append).round() > 1
    assert [each.workflow_type for each in sent] == ["other"]
    assert due_schedules(reader)[0] == ["daily"]


def test_a_definition_is_kept_as_long_as_a_schedule_uses_it(play: Play) -> None:
    """Though no workflow does."""
    scheduled(play)
    play.pass_time(61)
    ticked(play)
    [workflow_id] = [row["id"] for row in play.rows(workflows)]
    play.step(workflow_id, "only")
    play.pass_time(1_000)
    play.pass_definitions(1_000)
    assert delete_finished(play.ledger, 500).workflows == 1
    assert len(play.rows(definitions)) == 1


def test_the_definitions_own_schedules_follow_the_definitions(play: Play) -> None:
    """They come, change and go with them; one that did not change keeps its tick and its pause."""
    daily = read_document(document(schedule={"cron": "0 3 * * *", "timezone": "Europe/London"}))
    keep_schedules(play.ledger, {"report": daily}, SEALER)
    pause(play.ledger, "definition:report")
    changed = read_document(document(description="x", schedule={"cron": "0 3 * * *", "timezone": "Europe/London"}))
    keep_schedules(play.ledger, {"report": changed}, SEALER)
    shown = schedule_view(play.ledger, "definition:report")
    assert (shown["paused"], shown["definitionVersion"]) == (True, changed.version)
    with pytest.raises(Conflict, match="its definition says"):
        delete_schedule(play.ledger, "definition:report")
    keep_schedules(play.ledger, {"report": read_document(document())}, SEALER)
    assert schedules_view(play.ledger) == {"schedules": []}


def test_the_apis_schedules_use_new_versions_as_far_as_their_context_fits(play: Play) -> None:
    """One that does not fit goes on with the old version, and says so."""
    scheduled(play)
    newer = read_document(document(description="newer"))
    keep_schedules(play.ledger, {"report": newer}, SEALER)
    assert schedule_view(play.ledger, "daily")["definitionVersion"] == newer.version
    stricter = read_document(document(input={"type": "object", "required": ["amount"]}))
    keep_schedules(play.ledger, {"report": stricter}, SEALER)
    shown = schedule_view(play.ledger, "daily")
    assert (shown["definitionVersion"], "amount" in shown["fault"]) == (newer.version, True)
