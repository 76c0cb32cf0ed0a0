"""How urgent a workflow is, as a start says it: shown, sent and kept."""

import pytest

from orchestrator.priority import Priority
from tests.integration.web.desk import ORDER, Desk


def test_a_start_says_how_urgent_it_is(desk: Desk) -> None:
    """In a body, in an entry's query, for a single call; a fresh copy is as urgent as what it copies."""
    starts = [
        desk.post("/api/workflows", {"type": "order-processing", "context": ORDER, "priority": "high"}),
        desk.post("/api/process-order?priority=high", ORDER),
        desk.post("/api/tasks", {"targetUrl": "https://x.example/", "priority": "high"}),
    ]
    for answer in starts:
        assert desk.show(answer.json["workflowId"])["priority"] == "high"
    assert {each.priority for each in desk.sent} == {Priority.HIGH}
    first = starts[0].json["workflowId"]
    desk.post(f"/api/workflows/{first}/cancel")
    copy = desk.post(f"/api/workflows/{first}/rerun").json["workflowId"]
    assert desk.show(copy)["priority"] == "high"


def test_a_definition_says_it_where_the_start_does_not(desk: Desk) -> None:
    """And a start may say otherwise."""
    steps = {"only": {"targetUrl": "https://x.example/"}}
    definition = {"type": "night", "priority": "low", "steps": steps}
    for beside, shown in (({}, "low"), ({"priority": "normal"}, "normal")):
        answer = desk.post("/api/workflows", {"definition": definition, **beside})
        assert desk.show(answer.json["workflowId"])["priority"] == shown


@pytest.mark.parametrize("wrong", ["urgent", "HIGH", None, 0, ["high"]])
def test_a_word_that_is_no_priority_is_refused(sqlite_desk: Desk, wrong: object) -> None:
    """With those that there are."""
    answer = sqlite_desk.post("/api/workflows", {"type": "order-processing", "context": ORDER, "priority": wrong})
    assert answer.status_code == 422
    assert answer.json["faults"] == [{"place": "priority", "message": "must be one of high, normal, low"}]
