"""The pages of schedules and of webhooks: what they show, and their buttons."""

import re

from tests.integration.web.desk import ORDER, REFUSED, Desk

SCHEDULE = {"id": "nightly", "type": "order-processing", "context": ORDER, "cron": "30 2 * * *"}


def page(desk: Desk, path: str) -> str:
    answer = desk.client.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (200, "text/html"), answer.text
    return answer.text


def press(desk: Desk, shown: str, action: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page(desk, shown))
    assert found is not None
    answer = desk.client.post(action, data={"token": found[1]}, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_schedules_are_shown_with_their_next_runs_and_can_be_steered(desk: Desk) -> None:
    """Paused, resumed, and started now."""
    assert "There are none" in page(desk, "/schedules")
    desk.post("/api/schedules", SCHEDULE)
    assert "02:30:00 UTC" in page(desk, "/schedules")
    assert "Paused" in press(desk, "/schedules", "/schedules/nightly/pause")
    assert desk.get("/api/schedules/nightly")["paused"] is True
    press(desk, "/schedules", "/schedules/nightly/resume")
    assert "Started now" in press(desk, "/schedules", "/schedules/nightly/trigger")
    workflow_id = desk.get("/api/schedules/nightly")["lastWorkflowId"]
    assert f"/workflows/{workflow_id}" in page(desk, "/schedules")


def test_deliveries_are_shown_and_sent_again(desk: Desk) -> None:
    """By status; each leads to its workflow and its tries."""
    assert "Nothing was to be told" in page(desk, "/webhooks")
    answer = desk.post("/api/process-order?webhookUrl=https://receiver.example/<b>?token=t", ORDER)
    workflow_id = answer.json["workflowId"]
    desk.make(workflow_id, "payment", REFUSED)
    [delivery] = desk.get("/api/webhooks/deliveries")["deliveries"]
    listed = page(desk, "/webhooks?status=pending")
    assert f"/webhooks/{delivery['deliveryId']}" in listed
    assert "https://receiver.example/&lt;b&gt;" in listed
    assert "token=t" not in listed
    assert "Nothing was to be told" in page(desk, "/webhooks?status=delivered")
    assert "It is sent again" in press(
        desk, f"/webhooks/{delivery['deliveryId']}", f"/webhooks/{delivery['deliveryId']}/redeliver"
    )


def test_what_is_not_there_is_said_to_be(sqlite_desk: Desk) -> None:
    """And an order that there is not is none."""
    assert sqlite_desk.client.get("/webhooks/0192f0c0-0000-7000-8000-000000000000").status_code == 404
    assert sqlite_desk.client.post("/schedules/none/explode").status_code in (400, 403, 404)
