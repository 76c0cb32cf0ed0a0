"""The delivery log over HTTP."""

from tests.integration.web.desk import BUSY, ORDER, REFUSED, Desk


def ended(desk: Desk) -> str:
    answer = desk.post("/api/process-order?webhookUrl=https://receiver.example/hook?token=t", ORDER)
    assert answer.status_code == 202, answer.text
    workflow_id = str(answer.json["workflowId"])
    desk.make(workflow_id, "payment", REFUSED)
    return workflow_id


def test_the_delivery_log_shows_what_is_to_be_told(desk: Desk) -> None:
    """By workflow and by status, page by page, and one in full."""
    first, second = ended(desk), ended(desk)
    page = desk.get("/api/webhooks/deliveries", limit="1")
    assert [each["workflowId"] for each in page["deliveries"]] == [second]
    page = desk.get("/api/webhooks/deliveries", limit="1", cursor=page["nextCursor"])
    assert ([each["workflowId"] for each in page["deliveries"]], page["nextCursor"]) == ([first], None)
    [one] = desk.get("/api/webhooks/deliveries", workflowId=first, status="pending")["deliveries"]
    assert (one["event"], one["url"], one["attempts"]) == ("workflow.failed", "https://receiver.example/hook", 0)
    whole = desk.get(f"/api/webhooks/deliveries/{one['deliveryId']}")
    assert (whole["data"]["status"], whole["tries"]) == ("failed", [])
    assert desk.get("/api/webhooks/deliveries", status="delivered")["deliveries"] == []


def test_a_delivery_is_ordered_again(desk: Desk) -> None:
    """202, and 404 where there is none."""
    ended(desk)
    [one] = desk.get("/api/webhooks/deliveries")["deliveries"]
    answer = desk.post(f"/api/webhooks/deliveries/{one['deliveryId']}/redeliver")
    assert (answer.status_code, answer.json["status"]) == (202, "pending")
    assert desk.post("/api/webhooks/deliveries/0192f0c0-0000-7000-8000-000000000000/redeliver").status_code == 404


def test_an_address_that_is_none_is_refused(sqlite_desk: Desk) -> None:
    """With what would be right; a retry that is still to come tells nobody."""
    for wrong in ("", "hook", "ftp://x/", "http://", "http://u:p@x/", "http://x:99999/", "http://x/ y", 7, None, ["a"]):
        answer = sqlite_desk.post("/api/workflows", {"type": "order-processing", "context": ORDER, "webhookUrl": wrong})
        assert (answer.status_code, answer.json["faults"][0]["place"]) == (422, "webhookUrl"), wrong
    workflow_id = sqlite_desk.start()
    sqlite_desk.make(workflow_id, "payment", BUSY)
    assert sqlite_desk.get("/api/webhooks/deliveries")["deliveries"] == []
