"""Callbacks, approvals, timers and polls, on a real web server, real workers, Redis and both kinds of database."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from werkzeug.serving import make_server

from orchestrator.jsontype import Json
from orchestrator.reading import read_document
from orchestrator.settings import Settings
from tests.servers import RedisServer, free_port
from tests.system.installation import Installation, definition, installed, until
from tests.system.services import Call, Reply, Services
from web.application import create_app


class Site:
    """An installation with its API, as services and people reach it."""

    def __init__(self, installation: Installation, url: str) -> None:
        self.installation = installation
        self.url = url

    def post(self, url: str, body: Json, token: str | None = None) -> tuple[int, Json]:
        """The status and the body of the answer."""
        headers = {"Content-Type": "application/json"} | ({"X-Callback-Token": token} if token else {})
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def answer(self, call: Call, path: str = "", **fields: Json) -> tuple[int, Json]:
        """What the service that got this request says later, to the URL that came with it."""
        payload = {"workflowId": call.headers["x-workflow-id"], "step": call.headers["x-step"]}
        url = call.headers["x-callback-url"].replace("/api/orchestrator?", f"/api/orchestrator{path}?")
        return self.post(url, {"payload": payload, **fields})

    def waits(self, workflow_id: str, step: str, what: str) -> None:
        """Until the step is parked for that."""

        def parked() -> bool:
            row = self.installation.steps(workflow_id).get(step)
            return row is not None and (row["status"], row["waiting_for"]) == ("waiting", what)

        until(parked, 15, f"{step} to wait for {what}")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of its own: it is emptied."""
    server = RedisServer(tmp_path_factory.mktemp("broker"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
    broker: RedisServer,
) -> Iterator[Site]:
    """An installation of its own: its worker is killed."""
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    with (
        fresh_database(request.param) as url,
        installed(url, broker.url, tmp_path_factory.mktemp("site"), ORCHESTRATOR_PUBLIC_URL=public) as installation,
    ):
        app = create_app(Settings.from_environment(installation.environment), ledger=installation.ledger)
        server = make_server("127.0.0.1", port, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Site(installation, public)
        finally:
            server.shutdown()
            thread.join(10)


def test_a_callback_completes_its_step_through_the_loss_of_everything_but_the_ledger(
    site: Site, services: Services
) -> None:
    """Parked, it needs no worker and no Redis: both are lost, and the answer counts all the same."""
    services.answer(pay=Reply(202))
    steps: Json = {
        "pay": {"callback": {"timeout": "1h"}, "next": ["ship"], "result": "response.body.receipt"},
        "ship": {},
    }
    workflow_id = site.installation.start(definition(services.url, steps))
    site.waits(workflow_id, "pay", "callback")
    worker = site.installation.workers[-1]
    worker.kill()
    worker.wait(10)
    with site.installation.redis() as client:
        client.flushall()
    [call] = services.of("pay")
    assert site.answer(call, result={"receipt": 7}) == (
        200,
        {"workflowId": workflow_id, "step": "pay", "answer": "recorded", "status": "completed"},
    )
    site.installation.add_worker()
    assert site.installation.wait(workflow_id)["status"] == "completed"
    assert site.installation.steps(workflow_id)["pay"]["result"] == 7
    assert services.called() == ["pay", "ship"]
    assert site.answer(call, result={"receipt": 7})[1]["answer"] == "repeated"
    assert site.answer(call, "/failed", error="no")[0] == 409


def test_an_answer_that_is_faster_than_the_2xx_counts(site: Site, services: Services) -> None:
    """And the 2xx that follows it changes nothing."""
    said: list[tuple[int, Json]] = []

    def answer(body: Json) -> None:
        said.append(site.post(body["url"], {"payload": body["ids"], "result": 1}))

    def behave(service: str, before: int, body: Json) -> Reply:
        if service == "pay":
            threading.Thread(target=answer, args=(body,)).start()
            return Reply(202, delay=1.0)
        return Reply()

    services.behaviour = behave
    payload = {"url": "${callback.url}", "ids": {"workflowId": "${workflow.id}", "step": "pay"}}
    steps: Json = {"pay": {"callback": {"timeout": "1h"}, "payload": payload, "next": ["ship"]}, "ship": {}}
    workflow_id = site.installation.start(definition(services.url, steps))
    assert site.installation.wait(workflow_id)["status"] == "completed"
    assert [status for status, _ in said] == [200]
    assert sorted(services.called()) == ["pay", "ship"]
    assert [event["type"] for event in site.installation.events(workflow_id)].count("step.late") == 0


def test_a_cancelled_workflow_waits_for_the_answer_and_then_undoes_what_was_done(
    site: Site, services: Services
) -> None:
    """An undo that overtook the service would undo nothing. An answer after that is too late."""
    services.answer(pay=Reply(202))
    undo: Json = {"targetUrl": f"{services.url}/refund"}
    steps: Json = {"pay": {"callback": {"timeout": "1h"}, "compensate": undo}}
    workflow_id = site.installation.start(definition(services.url, steps))
    site.waits(workflow_id, "pay", "callback")
    site.installation.control(workflow_id, "cancel")
    time.sleep(0.3)
    [call] = services.of("pay")
    assert services.of("refund") == []
    assert site.answer(call, result={"paid": True})[0] == 200
    row = site.installation.wait(workflow_id)
    assert (row["status"], row["compensation"]) == ("cancelled", "completed")
    assert [refund.body["result"] for refund in services.of("refund")] == [{"paid": True}]
    assert site.answer(call, "/failed", error="changed my mind")[0] == 409


def test_a_service_that_says_it_failed_is_asked_again_and_then_given_up(site: Site, services: Services) -> None:
    """Each attempt has its own token; that of the first one says nothing about the second."""
    services.answer(pay=Reply(202))
    steps: Json = {"pay": {"callback": {"timeout": "1h"}, "retries": 1}}
    workflow_id = site.installation.start(definition(services.url, steps))
    site.waits(workflow_id, "pay", "callback")
    assert site.answer(services.of("pay")[0], "/failed", error={"message": "bank away"})[0] == 200
    until(lambda: len(services.of("pay")) == 2, 10, "the second attempt")
    site.waits(workflow_id, "pay", "callback")
    first, second = services.of("pay")
    assert first.key == second.key
    assert site.answer(first, "/failed", error="bank away")[0] == 409
    assert site.answer(second, "/failed", error="bank away", retryable=False)[0] == 200
    assert site.installation.wait(workflow_id)["status"] == "failed"
    error = site.installation.steps(workflow_id)["pay"]["error"]
    assert error == {"kind": "callback", "message": "the service says that it failed: bank away"}


def test_a_call_that_may_not_be_repeated_is_not_repeated_because_its_service_is_unsure(
    site: Site, services: Services
) -> None:
    """It may have been done: the step has failed, and is undone. Where nothing was done, it is called again."""
    services.answer(pay=Reply(202))
    steps: Json = {"pay": {"callback": {"timeout": "1h"}, "retries": 3, "idempotent": False}}
    workflow_id = site.installation.start(definition(services.url, steps))
    site.waits(workflow_id, "pay", "callback")
    assert site.answer(services.of("pay")[0], "/failed", error="bank away")[0] == 200
    until(lambda: len(services.of("pay")) == 2, 10, "the second attempt")
    site.waits(workflow_id, "pay", "callback")
    assert site.answer(services.of("pay")[1], "/failed", error="who knows", effect="unknown")[0] == 200
    assert site.installation.wait(workflow_id)["status"] == "failed"
    assert len(services.of("pay")) == 2


def test_only_the_token_of_the_attempt_opens_the_door(site: Site, services: Services) -> None:
    """Missing, wrong, another step's: 403, and nobody learns whether there is such a workflow."""
    services.answer(pay=Reply(202), book=Reply(202))
    steps: Json = {name: {"callback": {"timeout": "1h"}} for name in ("pay", "book")}
    workflow_id = site.installation.start(definition(services.url, steps))
    for name in steps:
        site.waits(workflow_id, name, "callback")
    url, foreign = f"{site.url}/api/orchestrator", services.of("book")[0].headers["x-callback-token"]
    body: Json = {"payload": {"workflowId": workflow_id, "step": "pay"}, "result": 1}
    for token in (None, "1.0." + "A" * 43, "x", foreign, foreign.replace("1.0.", "2.0.")):
        assert site.post(url, body, token)[0] == 403
        assert site.post(f"{url}/failed", {"payload": body["payload"], "error": "x"}, token)[0] == 403
        assert site.post(f"{url}/heartbeat", {"payload": body["payload"]}, token)[0] == 403
    assert site.installation.steps(workflow_id)["pay"]["status"] == "waiting"
    assert site.post(url, body, services.of("pay")[0].headers["x-callback-token"])[0] == 200


def test_heartbeats_keep_a_wait_alive_that_would_be_over(site: Site, services: Services) -> None:
    """Without them it is a time-out like any other: outcome unknown, undone."""
    services.answer(pay=Reply(202), book=Reply(202))
    undo: Json = {"compensate": {"targetUrl": f"{services.url}/undo"}}
    steps: Json = {name: {"callback": {"timeout": 2}, "retries": 0, **undo} for name in ("pay", "book")}
    workflow_id = site.installation.start(definition(services.url, steps))
    for name in steps:
        site.waits(workflow_id, name, "callback")
    [call] = services.of("pay")
    for _ in range(8):
        time.sleep(0.4)
        assert site.answer(call, "/heartbeat")[0] == 200
    assert site.installation.steps(workflow_id)["book"]["status"] == "failed"
    assert site.installation.steps(workflow_id)["pay"]["status"] == "waiting"
    assert site.answer(call, result="done")[0] == 200
    row = site.installation.wait(workflow_id)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    assert len(services.of("undo")) == 2


def test_a_person_approves_after_a_wait_and_a_poll(site: Site, services: Services) -> None:
    """A timer, a job that is asked how it stands (through a service that fails at times), and a person."""
    where = {"Location": "/jobs/7?key=x"}
    standing = [Reply(body={"state": "running"}), Reply(503), Reply(body={"state": "done", "rows": 3})]
    services.answer(export=Reply(202, headers=where), **{"7": standing})
    steps: Json = {
        "pause": {"wait": {"for": "1s"}, "next": ["export"]},
        "export": {
            "targetUrl": f"{services.url}/export",
            "poll": {"done": "response.body.state == 'done'", "every": "500ms"},
            "result": "response.body.rows",
            "next": ["check"],
        },
        "check": {"approval": {"timeout": "1d", "message": "Send ${steps.export.result} rows?"}, "next": ["send"]},
        "send": {"targetUrl": f"{services.url}/send", "payload": {"by": "${steps.check.result.by}"}},
    }
    begun = time.time()
    workflow_id = site.installation.start(read_document({"type": "export", "steps": steps}))
    site.waits(workflow_id, "check", "approval")
    assert services.of("export")[0].at - begun >= 1.0
    assert [call.service for call in services.books] == ["export", "7", "7", "7"]
    decided = f"{site.url}/api/workflows/{workflow_id}/steps/check"
    assert site.post(f"{decided}/approve", {"comment": "fine"})[1]["answer"] == "recorded"
    assert site.post(f"{decided}/approve", {})[1]["answer"] == "repeated"
    assert site.post(f"{decided}/reject", {})[0] == 409
    assert site.post(f"{site.url}/api/workflows/{workflow_id}/steps/send/approve", {})[0] == 409
    assert site.post(f"{site.url}/api/workflows/{workflow_id}/steps/none/approve", {})[0] == 404
    assert site.installation.wait(workflow_id)["status"] == "completed"
    assert [call.body for call in services.of("send")] == [{"by": "api"}]
    events = site.installation.events(workflow_id)
    [event] = [each for each in events if (each["type"], each["step"]) == ("step.completed", "check")]
    assert event["details"]["comment"] == "fine"


def test_each_item_of_a_list_is_answered_by_itself(site: Site, services: Services) -> None:
    """With a token of its own; one that fails for good and is tolerated leaves a hole, its place goes to the next."""
    services.answer(send=Reply(202))
    step: Json = {
        "forEach": {"items": ["a", "b", "c"], "maxParallel": 2, "tolerate": 1},
        "payload": "${item}",
        "callback": {"timeout": "1h"},
    }
    workflow_id = site.installation.start(definition(services.url, {"send": {**step, "next": ["last"]}, "last": {}}))
    for name in ("send[0]", "send[1]"):
        site.waits(workflow_id, name, "callback")
    first, second = sorted(services.of("send"), key=lambda call: str(call.body))
    mine = {"payload": {"workflowId": workflow_id, "step": "send"}, "result": 1}
    assert site.post(f"{site.url}/api/orchestrator", mine, first.headers["x-callback-token"])[0] == 403
    other = {"payload": {"workflowId": workflow_id, "step": "send[1]"}, "result": 1}
    assert site.post(f"{site.url}/api/orchestrator", other, first.headers["x-callback-token"])[0] == 403
    assert site.answer(first, "/heartbeat")[0] == 200
    assert site.answer(first, "/failed", error="no", retryable=False)[0] == 200
    site.waits(workflow_id, "send[2]", "callback")
    for call, told in ((second, "B"), (services.of("send")[-1], "C")):
        assert site.answer(call, result=told)[0] == 200
    assert site.installation.wait(workflow_id)["status"] == "completed"
    assert site.installation.steps(workflow_id)["send"]["result"] == [None, "B", "C"]
    assert services.called() == ["send", "send", "send", "last"]


def test_an_item_that_was_accepted_is_waited_for_and_then_undone(site: Site, services: Services) -> None:
    """The step fails with the first, but what its service may yet do for the other must be over first."""
    services.answer(send=Reply(202))
    step: Json = {"forEach": ["a", "b"], "payload": "${item}", "callback": {"timeout": "1h"}}
    undo: Json = {"targetUrl": f"{services.url}/undo", "payload": {"of": "${item}"}}
    workflow_id = site.installation.start(definition(services.url, {"send": {**step, "compensate": undo}}))
    for name in ("send[0]", "send[1]"):
        site.waits(workflow_id, name, "callback")
    first, second = sorted(services.of("send"), key=lambda call: str(call.body))
    site.answer(first, "/failed", error="no", retryable=False)
    time.sleep(0.5)
    assert site.installation.row(workflow_id)["status"] == "running"
    site.answer(second, result="done")
    row = site.installation.wait(workflow_id)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    assert [call.body["of"] for call in services.of("undo")] == ["b"]


def test_items_are_asked_until_they_are_done(site: Site, services: Services) -> None:
    """Each where its own 202 said; no request is sent twice."""
    jobs = {name: Reply(202, headers={"Location": f"/job-{name}"}) for name in ("a", "b")}
    done = {f"job-{name}": [Reply(body={"done": False}), Reply(body={"done": True, "of": name})] for name in jobs}
    services.answer(**{f"make-{name}": reply for name, reply in jobs.items()}, **done)
    step: Json = {
        "targetUrl": f"{services.url}/make-${{item}}",
        "forEach": list(jobs),
        "poll": {"done": "response.body.done", "every": 0.2},
        "result": "response.body.of",
    }
    workflow_id = site.installation.start(definition(services.url, {"make": step}))
    assert site.installation.wait(workflow_id)["status"] == "completed"
    assert site.installation.steps(workflow_id)["make"]["result"] == ["a", "b"]
    assert services.called().count("make-a") == services.called().count("make-b") == 1
