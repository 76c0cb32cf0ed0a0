"""What a person orders: 202 with what it led to, or 409 with the reason; asking twice changes nothing more."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.outcome import Completed
from tests.integration.web.desk import ORDER, REFUSED, Desk

NOWHERE = "01890000-0000-7000-8000-000000000000"
PAID = {"orderId": "ORD-1"}


def status(desk: Desk, workflow_id: str) -> str:
    return str(desk.show(workflow_id)["status"])


def types(desk: Desk, workflow_id: str) -> list[str]:
    return [event["type"] for event in desk.get(f"/api/workflows/{workflow_id}/events")["events"]]


def test_pause_and_resume(desk: Desk) -> None:
    """Nothing new starts in between; the second time changes nothing."""
    workflow_id = desk.start()
    for _ in range(2):
        answer = desk.order(workflow_id, "pause")
        assert (answer.status_code, answer.json) == (202, {"workflowId": workflow_id, "status": "paused"})
        assert answer.headers["Location"] == f"/api/workflows/{workflow_id}"
    desk.claim(workflow_id, "payment")
    assert desk.step(workflow_id, "payment")["status"] == "pending"
    for _ in range(2):
        assert desk.order(workflow_id, "resume").json["status"] == "running"
    assert desk.sent[-2].steps == ("payment",) or desk.sent[-2].fragments
    assert types(desk, workflow_id) == ["workflow.started", "workflow.paused", "workflow.resumed"]


def test_cancel_undoes_what_took_effect(desk: Desk) -> None:
    """And says so."""
    workflow_id = desk.start()
    desk.complete(workflow_id, payment=PAID)
    for _ in range(2):
        assert desk.order(workflow_id, "cancel").json == {"workflowId": workflow_id, "status": "compensating"}
    desk.make(workflow_id, "payment:undo", Completed(None, 200))
    assert status(desk, workflow_id) == "cancelled"
    assert desk.order(workflow_id, "cancel").status_code == 202


def test_cancel_without_compensation_leaves_things_as_they_are(desk: Desk) -> None:
    """Where a person has taken over already."""
    workflow_id = desk.start()
    desk.complete(workflow_id, payment=PAID)
    assert desk.order(workflow_id, "cancel", compensate="false").json["status"] == "cancelled"
    assert desk.step(workflow_id, "payment")["compensation"] is None
    assert desk.order(workflow_id, "cancel", compensate="no").status_code == 400


def test_retry_goes_on_from_the_failed_step(desk: Desk) -> None:
    """What completed stays."""
    workflow_id = desk.start()
    desk.make(workflow_id, "payment", REFUSED)
    assert status(desk, workflow_id) == "failed"
    assert desk.order(workflow_id, "retry").json["status"] == "running"
    desk.complete(workflow_id, payment=PAID, shipment={"trackingId": "T"}, confirmation={})
    assert status(desk, workflow_id) == "completed"


@pytest.mark.parametrize(
    ("verb", "reason"),
    [
        ("pause", "only a running workflow can be paused"),
        ("resume", "only a paused workflow can be resumed"),
        ("retry", "only a failed or cancelled workflow can be retried"),
        ("cancel", "nothing left to cancel"),
    ],
)
def test_what_the_status_forbids_is_a_409_with_the_reason(desk: Desk, verb: str, reason: str) -> None:
    """Here: of a workflow that is completed."""
    workflow_id = desk.start({"who": "ada"}, "/api/odd/one.2")
    desk.complete(workflow_id, only=1)
    answer = desk.order(workflow_id, verb)
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert reason in answer.json["detail"]
    assert status(desk, workflow_id) == "completed"


def test_rerun_is_a_fresh_copy_with_everything_that_was_sensitive(desk: Desk) -> None:
    """Same context, same version, new id; both logs tell of each other."""
    original = desk.start()
    desk.make(original, "payment", REFUSED)
    answer = desk.order(original, "rerun")
    assert answer.status_code == 202
    copy = answer.json["workflowId"]
    assert copy != original
    assert answer.headers["Location"] == f"/api/workflows/{copy}"
    one, other = desk.show(original), desk.show(copy)
    assert (other["context"], other["definitionVersion"]) == (one["context"], one["definitionVersion"])
    assert other["status"] == "running"
    assert desk.sent[-1].workflow_id == copy
    assert types(desk, original)[-1] == types(desk, copy)[-1] == "workflow.rerun"
    claimed = desk.sealed(copy)
    assert claimed == {"context.card": ORDER["card"]}


def test_rerun_waits_for_the_end(desk: Desk) -> None:
    """Two copies would charge twice."""
    answer = desk.order(desk.start(), "rerun")
    assert answer.status_code == 409
    assert "wait for its end" in answer.json["detail"]


def failed_at_confirmation(desk: Desk) -> str:
    """An order whose payment and shipment are left as they are."""
    workflow_id = desk.start()
    desk.complete(workflow_id, payment=PAID, shipment={"trackingId": "T"})
    assert desk.order(workflow_id, "cancel", compensate="false").json["status"] == "cancelled"
    return workflow_id


def test_rerun_from_a_step_takes_over_what_was_done_before_it(desk: Desk) -> None:
    """With its result, its effect, and a line in both logs; the step itself and what follows it run again."""
    original = failed_at_confirmation(desk)
    copy = desk.order(original, "rerun", **{"from": "shipment"}).json["workflowId"]
    payment, shipment, confirmation = desk.show(copy)["steps"]
    assert (payment["status"], payment["result"], payment["effect"]) == ("completed", PAID, "done")
    assert (shipment["status"], shipment["result"], confirmation["status"]) == ("pending", None, "pending")
    assert (desk.sent[-1].workflow_id, desk.sent[-1].steps) == (copy, ("shipment",))
    taken = [
        event for event in desk.get(f"/api/workflows/{copy}/events")["events"] if event["type"] == "step.takenOver"
    ]
    assert [(event["step"], event["details"]) for event in taken] == [
        ("payment", {"status": "completed", "from": original})
    ]
    for workflow_id in (original, copy):
        event = next(
            event
            for event in desk.get(f"/api/workflows/{workflow_id}/events")["events"]
            if event["type"] == "workflow.rerun"
        )
        assert event["details"] == {"by": "api", "from": original, "to": copy, "fromStep": "shipment"}
    desk.complete(copy, shipment={"trackingId": "T2"}, confirmation={})
    assert desk.show(copy)["output"] == {"orderId": "ORD-1", "trackingId": "T2"}


def test_what_was_taken_over_is_undone_where_the_copy_fails(desk: Desk) -> None:
    """It is the copy's from now on."""
    copy = desk.order(failed_at_confirmation(desk), "rerun", **{"from": "shipment"}).json["workflowId"]
    desk.make(copy, "shipment", REFUSED)
    assert desk.step(copy, "payment")["compensation"]["status"] == "pending"


def test_rerun_from_a_step_is_refused_where_something_cannot_be_taken_over(desk: Desk) -> None:
    """What is undone is no more, what never was completed is not there; the reason names both steps."""
    undone = desk.start()
    desk.complete(undone, payment=PAID)
    desk.make(undone, "shipment", REFUSED)
    desk.make(undone, "payment:undo", Completed(None, 200))
    answer = desk.order(undone, "rerun", **{"from": "shipment"})
    assert (answer.status_code, answer.json["detail"].split(",")[0]) == (409, "payment was undone")
    answer = desk.order(undone, "rerun", **{"from": "confirmation"})
    assert answer.status_code == 409
    answer = desk.order(undone, "rerun", **{"from": "shipmnet"})
    assert (answer.status_code, "did you mean shipment?" in answer.json["detail"]) == (404, True)
    assert desk.order(undone, "rerun", **{"from": "payment"}).status_code == 202


def test_rerun_with_an_edited_context(desk: Desk) -> None:
    """It is checked like any other; what comes back masked is what it was."""
    original = failed_at_confirmation(desk)
    path = f"/api/workflows/{original}/rerun?from=shipment"
    masked = desk.show(original)["context"]
    answer = desk.post(path, {"context": {**masked, "address": "221B Baker Street"}})
    assert answer.status_code == 202, answer.text
    copy = answer.json["workflowId"]
    assert desk.show(copy)["context"] == {**masked, "address": "221B Baker Street"}
    assert desk.sealed(copy) == {"context.card": ORDER["card"]}
    assert desk.post(path, {"context": ORDER}).status_code == 409, "two copies would do the same side by side"
    path = f"/api/workflows/{failed_at_confirmation(desk)}/rerun?from=shipment"
    answer = desk.post(path, {"context": {**ORDER, "card": "5555"}})
    assert desk.sealed(answer.json["workflowId"]) == {"context.card": "5555"}
    for body in ({"context": {"amount": "much"}}, {"contxt": {}}, {"context": []}):
        assert desk.post(path, body).status_code == 422
    assert desk.post(path, [1]).status_code == 400


def test_a_start_key_is_bound_to_what_is_rerun_from_where_and_with_what(desk: Desk) -> None:
    """The same again gives the same copy, anything else is refused."""
    original = failed_at_confirmation(desk)
    path = f"/api/workflows/{original}/rerun"
    first = desk.post(f"{path}?from=shipment", {"context": ORDER}, Idempotency_Key="k")
    again = desk.post(f"{path}?from=shipment", {"context": ORDER}, Idempotency_Key="k")
    assert first.json == again.json
    for other, body in ((path, {"context": ORDER}), (f"{path}?from=shipment", {"context": {**ORDER, "amount": 1}})):
        assert desk.post(other, body, Idempotency_Key="k").status_code == 422


def test_reruns_with_one_key_at_the_same_moment_make_one_copy(desk: Desk) -> None:
    """And the key is bound to what it reran."""
    first, second = desk.start(), desk.start()
    desk.order(first, "cancel")
    desk.order(second, "cancel")
    together = threading.Barrier(8)

    def rerun(_: int) -> str:
        with desk.app.test_client() as client:
            together.wait()
            answer = client.post(f"/api/workflows/{first}/rerun", headers={"Idempotency-Key": "again"})
            return str(answer.json["workflowId"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(rerun, range(8)))) == 1
    answer = desk.post(f"/api/workflows/{second}/rerun", Idempotency_Key="again")
    assert answer.status_code == 422
    assert types(desk, first).count("workflow.rerun") == 1


def test_orders_for_a_workflow_that_is_not_there(sqlite_desk: Desk) -> None:
    """404, for every verb."""
    for verb in ("cancel", "pause", "resume", "retry", "rerun"):
        for workflow_id in (NOWHERE, "abc"):
            assert sqlite_desk.order(workflow_id, verb).status_code == 404
        assert sqlite_desk.client.get(f"/api/workflows/{NOWHERE}/{verb}").status_code == 405


def test_cancels_and_pauses_at_the_same_moment_leave_one_truth(desk: Desk) -> None:
    """Each is a move under the workflow's lock."""
    workflow_id = desk.start()
    verbs = ["cancel", "pause", "resume", "retry"] * 5
    together = threading.Barrier(len(verbs))

    def order(verb: str) -> int:
        with desk.app.test_client() as client:
            together.wait()
            return client.post(f"/api/workflows/{workflow_id}/{verb}").status_code

    with ThreadPoolExecutor(len(verbs)) as pool:
        assert set(pool.map(order, verbs)) <= {202, 409}
    assert status(desk, workflow_id) in ("cancelled", "running", "paused")
