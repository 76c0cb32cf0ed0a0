"""What has long been finished is deleted, a little at a time, and nothing that is alive waits for it."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Table, event

from orchestrator.errors import NotFound
from orchestrator.jsontype import Json
from orchestrator.keeping_house import Retention
from orchestrator.ledger import Ledger
from orchestrator.ledger.rerunning import rerun
from orchestrator.ledger.retention import delete_finished
from orchestrator.ledger.tables import definitions, events, notices, steps, workflows
from orchestrator.ledger.views import workflow_view
from orchestrator.messenger import Messenger
from orchestrator.moves.claiming import Refusal
from orchestrator.moves.move import Claim, Settle
from orchestrator.telling import Teller
from tests.integration.ledger.play import DONE, REFUSED, Play
from tests.integration.ledger.receiver import Receiver

DAY = 86_400.0
TABLES: tuple[Table, ...] = (workflows, steps, events, notices, definitions)


def delete_all(play: Play, older_than: float = 30 * DAY, **limits: int) -> int:
    """Batch after batch; how many that took."""
    batches = 1
    while delete_finished(play.ledger, older_than, **limits).more:
        batches += 1
    return batches


def test_a_workflow_goes_with_everything_of_it(play: Play, receiver: Receiver) -> None:
    """Steps, events, notices, and the definition that nothing else uses."""
    play.failed()
    Teller(play.ledger, 0, Messenger(receiver.url()), None).round()
    play.completed()
    play.pass_time(31 * DAY)
    play.pass_definitions(31 * DAY)
    delete_all(play)
    assert [len(play.rows(table)) for table in TABLES] == [0, 0, 0, 0, 0]


def test_what_is_not_over_or_not_old_stays_whole(play: Play) -> None:
    """However old a workflow is: its age counts from its end."""
    running = play.start()
    paused = play.start()
    play.order(paused, "pause")
    play.pass_time(1_000 * DAY)
    fresh = play.completed()
    play.pass_time(29 * DAY)
    before = {table.name: play.rows(table) for table in TABLES}
    delete_all(play)
    assert {table.name: play.rows(table) for table in TABLES} == before
    assert {row["id"] for row in before["workflows"]} == {running, paused, fresh}


def test_a_retried_workflow_is_not_over(play: Play) -> None:
    """A person opened it again."""
    workflow = play.failed()
    play.pass_time(31 * DAY)
    play.order(workflow, "retry")
    delete_all(play)
    assert [row["id"] for row in play.rows(workflows)] == [workflow]


def test_what_ops_are_still_to_be_told_of_stays_until_then(play: Play, receiver: Receiver) -> None:
    """For a week: then a notice is given up."""
    workflow = play.failed()
    play.pass_time(2 * DAY)
    delete_all(play, DAY)
    assert play.rows(workflows)
    Teller(play.ledger, 0, Messenger(receiver.url()), None).round()
    assert workflow in receiver.texts()[0]
    delete_all(play, DAY)
    assert not play.rows(workflows)


def test_what_could_not_be_undone_is_never_forgotten(play: Play, receiver: Receiver) -> None:
    """Somebody was charged and not refunded: that ops were told once does not settle it."""
    charge = {"compensate": {"targetUrl": "http://s/refund", "retries": 0}, "next": ["ship"]}
    workflow = play.start({"charge": charge, "ship": {}})
    for name, outcome in (("charge", DONE), ("ship", REFUSED), ("charge:undo", REFUSED)):
        play.step(workflow, name, outcome)
    Teller(play.ledger, 0, Messenger(receiver.url()), None).round()
    play.pass_time(1_000 * DAY)
    delete_all(play)
    play.order(workflow, "retry")
    play.step(workflow, "charge:undo")
    play.pass_time(31 * DAY)
    delete_all(play)
    assert not play.rows(workflows)


def test_a_notice_for_a_destination_that_is_gone_keeps_nothing(play: Play) -> None:
    """ORCHESTRATOR_NOTIFY was shortened: nobody will ever tell it."""
    play.failed()
    play.pass_time(8 * DAY)
    delete_all(play, DAY)
    assert [len(play.rows(table)) for table in (workflows, notices)] == [0, 0]


def test_a_batch_deletes_few_rows(play: Play) -> None:
    """Those that ended first, first; a workflow of many steps goes whole, in a batch of its own."""
    many: dict[str, Json] = {f"s{number}": {} for number in range(30)}
    wide = play.start(many)
    for name in many:
        play.step(wide, name)
    play.pass_time(10)
    for _ in range(12):
        play.completed()
    play.pass_time(31 * DAY)
    left = []
    while delete_finished(play.ledger, 30 * DAY, most=5, rows=10).more:
        left.append((len(play.rows(events)), len(play.rows(steps)), len(play.rows(workflows))))
    assert not play.rows(workflows)
    assert max(before[0] - after[0] for before, after in itertools.pairwise(left)) <= 10
    whole = [(rows, number) for _, rows, number in left]
    assert (42, 13) in whole
    assert all(rows == (42 if number == 13 else number) for rows, number in whole), "steps go with their workflow"


def test_a_batch_is_found_by_index(play: Play) -> None:
    """With ever so many workflows that are not old."""
    if not play.ledger.database.postgresql:
        pytest.skip("SQLite has few plans to choose from")
    said: list[str] = []

    def explain(connection, cursor, statement, parameters, *_):  # type: ignore[no-untyped-def]  # SQLAlchemy's signature
        if statement.startswith(("SELECT", "DELETE")) and "workflow" in statement:
            asked = connection.connection.cursor()
            asked.execute("SET enable_seqscan = off")  # a look is no transaction, so nothing could be local to it
            asked.execute(f"EXPLAIN {statement}", parameters)
            said.append("\n".join(row[0] for row in asked.fetchall()))
            asked.execute("RESET enable_seqscan")

    for _ in range(3):
        play.completed()
    play.pass_time(31 * DAY)
    event.listen(play.ledger.database.engine, "before_cursor_execute", explain)
    delete_all(play)
    event.remove(play.ledger.database.engine, "before_cursor_execute", explain)
    assert said
    assert not [plan for plan in said if "Seq Scan" in plan]


def test_definitions_that_are_used_or_new_stay(play: Play) -> None:
    """A version goes once no workflow uses it and it is as old as that."""
    play.completed(description="old and unused")
    play.completed(description="old and used")
    used = play.start(description="old and used")
    play.pass_definitions(31 * DAY)
    play.completed(description="new and unused")
    play.pass_time(31 * DAY)
    delete_all(play)
    [row] = play.rows(workflows)
    assert row["id"] == used
    kept = {each["document"]["description"] for each in play.rows(definitions)}
    assert kept == {"old and used", "new and unused"}


def test_a_start_with_a_definition_that_was_deleted_writes_it_again(play: Play) -> None:
    """This process had seen it in the ledger, and another one has deleted it since."""
    play.completed()
    play.pass_time(31 * DAY)
    play.pass_definitions(31 * DAY)
    delete_finished(play.another_ledger(), 30 * DAY)
    assert play.rows(definitions) == []
    workflow = play.start()
    assert [row["id"] for row in play.rows(workflows)] == [workflow]
    assert len(play.rows(definitions)) == 1


def test_a_start_key_lives_as_long_as_its_workflow(play: Play) -> None:
    """Then the same key starts a new one."""
    first = play.completed(key="k")
    assert play.start(key="k") == first
    play.pass_time(31 * DAY)
    delete_all(play)
    assert play.start(key="k") != first


def test_late_messages_for_a_deleted_workflow_do_nothing(play: Play) -> None:
    """They find nothing to do, and leave nothing behind; a person is told that it is gone."""
    workflow = play.completed()
    play.pass_time(31 * DAY)
    delete_all(play)
    assert play.ledger.make([Claim(workflow, "only", "worker-1")])[0].reply is None
    assert play.ledger.make([Settle(workflow, "only", 1, DONE, 0.5)])[0].reply is None
    assert play.rows(events) == []
    with pytest.raises(NotFound):
        rerun(play.ledger, workflow, "ada")
    with pytest.raises(NotFound):
        workflow_view(play.ledger, workflow)


def test_workflows_run_while_others_are_deleted(play: Play) -> None:
    """Two workers delete, two claim and settle: every living workflow completes, every old one goes, nobody fails."""
    for _ in range(60):
        play.completed()
    play.pass_time(31 * DAY)
    living = [play.start({"charge": {"next": ["ship"]}, "ship": {}}) for _ in range(30)]
    old = [lambda: deleting(play.another_ledger())] * 2
    together(
        [
            *old,
            lambda: working(play.another_ledger(), living[::2]),
            lambda: working(play.another_ledger(), living[1::2]),
        ]
    )
    delete_all(play)
    assert {(row["id"], row["status"]) for row in play.rows(workflows)} == {(each, "completed") for each in living}
    assert len(play.rows(steps)) == 60


def deleting(ledger: Ledger) -> None:
    """A worker's batches, small and without a pause."""
    while delete_finished(ledger, 30 * DAY, most=5, rows=20).more:
        pass


def working(ledger: Ledger, mine: list[str]) -> None:
    """A worker that runs these workflows to their end."""
    for workflow in mine:
        for name in ("charge", "ship"):
            [claimed] = ledger.make([Claim(workflow, name, "worker-1")])
            assert not isinstance(claimed.reply, Refusal)
            ledger.make([Settle(workflow, name, 1, DONE, 0.5)])


def together(calls: Sequence[Callable[[], None]]) -> None:
    """All of them at the same time; the first fault of any of them is raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()


def test_a_held_workflow_is_passed_over(play: Play) -> None:
    """Who holds its lock is not waited for; nobody waits in turn."""
    if not play.ledger.database.postgresql:
        pytest.skip("SQLite has one writer: a batch waits its turn, and is short")
    held, free = play.completed(), play.completed()
    play.pass_time(31 * DAY)
    with play.another_ledger().database.transaction() as connection:
        connection.execute(workflows.select().where(workflows.c.id == held).with_for_update())
        delete_all(play)
        assert [row["id"] for row in play.rows(workflows)] == [held]
    assert free != held
    delete_all(play)
    assert play.rows(workflows) == []


def test_the_pace_is_gentle(play: Play) -> None:
    """Seconds between two batches; a minute where nothing is left."""
    for _ in range(101):
        play.completed()
    play.pass_time(31 * DAY)
    retention = Retention(play.ledger, 30 * DAY)
    assert retention.round() >= 3
    assert len(play.rows(workflows)) == 1
    assert retention.round() >= 60
    assert play.rows(workflows) == []
