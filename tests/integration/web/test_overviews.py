"""What the dashboard reads of the ledger: counts, a search in contexts, statistics, workers and what waits for them."""

import pytest

from orchestrator.errors import FaultyInput
from orchestrator.ledger.presence import beat
from orchestrator.ledger.views import Filters, attendance, counts, found_page, pulse, statistics
from tests.integration.web.desk import BUSY, ORDER, REFUSED, Desk


def found(desk: Desk, field: str, value: str, filters: Filters | None = None) -> set[str]:
    """The workflows with that value."""
    page = found_page(desk.ledger, filters or Filters(), field.split("."), value)
    return {one["workflowId"] for one in page["workflows"]}


def test_workflows_are_found_by_text_number_truth_and_nested_fields(desk: Desk) -> None:
    """Exactly the value counts; masked fields are not found."""
    address = {"street": "Baker Street", "no": 221, "gift": True}
    one = desk.start({**ORDER, "address": address, "email": 'x"y@example.com'})
    other = desk.start({**ORDER, "amount": 7})
    assert found(desk, "address.street", "Baker Street") == {one}
    assert found(desk, "address.no", "221") == {one}
    assert found(desk, "address.gift", "true") == {one}
    assert found(desk, "address.gift", "1") == set()
    assert found(desk, "amount", "7") == {other}
    assert found(desk, "email", 'x"y@example.com') == {one}
    assert found(desk, "card", "4242-4242") == set()
    assert found(desk, "no'such", "true") == found(desk, "address", "nothing") == set()
    for name in ('no"such', "", "nul\0", "back\\slash"):
        with pytest.raises(FaultyInput):
            found(desk, name, "true")
    assert found(desk, "amount", "7", Filters(type="subscription")) == set()


def test_a_search_looks_at_a_bounded_number_and_goes_on_from_there(desk: Desk) -> None:
    """Each page says how far it looked; together the pages find all."""
    wanted = {desk.start({**ORDER, "amount": number % 4 + 1}) for number in range(8) if number % 4 == 0}
    ids, cursor, pages = set(), None, 0
    while True:
        page = found_page(desk.ledger, Filters(), ["amount"], "1", cursor, limit=1, searched=3)
        ids |= {one["workflowId"] for one in page["workflows"]}
        cursor, pages = page["nextCursor"], pages + 1
        if cursor is None:
            break
    assert ids == wanted
    assert pages > 1


def test_statuses_are_counted_and_a_failed_undo_needs_a_person(desk: Desk) -> None:
    """Each workflow is counted where it stands."""
    desk.start()
    undone = desk.start()
    desk.complete(undone, payment={"orderId": "o"})
    desk.make(undone, "shipment", REFUSED)
    desk.make(undone, "payment:undo", REFUSED)
    counted = counts(desk.ledger)
    assert (counted["running"], counted["failed"], counted["needsPerson"], counted["completed"]) == (1, 1, 1, 0)


def test_the_pulse_changes_with_every_change(desk: Desk) -> None:
    """And only then."""
    workflow = desk.start()
    first = pulse(desk.ledger, workflow)
    assert first == pulse(desk.ledger, workflow)
    desk.claim(workflow, "payment")
    later = pulse(desk.ledger, workflow)
    assert later.event > first.event
    assert not later.final


def test_statistics_tell_how_the_last_ones_went(desk: Desk) -> None:
    """By workflow, by step and by version."""
    good, bad = desk.start(), desk.start()
    desk.complete(good, payment={"orderId": "o"}, shipment={"trackingId": "t"}, confirmation={})
    desk.make(bad, "payment", REFUSED)
    told = statistics(desk.ledger, "order-processing", 3)
    assert (told["workflows"]["count"], told["workflows"]["completionRate"]) == (2, 0.5)
    assert (told["steps"]["payment"]["count"], told["steps"]["payment"]["failureRate"]) == (2, 0.5)
    assert told["steps"]["shipment"]["medianMs"] is not None
    assert [version["count"] for version in told["versions"]] == [2]
    assert statistics(desk.ledger, "no such type", 3)["workflows"]["completionRate"] is None


def test_statistics_by_type_and_period_are_an_api(desk: Desk) -> None:
    """The guides' numbers: completion rate, average duration, failures per step; of a period, or of the last ones."""
    good, bad = desk.start(), desk.start()
    desk.complete(good, payment={"orderId": "o"}, shipment={"trackingId": "t"}, confirmation={})
    desk.make(bad, "payment", REFUSED)
    answer = desk.get("/api/statistics", type="order-processing", since="1h")
    [told] = answer["types"]
    assert answer["since"] < told["since"] < answer["until"]
    whole = told["workflows"]
    assert (whole["count"], whole["ended"], whole["completed"], whole["completionRate"]) == (2, 2, 1, 0.5)
    assert whole["meanMs"] is not None
    assert (told["steps"]["payment"]["failed"], told["steps"]["payment"]["failureRate"]) == (1, 0.5)
    assert desk.get("/api/statistics", since="2999-01-01")["types"][0]["workflows"]["count"] == 0
    assert {each["type"] for each in desk.get("/api/statistics")["types"]} > {"order-processing"}
    assert desk.get("/api/statistics", since="999999999999d")["types"]
    for wrong in ("since=yesterday", "since=-1h", "since=9999999999999d", "since=", "type=%00", "period=1h"):
        assert desk.client.get(f"/api/statistics?{wrong}").status_code == 400, wrong
    assert desk.client.get("/api/statistics?type=none").status_code == 404


def test_of_more_workflows_than_are_looked_at_the_newest_count(desk: Desk) -> None:
    """And the answer says so: of a type with ten thousand steps it is ten."""
    for _ in range(11):
        desk.start()
    told = statistics(desk.ledger, "order-processing", 10_000, since=0.0)
    assert (told["workflows"]["count"], told["more"]) == (10, True)


def test_workers_and_what_waits_for_them_are_told(desk: Desk) -> None:
    """One that runs a step, one that has been silent; a step that waits for its retry."""
    beat(desk.ledger, "worker-1", "here", 1)
    running, parked = desk.start(), desk.start()
    desk.claim(running, "payment")
    desk.make(parked, "payment", BUSY)
    desk.start()
    told = attendance(desk.ledger)
    assert [(worker["name"], worker["alive"], worker["running"]) for worker in told["workers"]] == [
        ("worker-1", True, 1)
    ]
    standing = {(each["status"], each["waitingFor"]): each["count"] for each in told["open"]}
    assert standing == {("running", None): 1, ("waiting", "retry"): 1, ("pending", None): 1}
