"""Items of a step with `forEach` by API: counted with their step, shown a page at a time, explained."""

import pytest

from orchestrator.jsontype import Json
from orchestrator.moves.move import Claim, Settle
from orchestrator.outcome import Completed, Expanded
from tests.integration.ledger.play import REFUSED
from tests.integration.web.desk import Desk

EACH: Json = {
    "type": "each",
    "steps": {
        "send": {
            "targetUrl": "http://services/send",
            "forEach": {"items": "${context.people}", "maxParallel": 3, "tolerate": 2},
            "retries": 0,
        }
    },
}


def do(play: Desk, workflow: str, step: str, outcome: object) -> None:
    """A worker takes the step, and this comes of it."""
    play.ledger.make([Claim(workflow, step, "worker-1")])
    play.ledger.make([Settle(workflow, step, 1, outcome, 0.5)])  # type: ignore[arg-type]


@pytest.fixture
def started(desk: Desk) -> str:
    """Twelve people, of whom the first two were told and the third could not be."""
    people = [f"p-{place}" for place in range(12)]
    answer = desk.client.post("/api/workflows", json={"definition": EACH, "context": {"people": people}})
    workflow = str(answer.get_json()["workflowId"])
    do(desk, workflow, "send", Expanded(people))
    for place, outcome in enumerate([Completed({"n": 0}), Completed({"n": 1}), REFUSED]):
        do(desk, workflow, f"send[{place}]", outcome)
    return workflow


def test_a_workflow_counts_its_items_and_does_not_list_them(desk: Desk, started: str) -> None:
    """Ten thousand rows are nobody's to read at once."""
    [step] = desk.client.get(f"/api/workflows/{started}").get_json()["steps"]
    assert (step["status"], step["waitingFor"]) == ("waiting", "items")
    assert step["items"] == {"total": 12, "completed": 2, "failed": 1, "running": 3}


def test_items_come_a_page_at_a_time_in_their_order(desk: Desk, started: str) -> None:
    """Also the eleventh after the second, and those of one status alone."""
    path, seen, cursor = f"/api/workflows/{started}/steps/send/items", [], ""
    while cursor is not None:
        page = desk.client.get(f"{path}?limit=5{cursor and '&cursor=' + cursor}").get_json()
        seen += [(line["index"], line["item"]) for line in page["items"]]
        cursor = page["nextCursor"]
    assert seen == [(place, f"p-{place}") for place in range(12)]
    [failed] = desk.client.get(f"{path}?status=failed").get_json()["items"]
    assert (failed["index"], failed["error"]["status"]) == (2, 402)


@pytest.mark.parametrize(
    ("path", "status"),
    [("nobody/items", 404), ("send/items?cursor=x", 400), ("send/items?status=odd", 400), ("send/items?limit=0", 400)],
)
def test_what_is_not_there_is_no_page(desk: Desk, started: str, path: str, status: int) -> None:
    """Nor does it break anything."""
    assert desk.client.get(f"/api/workflows/{started}/steps/{path}").status_code == status


def test_why_counts_the_items_and_names_those_that_are_due(desk: Desk, started: str) -> None:
    """Few of them, after their step."""
    reasons = desk.client.get(f"/api/workflows/{started}/why").get_json()["reasons"]
    told = [reason for reason in reasons if reason["step"] is not None]
    assert "2 of 12 are completed, 1 have failed, 3 are under way" in told[0]["waitsFor"]
    assert [reason["step"] for reason in told[1:]] == ["send[3]", "send[4]", "send[5]"]


def test_the_dashboard_shows_counts_and_failures_and_pages_the_rest(desk: Desk, started: str) -> None:
    """The workflow's page names what failed; the step's page begins with that; each item has one of its own."""
    whole = page_of(desk, f"/workflows/{started}")
    assert "<b>2</b> of 12 items completed" in whole
    assert "answered 402" in whole
    assert "p-5" not in whole.split("Context")[0]
    step = page_of(desk, f"/workflows/{started}/steps/send")
    assert "p-2" in step
    assert "p-1<" not in step
    assert "p-11" in page_of(desk, f"/workflows/{started}/steps/send?items=all")
    item = page_of(desk, f"/workflows/{started}/steps/send[2]")
    assert "answered 402" in item
    assert "step.failed" in item
    for name in ("send[12]", "send[999999]", "nobody[1]", "nobody"):
        assert desk.client.get(f"/workflows/{started}/steps/{name}").status_code == 404
    assert desk.client.get(f"/workflows/{started}/steps/send?items=odd&cursor=x").status_code == 400
    events = page_of(desk, f"/workflows/{started}/events?step=send[2]")
    assert "step.failed" in events
    assert "step.expanded" not in events
    assert "step.expanded" in page_of(desk, f"/workflows/{started}/events")
    assert "has no step" in page_of(desk, f"/workflows/{started}/events?step=odd")


def page_of(desk: Desk, path: str) -> str:
    """A page's text."""
    answer = desk.client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text
