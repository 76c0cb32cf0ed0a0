"""Webhooks over real sockets: signed as the official library wants it, tried again, given up, and sent again."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook

from orchestrator.call import Caller
from orchestrator.delivering import Courier
from orchestrator.errors import NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.deliveries import redeliver, take_letters
from orchestrator.ledger.retention import delete_finished
from orchestrator.ledger.starting import Start, start
from orchestrator.ledger.tables import definitions, deliveries, workflows
from orchestrator.ledger.views.deliveries import deliveries_page, delivery_view
from orchestrator.reading import read_document
from orchestrator.request import Surroundings
from orchestrator.sealing import Sealer
from orchestrator.signing import derived, signed
from tests.integration.ledger.play import DONE, REFUSED, Play
from tests.integration.web.desk import KEY

SECRET, OTHER = derived(["one"])[0], derived(["other"])[0]


class Endpoint:
    """Keeps every request that came, and answers `status` with `headers`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], str]] = []
        self.status, self.headers = 204, dict[str, str]()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            endpoint.requests.append((self.path, dict(self.headers), body))
            self.send_response(endpoint.status)
            for name, value in {"Content-Length": "0", **endpoint.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the test's screen."""

    return Handler


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def begun(play: Play, *webhooks: Json, url: str | None = None, context: Json = None) -> str:
    definition = read_document(
        {
            "type": "told",
            "steps": {"only": {"targetUrl": "http://s/only"}},
            "output": "${steps.only.result}",
            "webhooks": list(webhooks),
            "sensitive": ["context.pin"],
        }
    )
    return start(play.ledger, definition, Start(context or {}, webhook_url=url)).workflow_id


def courier(play: Play, *, allow: tuple[str, ...] = ("127.0.0.1",), lease: float = 120.0) -> Courier:
    around = Surroundings({"X": "x"}, {"HOOKS": OTHER, "BAD": "no"}, Sealer([KEY]))
    return Courier(play.another_ledger(), Caller(allow_hosts=allow), around, [SECRET], lease=lease)


def log_of(play: Play) -> list[Json]:
    return list(deliveries_page(play.ledger)["deliveries"])


def test_the_end_is_told_signed_to_whoever_asked_for_it(play: Play, endpoint: Endpoint) -> None:
    """By the definition and by the start, each with its secret, and the official library takes them."""
    own = {"url": endpoint.url + "/own", "events": ["completed"], "secret": "${secret.HOOKS}"}
    other = {"url": endpoint.url + "/failures", "events": ["failed"]}
    workflow_id = begun(play, own, other, url=endpoint.url + "/given?token=t")
    play.step(workflow_id, "only")
    courier(play).round()
    told = {path: (headers, body) for path, headers, body in endpoint.requests}
    assert set(told) == {"/own", "/given?token=t"}
    for path, secret in (("/own", OTHER), ("/given?token=t", SECRET)):
        message = Webhook(secret).verify(told[path][1], told[path][0])
        assert message["type"] == "workflow.completed"
        assert message["data"]["workflowId"] == workflow_id
        assert message["data"]["output"] == DONE.result
    lines = log_of(play)
    assert {line["status"] for line in lines} == {"delivered"}
    assert {line["url"] for line in lines} == {endpoint.url + "/own", endpoint.url + "/given"}
    assert {headers["webhook-id"] for headers, _ in told.values()} == {line["deliveryId"] for line in lines}


def test_a_failure_is_told_with_its_error(play: Play, endpoint: Endpoint) -> None:
    """And a second end, after a retry, is a second message."""
    workflow_id = begun(play, url=endpoint.url)
    play.step(workflow_id, "only", REFUSED)
    play.order(workflow_id, "retry")
    play.step(workflow_id, "only")
    courier(play).round()
    messages = [json.loads(body) for _, _, body in endpoint.requests]
    assert [one["type"] for one in messages] == ["workflow.failed", "workflow.completed"]
    assert messages[0]["data"]["error"]["message"] == "answered 402 Payment Required"
    assert (messages[0]["data"]["status"], messages[1]["data"]["status"]) == ("failed", "completed")


def test_a_rerun_is_told_where_the_original_was(play: Play, endpoint: Endpoint) -> None:
    """Who waits for the outcome of a task waits for that of its copy too."""
    from orchestrator.ledger.rerunning import rerun

    workflow_id = begun(play, url=endpoint.url)
    play.step(workflow_id, "only", REFUSED)
    copy = rerun(play.ledger, workflow_id, "ada")
    [row] = [row for row in play.rows(workflows) if row["id"] == copy.workflow_id]
    assert row["webhook_url"] == endpoint.url


def test_what_is_not_taken_is_tried_again_for_days_with_the_same_id_and_body(play: Play, endpoint: Endpoint) -> None:
    """Then it is given up, with each try in the log."""
    endpoint.status = 500
    play.step(begun(play, url=endpoint.url), "only")
    carrier = courier(play)
    waits = []
    for _ in range(20):
        carrier.round()
        [row] = play.rows(deliveries)
        if row["due_at"] is None:
            break
        with play.ledger.database.reading() as connection:
            waits.append(row["due_at"] - play.ledger.database.now(connection))
        play.pass_time(waits[-1] + 1)
    assert len(endpoint.requests) == 10
    assert 2.4 * 86_400 < sum(waits) < 4 * 86_400
    assert len({(headers["webhook-id"], body) for _, headers, body in endpoint.requests}) == 1
    [line] = log_of(play)
    assert (line["status"], line["attempts"], line["error"]) == ("failed", 10, "answered 500")
    assert [one["status"] for one in delivery_view(play.ledger, line["deliveryId"])["tries"]] == [500] * 10


def test_an_endpoint_that_asks_for_time_gets_it(play: Play, endpoint: Endpoint) -> None:
    """`Retry-After` is honoured where it is longer than our own delay."""
    endpoint.status, endpoint.headers = 429, {"Retry-After": "4000"}
    play.step(begun(play, url=endpoint.url), "only")
    courier(play).round()
    [row] = play.rows(deliveries)
    assert row["due_at"] - row["created_at"] > 3_900


def test_an_endpoint_that_is_gone_gets_nothing_more_until_a_person_asks_it_again(
    play: Play, endpoint: Endpoint
) -> None:
    """410 disables it, for messages of every workflow."""
    endpoint.status = 410
    play.step(begun(play, url=endpoint.url), "only")
    carrier = courier(play)
    carrier.round()
    play.step(begun(play, url=endpoint.url), "only")
    carrier.round()
    assert len(endpoint.requests) == 1
    lines = log_of(play)
    assert [line["status"] for line in lines] == ["failed", "failed"]
    endpoint.status = 200
    redeliver(play.ledger, lines[0]["deliveryId"])
    carrier.round()
    assert [line["status"] for line in log_of(play)] == ["delivered", "failed"]
    assert endpoint.requests[1][1]["webhook-id"] == lines[0]["deliveryId"]


def test_a_redirect_is_no_delivery(play: Play, endpoint: Endpoint) -> None:
    """Where it leads, nobody has agreed to."""
    endpoint.status, endpoint.headers = 307, {"Location": endpoint.url + "/elsewhere"}
    play.step(begun(play, url=endpoint.url), "only")
    courier(play).round()
    assert [path for path, _, _ in endpoint.requests] == ["/"]
    assert log_of(play)[0]["error"] == "answered 307"


def test_an_address_that_may_not_be_called_is_not(play: Play, endpoint: Endpoint) -> None:
    """A webhook reaches no more than a step does."""
    play.step(begun(play, url=endpoint.url), "only")
    courier(play, allow=()).round()
    assert endpoint.requests == []
    assert "127.0.0.1 is not a public address" in log_of(play)[0]["error"]


@pytest.mark.parametrize(
    ("webhook", "says"),
    [
        ({"url": "${vars.NONE}/hook"}, "NONE"),
        ({"url": "http://127.0.0.1:9/hook", "secret": "${secret.NONE}"}, "NONE"),
        ({"url": "http://127.0.0.1:9/hook", "secret": "${secret.BAD}"}, "whsec_"),
    ],
)
def test_what_is_not_set_is_said_in_the_log_and_tried_again(play: Play, webhook: Json, says: str) -> None:
    """The workflow itself has long completed."""
    workflow_id = begun(play, webhook)
    play.step(workflow_id, "only")
    courier(play).round()
    [line] = log_of(play)
    assert says in line["error"]
    assert (line["status"], line["nextAt"] is not None) == ("pending", True)
    assert play.rows(workflows, workflow_id)[0]["status"] == "completed"


def test_two_workers_deliver_each_message_once(play: Play, endpoint: Endpoint) -> None:
    """Rows are taken under a lease."""
    for _ in range(20):
        play.step(begun(play, url=endpoint.url), "only")
    threads = [threading.Thread(target=courier(play).round) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [headers["webhook-id"] for _, headers, _ in endpoint.requests]
    assert len(ids) == len(set(ids)) == 20


def test_a_worker_that_dies_with_a_message_leaves_it_to_the_next(play: Play, endpoint: Endpoint) -> None:
    """Once its lease is over."""
    play.step(begun(play, url=endpoint.url), "only")
    assert len(take_letters(play.ledger)) == 1
    carrier = courier(play)
    carrier.round()
    assert endpoint.requests == []
    play.pass_time(121)
    carrier.round()
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_is_away_is_asked_once_a_round(play: Play) -> None:
    """The others that wait for it have made no attempt."""
    for _ in range(3):
        play.step(begun(play, url="http://127.0.0.1:9/hook"), "only")
    courier(play).round()
    assert sorted(row["attempts"] for row in play.rows(deliveries)) == [0, 0, 1]


def test_a_definition_that_cannot_be_read_holds_up_only_its_own_messages(play: Play, endpoint: Endpoint) -> None:
    """As that of a newer release would be."""
    play.step(begun(play, url=endpoint.url), "only")
    play.step(begun(play, {"url": endpoint.url + "/other"}), "only")
    with play.ledger.database.transaction() as connection:
        versions = {row["version"]: row["document"] for row in play.rows(definitions)}
        [unread] = [version for version, document in versions.items() if not document["webhooks"]]
        connection.execute(definitions.update().where(definitions.c.version == unread).values(document={"type": "?"}))
    courier(play).round()
    assert [path for path, _, _ in endpoint.requests] == ["/other"]


def test_a_workflow_is_kept_until_its_end_is_told(play: Play, endpoint: Endpoint) -> None:
    """Then its delivery log goes with it."""
    play.step(begun(play, url=endpoint.url), "only")
    play.pass_time(1_000)
    assert delete_finished(play.ledger, 500).workflows == 0
    courier(play).round()
    assert delete_finished(play.ledger, 500).workflows == 1
    assert play.rows(deliveries) == []


def test_the_address_may_come_from_the_context_also_where_it_is_sensitive(play: Play, endpoint: Endpoint) -> None:
    """What is shown of it is the expression."""
    workflow_id = begun(play, {"url": "${context.callback}"}, context={"callback": endpoint.url + "/from-context"})
    play.step(workflow_id, "only")
    courier(play).round()
    assert [path for path, _, _ in endpoint.requests] == ["/from-context"]
    assert log_of(play)[0]["url"] == "${context.callback}"


def test_there_is_nothing_to_send_again_where_there_is_no_delivery(play: Play) -> None:
    """404, not silence."""
    with pytest.raises(NotFound):
        redeliver(play.ledger, "0192f0c0-0000-7000-8000-000000000000")


def test_signatures_are_those_of_the_specification() -> None:
    """The vector of the specification's own repository."""
    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.7, '{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"
