"""`POST /api/tasks` and starts in bulk, over HTTP."""

import pytest

from orchestrator.jsontype import Json
from tests.integration.web.desk import ORDER, Desk

TASK = {
    "targetUrl": "https://service.example/jobs",
    "payload": {"n": 1, "text": "${context.payload} stays as it is"},
    "webhookUrl": "https://receiver.example/hook",
    "retries": 5,
    "timeout": 10,
}


def faults(answer: Json) -> list[str]:
    return [fault["place"] for fault in answer.json["faults"]]


def test_a_task_is_a_workflow_of_one_call(desk: Desk) -> None:
    """Its answer is that of a start; its result is the workflow's output."""
    answer = desk.post("/api/tasks", TASK)
    assert (answer.status_code, answer.json["status"]) == (202, "processing")
    workflow_id = answer.json["workflowId"]
    assert answer.headers["Location"] == f"/api/workflows/{workflow_id}"
    desk.complete(workflow_id, call={"done": True})
    shown = desk.show(workflow_id)
    assert (shown["type"], shown["status"], shown["output"]) == ("task", "completed", {"done": True})
    assert shown["context"] == {"targetUrl": TASK["targetUrl"], "payload": TASK["payload"]}
    [delivery] = desk.get("/api/webhooks/deliveries", workflowId=workflow_id)["deliveries"]
    assert (delivery["event"], delivery["url"]) == ("workflow.completed", TASK["webhookUrl"])


def test_a_task_is_shown_in_brief(desk: Desk) -> None:
    """As one who polls wants it; another workflow is no task."""
    workflow_id = desk.post("/api/tasks", TASK).json["workflowId"]
    before = desk.get(f"/api/tasks/{workflow_id}")
    assert (before["status"], before["attempts"], before["result"]) == ("processing", 0, None)
    desk.complete(workflow_id, call={"done": True})
    after = desk.get(f"/api/tasks/{workflow_id}")
    assert (after["status"], after["result"], after["targetUrl"]) == ("completed", {"done": True}, TASK["targetUrl"])
    order = desk.post("/api/process-order", ORDER).json["workflowId"]
    for other in (order, "00000000-0000-7000-8000-000000000000"):
        assert desk.client.get(f"/api/tasks/{other}").status_code == 404


def test_a_task_with_the_same_key_is_the_same_task(desk: Desk) -> None:
    """With another body it is refused."""
    one = desk.post("/api/tasks", TASK, Idempotency_Key="k")
    assert desk.post("/api/tasks", TASK, Idempotency_Key="k").json == one.json
    assert desk.post("/api/tasks", {**TASK, "payload": 2}, Idempotency_Key="k").status_code == 422


def test_tasks_that_differ_in_their_data_share_a_definition(desk: Desk) -> None:
    """A million of them do not make a million definitions."""
    ids = [desk.post("/api/tasks", {**TASK, "payload": n}).json["workflowId"] for n in range(3)]
    assert len({desk.show(one)["definitionVersion"] for one in ids}) == 1


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, ["targetUrl"]),
        ({"targetUrl": "x", "retries": -1, "timeout": 0}, ["targetUrl", "retries", "timeout"]),
        ({"targetUrl": "http://x/", "retries": True, "timeout": "soon"}, ["retries", "timeout"]),
        ({"targetUrl": "http://x/", "timeout": "2h"}, ["timeout"]),
        ({"targetUrl": "http://x/", "url": 1}, ["url"]),
        ({"targetUrl": "http://x/", "webhookUrl": None}, ["webhookUrl"]),
        ({"targetUrl": "http://x/", "webhookUrl": "x"}, ["webhookUrl"]),
        ({"targetUrl": "http://x/", "delay": "x"}, ["delay"]),
        ({"targetUrl": "http://x/", "priority": 9}, ["priority"]),
    ],
)
def test_what_is_wrong_with_a_task_is_named(sqlite_desk: Desk, given: Json, places: list[str]) -> None:
    """All of it at once."""
    answer = sqlite_desk.post("/api/tasks", given)
    assert (answer.status_code, faults(answer)) == (422, places)


def test_many_are_started_together_in_their_order(desk: Desk) -> None:
    """A thousand in one request; asked for again with the same key they are the same."""
    body = {"tasks": [{**TASK, "payload": n} for n in range(1_000)]}
    answer = desk.post("/api/tasks/bulk", body, Idempotency_Key="k")
    assert answer.status_code == 202, answer.text
    ids = [one["workflowId"] for one in answer.json["tasks"]]
    assert len(set(ids)) == len([one for one in desk.sent if one]) == 1_000
    assert [desk.show(ids[n])["context"]["payload"] for n in (0, 500, 999)] == [0, 500, 999]
    assert desk.post("/api/tasks/bulk", body, Idempotency_Key="k").json == answer.json
    assert desk.post("/api/tasks/bulk", {"tasks": body["tasks"][:5]}, Idempotency_Key="k").status_code == 422


def test_one_that_is_wrong_stops_all_of_them(desk: Desk) -> None:
    """Its place in the list is named, and nothing is started."""
    answer = desk.post("/api/tasks/bulk", {"tasks": [TASK, {"targetUrl": "x"}, TASK, {"retries": 1}]})
    assert (answer.status_code, faults(answer)) == (422, ["tasks[1].targetUrl", "tasks[3].targetUrl"])
    start = {"type": "order-processing", "context": ORDER}
    answer = desk.post("/api/workflows/batch", {"workflows": [start, {"type": "none"}, {**start, "context": {}}]})
    assert answer.status_code == 422
    assert faults(answer)[0] == "workflows[1].type"
    assert faults(answer)[1].startswith("workflows[2].context.")
    assert desk.get("/api/workflows")["workflows"] == []


def test_workflows_are_started_in_bulk_too(desk: Desk) -> None:
    """Of several types, each as it would be started by itself."""
    order = {"type": "order-processing", "context": ORDER, "delay": 60}
    other = {"type": "subscription", "context": {"email": "a@b", "plan": "pro"}}
    answer = desk.post("/api/workflows/batch", {"workflows": [order, other]})
    assert answer.status_code == 202, answer.text
    ids = [one["workflowId"] for one in answer.json["workflows"]]
    assert [desk.show(one)["type"] for one in ids] == ["order-processing", "subscription"]
    assert desk.step(ids[0], "payment")["waitingFor"] == "start"


@pytest.mark.parametrize("body", [{}, {"tasks": []}, {"tasks": {}}, {"tasks": [1]}, {"tasks": [TASK], "x": 1}])
def test_a_list_that_is_none_is_refused(sqlite_desk: Desk, body: Json) -> None:
    """As is one that is too long."""
    assert sqlite_desk.post("/api/tasks/bulk", body).status_code == 422
    assert sqlite_desk.post("/api/tasks/bulk", {"tasks": [TASK] * 1_001}).status_code == 422
