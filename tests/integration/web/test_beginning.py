"""`delay` and `notBefore` of a start, over HTTP."""

import time

import pytest

from orchestrator.jsontype import Json
from orchestrator.moments import iso
from tests.integration.web.desk import ORDER, Desk


def waits(desk: Desk, workflow_id: str) -> str:
    step = desk.step(workflow_id, "payment")
    assert (step["status"], step["waitingFor"]) == ("waiting", "start")
    return str(step["wakeAt"])


def test_a_start_is_put_off_in_the_body_or_beside_an_entry(desk: Desk) -> None:
    """It is accepted at once, and nothing is sent."""
    later = str(iso(time.time() + 900))
    for path, body in (
        ("/api/workflows", {"type": "order-processing", "context": ORDER, "delay": "15m"}),
        ("/api/workflows", {"type": "order-processing", "context": ORDER, "notBefore": later}),
        ("/api/process-order?delay=900", ORDER),
        (f"/api/process-order?notBefore={later}", ORDER),
    ):
        answer = desk.post(path, body)
        assert answer.status_code == 202, answer.text
        assert waits(desk, answer.json["workflowId"])[:15] == later[:15]
    assert not any(desk.sent)


def test_a_time_that_has_passed_is_now(sqlite_desk: Desk) -> None:
    """Nobody has to look at the clock."""
    answer = sqlite_desk.post("/api/process-order?notBefore=2020-01-01T00:00:00+01:00", ORDER)
    assert sqlite_desk.step(answer.json["workflowId"], "payment")["status"] == "pending"
    assert [one.heads for each in sqlite_desk.sent for one in each.fragments] == [("payment",)]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"delay": -1}, "delay"),
        ({"delay": "soon"}, "delay"),
        ({"delay": True}, "delay"),
        ({"delay": "400d"}, "delay"),
        ({"delay": None}, "delay"),
        ({"notBefore": "2026-01-31"}, "notBefore"),
        ({"notBefore": "2026-01-31T12:00:00"}, "notBefore"),
        ({"notBefore": "9999-12-31T23:59:59-23:59"}, "notBefore"),
        ({"notBefore": 17}, "notBefore"),
        ({"notBefore": "2026-01-31T12:00:00Z", "delay": 1}, "notBefore"),
    ],
)
def test_what_is_no_time_is_refused_with_what_would_be_right(sqlite_desk: Desk, given: Json, place: str) -> None:
    """Never a 500."""
    answer = sqlite_desk.post("/api/workflows", {"type": "order-processing", "context": ORDER, **given})
    assert answer.status_code == 422
    assert [fault["place"] for fault in answer.json["faults"]] == [place]


def test_a_wrong_delay_beside_an_entry_is_a_fault_of_the_query(sqlite_desk: Desk) -> None:
    """400, as for every query parameter."""
    answer = sqlite_desk.post("/api/process-order?delay=soon", ORDER)
    assert (answer.status_code, answer.json["faults"][0]["place"]) == (400, "delay")


def test_a_start_key_is_bound_to_the_time_too(sqlite_desk: Desk) -> None:
    """The same key with another time is another start."""
    one = sqlite_desk.post("/api/process-order?delay=900", ORDER, Idempotency_Key="k")
    same = sqlite_desk.post("/api/process-order?delay=900", ORDER, Idempotency_Key="k")
    other = sqlite_desk.post("/api/process-order?delay=901", ORDER, Idempotency_Key="k")
    assert one.json == same.json
    assert other.status_code == 422
