"""One order for many workflows, picked by a filter."""

import time

import pytest

from orchestrator.jsontype import Json
from tests.integration.web.desk import REFUSED, Desk


def failed(desk: Desk, how_many: int) -> list[str]:
    """So many workflows that have failed at their first step, newest first."""
    ids = [desk.start() for _ in range(how_many)]
    for workflow_id in ids:
        desk.make(workflow_id, "payment", REFUSED)
    return ids[::-1]


def bulk(desk: Desk, action: str, **fields: Json) -> Json:
    """What is answered, which must be a success."""
    answer = desk.post("/api/workflows/bulk", {"action": action, "filter": {"status": "failed"}} | fields)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_all_that_failed_are_retried_and_nothing_else(desk: Desk) -> None:
    """The audit log of each says by whom."""
    running, ids = desk.start(), failed(desk, 3)
    answer = bulk(desk, "retry")
    assert answer == {"action": "retry", "ordered": 3, "refused": [], "copies": [], "nextCursor": None}
    assert {publication.workflow_id for publication in desk.sent[-3:]} == set(ids)
    for workflow_id in ids:
        assert desk.show(workflow_id)["status"] == "running"
        event = desk.get(f"/api/workflows/{workflow_id}/events")["events"][-1]
        assert (event["type"], event["details"]["by"]) == ("workflow.retried", "api")
    assert len(desk.get(f"/api/workflows/{running}/events")["events"]) == 1


def test_a_limit_and_a_cursor_lead_through_all_of_them(desk: Desk) -> None:
    """Though those that were ordered do not fit the filter any more."""
    failed(desk, 5)
    first = bulk(desk, "retry", limit=2)
    second = bulk(desk, "retry", limit=2, cursor=first["nextCursor"])
    third = bulk(desk, "retry", limit=2, cursor=second["nextCursor"])
    assert [first["ordered"], second["ordered"], third["ordered"], third["nextCursor"]] == [2, 2, 1, None]


def test_who_refuses_is_named_with_the_reason_and_the_others_go_on(desk: Desk) -> None:
    """One that cannot be paused keeps nobody from it."""
    ids = failed(desk, 1)
    running = desk.start()
    answer = bulk(desk, "pause", filter={"type": "order-processing"})
    assert answer["ordered"] == 1
    assert [one["workflowId"] for one in answer["refused"]] == ids
    assert "only a running workflow can be paused" in answer["refused"][0]["reason"]
    assert desk.show(running)["status"] == "paused"


def test_a_bulk_rerun_with_a_start_key_makes_each_copy_once(desk: Desk) -> None:
    """And says which copy is whose."""
    ids = failed(desk, 2)
    body = {"action": "rerun", "filter": {"status": "failed"}}
    first, again = (desk.post("/api/workflows/bulk", body, Idempotency_Key="once").json for _ in range(2))
    assert first == again
    assert [copy["from"] for copy in first["copies"]] == ids
    assert len(desk.get("/api/workflows")["workflows"]) == 4


def test_no_more_are_ordered_in_a_second_than_the_rate_says(desk: Desk) -> None:
    """Four at ten a second take three tenths."""
    failed(desk, 4)
    began = time.monotonic()
    assert bulk(desk, "retry", rate=10)["ordered"] == 4
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"filter": {}}, "filter"),
        ({"filter": None}, "filter"),
        ({"filter": {"status": "lost"}}, "filter.status"),
        ({"filter": {"statsu": "failed"}}, "filter.statsu"),
        ({"filter": {"createdAfter": 5}}, "filter.createdAfter"),
        ({"action": "delete"}, "action"),
        ({"action": ["retry"]}, "action"),
        ({"rate": 0}, "rate"),
        ({"rate": "1"}, "rate"),
        ({"limit": 1001}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 1000, "rate": 1}, "limit"),
        ({"compensate": "no"}, "compensate"),
        ({"cursor": 5}, "cursor"),
        ({"workflows": []}, "workflows"),
    ],
)
def test_a_wrong_field_of_a_bulk_order_is_told_at_its_place(sqlite_desk: Desk, fields: Json, place: str) -> None:
    """And nothing is ordered: above all not where nothing was picked."""
    answer = sqlite_desk.post("/api/workflows/bulk", {"action": "retry", "filter": {"status": "failed"}} | fields)
    assert answer.status_code == 422
    assert [fault["place"] for fault in answer.json["faults"]] == [place]
