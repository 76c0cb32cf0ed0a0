"""The typed client against the real API, over real HTTP."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from orchestrator.client.http import Client
from orchestrator.client.refusals import Conflict, Invalid, NoSuch, NotAllowed, NotNow
from orchestrator.states import WorkflowStatus
from tests.integration.raw_service import answering, http, serving
from tests.integration.web.desk import ORDER, REFUSED, Desk

KEYS = ("all-of-it-0123456789", "reading-0123456789:read")
NOBODY = "01a2042c-ecdc-73d5-8f6f-b298fc0960f5"
PROBLEM = "Content-Type: application/problem+json"


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose API asks for keys."""
    opened = Desk(sqlite_url, tmp_path, KEYS)
    opened.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEYS[0]}"
    yield opened
    opened.close()


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    """Where it listens."""
    server: BaseWSGIServer = make_server("127.0.0.1", 0, desk.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """One that may do everything."""
    with Client(url, api_key=KEYS[0]) as client:
        yield client


def test_a_workflow_is_started_followed_and_read(desk: Desk, client: Client) -> None:
    """Times are times, statuses are statuses."""
    workflow_id = client.start("order-processing", ORDER, key="order-17")
    assert client.start("order-processing", ORDER, key="order-17") == workflow_id
    assert not client.get(workflow_id).is_over
    assert client.why(workflow_id).status is WorkflowStatus.RUNNING
    assert client.why(workflow_id).reasons
    with pytest.raises(TimeoutError, match="still running"):
        client.wait(workflow_id, timeout=0.3)
    desk.complete(workflow_id, payment={"orderId": "o", "transactionId": "t"}, shipment={"trackingId": "x"})
    threading.Timer(0.3, lambda: desk.complete(workflow_id, confirmation={})).start()
    workflow = client.wait(workflow_id, timeout=30)
    assert (workflow.status, workflow.output["trackingId"]) == (WorkflowStatus.COMPLETED, "x")
    assert workflow.steps["payment"].result == {"orderId": "o", "transactionId": "t"}
    assert workflow.completed_at is not None
    assert workflow.completed_at > workflow.created_at
    assert next(event.type for event in client.events(workflow_id)) == "workflow.started"


def test_orders_do_what_the_api_does(desk: Desk, client: Client) -> None:
    """Pause, resume, retry, rerun, cancel."""
    workflow_id = client.start("order-processing", ORDER)
    assert client.pause(workflow_id) is WorkflowStatus.PAUSED
    assert client.resume(workflow_id) is WorkflowStatus.RUNNING
    desk.make(workflow_id, "payment", REFUSED)
    failed = client.get(workflow_id)
    assert failed.error is not None
    assert (failed.error.step, failed.error.status) == ("payment", 402)
    assert client.retry(workflow_id) is WorkflowStatus.RUNNING
    assert client.cancel(workflow_id, compensate=False) is WorkflowStatus.CANCELLED
    copy = client.rerun(workflow_id, context={**ORDER, "amount": 1})
    assert client.get(copy).context["amount"] == 1


def test_refusals_are_exceptions_with_every_fault(client: Client, url: str) -> None:
    """By what the caller can do about them."""
    with pytest.raises(NoSuch, match="404"):
        client.get(NOBODY)
    with pytest.raises(Invalid) as wrong:
        client.start("odd", {"plan": "c"})
    assert {fault.place for fault in wrong.value.faults} == {"context.plan", "context.who"}
    assert (wrong.value.status, "who" in str(wrong.value)) == (422, True)
    over = client.start("order-processing", ORDER)
    client.cancel(over)
    with pytest.raises(Conflict, match="409"):
        client.resume(over)
    with Client(url) as stranger, pytest.raises(NotAllowed, match="401"):
        stranger.get(over)
    with Client(url, api_key="reading-0123456789") as reader:
        assert reader.get(over).status is WorkflowStatus.CANCELLED
        with pytest.raises(NotAllowed, match="the scope start"):
            reader.start("order-processing", ORDER)


def test_a_start_that_is_tried_again_carries_the_same_key() -> None:
    """So that an answer that was lost starts no second workflow."""
    busy = http('{"title": "Too Many"}', PROBLEM, "Retry-After: 0", status="429 Too Many Requests")
    started = http(f'{{"workflowId": "{NOBODY}"}}', "Content-Type: application/json", status="202 Accepted")
    with serving(answering(busy, b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\n{", started)) as service:
        assert Client(service.url, timeout=0.5).start("order", {}) == NOBODY
        lines = [request.split(b"\r\n") for request in service.requests]
    keys = {line for request in lines for line in request if line.lower().startswith(b"idempotency-key")}
    assert (len(lines), len(keys)) == (3, 1)


def test_what_cannot_be_reached_is_said_after_some_tries() -> None:
    """With the address, and no traceback of urllib3's."""
    with pytest.raises(NotNow, match="cannot be reached"):
        Client("http://127.0.0.1:1", tries=2).get(NOBODY)
