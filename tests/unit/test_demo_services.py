"""The example services behave as services do: they keep books, honour keys, refuse nonsense, and fail when told to."""

import threading
import time

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from orchestrator.demo.books import Booking, Books, Caller
from orchestrator.demo.guarded import SECRETS
from orchestrator.demo.services import create_app
from orchestrator.demo.steps import ENDPOINTS
from orchestrator.jsontype import Json

GOOD: dict[str, Json] = {
    "validate-user": {"email": "ada@example.com"},
    "provision-account": {"userId": "USR-1", "plan": "pro"},
    "deprovision-account": {},
    "charge-payment": {"amount": 42.5, "card": "4242424242424242"},
    "refund-payment": {},
    "create-shipment": {"orderId": "ORD-1", "address": "12 St James's Square"},
    "cancel-shipment": {},
    "send-confirmation": {"email": "ada@example.com", "orderId": "ORD-1"},
    "send-welcome": {"email": "ada@example.com"},
    "due-invoices": {"month": "2026-01"},
    "make-report": {"month": "2026-01"},
    "deliver-report": {"month": "2026-01"},
    "recall-report": {},
    "pay-supplier": {"supplier": "Brunel", "amount": 5},
    "reclaim-payment": {},
    "note-payment": {"paymentId": "PAY-1"},
}


class World:
    """The services, in the words of whoever calls them."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def call(self, step: str, payload: Json, key: str | None = None, workflow: str = "w-1") -> TestResponse:
        """One request of a workflow's step."""
        headers = {"X-Workflow-Id": workflow}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.client.post(f"/api/steps/{step}", json=payload, headers=headers)

    def kinds(self, service: str) -> list[str]:
        """What kind each line of a service's book is."""
        return [entry["kind"] for entry in self.client.get(f"/books/{service}").get_json()]

    def misbehave(self, faults: Json) -> TestResponse:
        """Tell endpoints to fail."""
        return self.client.put("/faults", json=faults)


@pytest.fixture
def world() -> World:
    """Services without delays."""
    return World(create_app(pace=0).test_client())


def test_every_endpoint_answers(world: World) -> None:
    """The endpoints of both guides and of the examples, and their undoing, accept what they are meant for."""
    assert set(GOOD) == set(ENDPOINTS)
    for step, payload in GOOD.items():
        wanted = 202 if ENDPOINTS[step].later else 401 if ENDPOINTS[step].guard else 200
        assert world.call(step, payload).status_code == wanted, step


def test_a_guarded_service_wants_a_token_or_a_key(world: World) -> None:
    """The bank grants one to its client alone; a stranger gets 401, and nothing is booked."""
    form = {"grant_type": "client_credentials"}
    assert world.client.post("/oauth/token", data=form, auth=("orders", "guessed")).status_code == 401
    granted = world.client.post("/oauth/token", data=form, auth=("orders", SECRETS["BANK_CLIENT"])).get_json()
    shown = {"Authorization": f"Bearer {granted['access_token']}"}
    for step, headers in (("pay-supplier", shown), ("note-payment", {"X-Api-Key": SECRETS["JOURNAL_KEY"]})):
        url = f"/api/steps/{step}"
        assert world.client.post(url, json=GOOD[step], headers=dict.fromkeys(headers, "x")).status_code == 401
        assert world.client.post(url, json=GOOD[step], headers=headers).status_code == 200
    assert world.kinds("bank") == world.kinds("journal") == ["booked"]


def test_a_report_is_there_once_it_is_made(world: World) -> None:
    """Where its 202 says; another is none."""
    begun = world.call("make-report", GOOD["make-report"])
    assert world.client.get(begun.headers["Location"]).get_json() == {"state": "done", "rows": 1_204}
    assert world.client.get("/reports/another").status_code == 404


def test_a_webhook_that_comes_twice_is_noted_once(world: World) -> None:
    """In the shop's book, with the workflow that it tells of."""
    for _ in range(2):
        world.client.post("/hooks/tasks", json={"data": {"workflowId": "w-9"}}, headers={"webhook-id": "msg-1"})
    assert [(line["kind"], line["workflowId"]) for line in world.client.get("/books/shop").get_json()] == [
        ("booked", "w-9"),
        ("replayed", "w-9"),
    ]


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ("validate-user", {"userId"}),
        ("charge-payment", {"orderId", "transactionId", "receiptUrl", "amount"}),
        ("create-shipment", {"trackingId", "estimatedDelivery"}),
        ("send-confirmation", {"messageId"}),
        ("send-welcome", {"messageId"}),
        ("provision-account", {"accountId"}),
        ("refund-payment", {"refundId"}),
    ],
)
def test_an_answer_holds_what_the_next_step_reads(world: World, step: str, fields: set[str]) -> None:
    """The fields that the bundled definitions rely on are there."""
    assert fields <= world.call(step, GOOD[step]).get_json().keys()


@pytest.mark.parametrize(
    ("step", "payload", "said"),
    [
        ("validate-user", {"email": "ada"}, "no e-mail address"),
        ("validate-user", {}, "email: a text is wanted, not null"),
        ("charge-payment", {}, "amount: a number above 0"),
        ("charge-payment", {"amount": -1}, "amount"),
        ("charge-payment", {"amount": True}, "amount"),
        ("charge-payment", {"amount": 5, "card": 4242}, "card: a text is wanted"),
        ("create-shipment", {"orderId": ""}, "orderId: a text is wanted, not an empty text"),
        ("create-shipment", {"orderId": "o", "address": [1]}, "address: a text or an object"),
        ("provision-account", {"userId": {}}, "userId: a text is wanted, not an object"),
        ("send-welcome", {"email": "@"}, "no e-mail address"),
        ("charge-payment", [1, 2], "must be a JSON object"),
        ("charge-payment", None, "must be a JSON object"),
    ],
)
def test_a_bad_payload_is_refused_in_json(world: World, step: str, payload: Json, said: str) -> None:
    """422 with a sentence, a line in the books, and nothing done."""
    answer = world.call(step, payload)
    assert answer.status_code == 422
    assert said in answer.get_json()["error"]
    assert world.kinds(ENDPOINTS[step].service) == ["refused"]


def test_what_is_not_json_is_refused(world: World) -> None:
    """A body that cannot be read is 422, an unknown endpoint 404, a wrong method 405: all in JSON."""
    assert world.client.post("/api/steps/charge-payment", data=b"\xff{").status_code == 422
    for answer in (world.call("no-such", {}), world.client.get("/nowhere"), world.client.get("/books/nobody")):
        assert answer.status_code == 404
        assert answer.get_json()["error"]
    assert world.client.get("/api/steps/charge-payment").status_code == 405


def test_the_same_key_books_once(world: World) -> None:
    """A second request with the same key gets the first answer, and the books show a replay, not a second charge."""
    first = world.call("charge-payment", GOOD["charge-payment"], key="k-1")
    second = world.call("charge-payment", GOOD["charge-payment"], key="k-1")
    assert first.get_json() == second.get_json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert world.kinds("payment") == ["booked", "replayed"]


def test_keys_belong_to_their_endpoint(world: World) -> None:
    """The same key at another endpoint, and another key at the same one, are other calls."""
    for step, key in (("send-welcome", "k"), ("send-confirmation", "k"), ("send-welcome", "k2")):
        world.call(step, GOOD["send-welcome"], key=key)
    assert world.kinds("email") == ["booked"] * 3


def test_without_a_key_every_call_counts(world: World) -> None:
    """Nothing can be recognised as a repetition."""
    for _ in range(2):
        world.call("charge-payment", GOOD["charge-payment"])
    assert world.kinds("payment") == ["booked", "booked"]


def test_a_key_with_another_body_is_refused(world: World) -> None:
    """A key that means two things is a caller's mistake."""
    world.call("charge-payment", {"amount": 1}, key="k")
    assert world.call("charge-payment", {"amount": 2}, key="k").status_code == 422
    assert world.kinds("payment") == ["booked", "refused"]


def test_two_requests_with_one_key_at_the_same_moment_book_once() -> None:
    """The second one waits for the answer of the first instead of doing the work beside it."""
    books, caller = Books(), Caller("payment", "charge-payment", "w-1", "k-1")
    begun, may_end = threading.Semaphore(0), threading.Event()
    answers: list[tuple[Json, bool]] = []

    def work() -> Booking:
        begun.release()
        may_end.wait(10)
        return Booking({"transactionId": "TXN-1"})

    threads = [threading.Thread(target=lambda: answers.append(books.once(caller, {}, work))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=10)
    assert not begun.acquire(timeout=0.2), "the second began before the first had ended"
    may_end.set()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=lambda answer: answer[1]) == [
        ({"transactionId": "TXN-1"}, False),
        ({"transactionId": "TXN-1"}, True),
    ]
    assert [entry["kind"] for entry in books.entries()] == ["booked", "replayed"]


def test_a_service_fails_as_often_as_it_is_told(world: World) -> None:
    """`fail: 2` is two failures, then the same key is booked as if nothing had been."""
    world.misbehave({"create-shipment": {"fail": 2, "status": 502, "retryAfter": 1.5}})
    answers = [world.call("create-shipment", GOOD["create-shipment"], key="k") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].headers["Retry-After"] == "1.5"
    assert world.kinds("shipping") == ["failed", "failed", "booked"]


def test_an_answer_can_be_lost_after_the_work(world: World) -> None:
    """With `after` the charge is in the books although the caller was told 503; the retry replays it."""
    world.misbehave({"charge-payment": {"fail": 1, "after": True}})
    assert world.call("charge-payment", GOOD["charge-payment"], key="k").status_code == 503
    assert world.call("charge-payment", GOOD["charge-payment"], key="k").status_code == 200
    assert world.kinds("payment") == ["booked", "failed", "replayed"]


def test_a_service_can_be_slow(world: World) -> None:
    """`delay` is seconds more for each call."""
    world.misbehave({"send-welcome": {"delay": 0.2}})
    began = time.monotonic()
    world.call("send-welcome", GOOD["send-welcome"])
    assert time.monotonic() - began >= 0.2


def test_usual_delays_follow_the_pace() -> None:
    """A demo has delays that one can see; they shrink with `pace`."""
    began = time.monotonic()
    World(create_app(pace=0.1).test_client()).call("charge-payment", GOOD["charge-payment"])
    assert 0.07 <= time.monotonic() - began < 0.5


def test_faults_can_be_seen_and_forgiven(world: World) -> None:
    """`GET /faults` shows what is still to go wrong, `DELETE` ends it."""
    world.misbehave({"send-welcome": {"fail": 3}})
    world.call("send-welcome", GOOD["send-welcome"])
    assert world.client.get("/faults").get_json()["send-welcome"]["fail"] == 2
    world.client.delete("/faults")
    assert world.client.get("/faults").get_json() == {}
    assert world.call("send-welcome", GOOD["send-welcome"]).status_code == 200


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([], "an object is wanted"),
        ({"no-such": {}}, "no-such: no such endpoint; there are cancel-shipment"),
        ({"send-welcome": 2}, "send-welcome: an object is wanted"),
        ({"send-welcome": {"fial": 2}}, "send-welcome.fial: no such option; there are fail"),
        ({"send-welcome": {"fail": "2"}}, "send-welcome.fail: a whole number"),
        ({"send-welcome": {"status": 200}}, "send-welcome.status: a whole number from 400 to 599"),
        ({"send-welcome": {"delay": -1}}, "send-welcome.delay: seconds from 0"),
        ({"send-welcome": {"after": 1}}, "send-welcome.after: true or false"),
    ],
)
def test_nonsense_faults_are_refused(world: World, faults: Json, said: str) -> None:
    """422 with the place and what would be right, and nothing changes."""
    answer = world.misbehave(faults)
    assert answer.status_code == 422
    assert said in answer.get_json()["error"]
    assert world.client.get("/faults").get_json() == {}


def test_a_declined_card_is_a_final_no(world: World) -> None:
    """402, as payment providers answer, without the card's number."""
    answer = world.call("charge-payment", {"amount": 5, "card": "4000000000000002"})
    assert answer.status_code == 402
    assert "4000000000000002" not in answer.get_data(as_text=True)


def test_a_plan_has_its_price(world: World) -> None:
    """A subscription names no amount."""
    assert world.call("charge-payment", {"userId": "USR-1", "plan": "pro"}).get_json()["amount"] == 29


def test_a_refund_gives_back_one_charge_once(world: World) -> None:
    """By its transaction; a second refund of the same, with another key, gives back nothing."""
    charged = world.call("charge-payment", {"amount": 42.5}).get_json()["transactionId"]
    assert world.call("refund-payment", {"transactionId": charged}, key="a").get_json()["amount"] == 42.5
    assert world.call("refund-payment", {"transactionId": charged}, key="b").get_json()["amount"] == 0
    assert world.call("refund-payment", {"transactionId": "TXN-NONE"}).status_code == 404


def test_a_refund_without_a_reference_finds_the_workflows_charges(world: World) -> None:
    """Who never got the charge's answer has no transaction to name; another workflow's charge stays."""
    world.call("charge-payment", {"amount": 10}, workflow="w-1")
    world.call("charge-payment", {"amount": 20}, workflow="w-2")
    assert world.call("refund-payment", {"transactionId": None}, workflow="w-1").get_json()["amount"] == 10
    assert world.call("refund-payment", {}, workflow="w-3").get_json()["amount"] == 0


def test_shipments_and_accounts_are_undone_by_reference(world: World) -> None:
    """The undoing names what it undid."""
    tracking = world.call("create-shipment", GOOD["create-shipment"]).get_json()["trackingId"]
    account = world.call("provision-account", GOOD["provision-account"]).get_json()["accountId"]
    assert world.call("cancel-shipment", {"trackingId": tracking}).get_json()["trackingIds"] == [tracking]
    assert world.call("deprovision-account", {"accountId": account}).get_json()["accountIds"] == [account]


def test_books_can_be_read_and_hold_no_card(world: World) -> None:
    """Each line says when, who, which key and how much; a card's number is nowhere."""
    world.call("charge-payment", GOOD["charge-payment"], key="k-1", workflow="w-9")
    books = world.client.get("/books")
    assert set(books.get_json()) == {*(endpoint.service for endpoint in ENDPOINTS.values()), "shop"}
    (line,) = books.get_json()["payment"]
    assert line["time"].endswith("Z")
    assert (line["kind"], line["step"], line["key"], line["workflowId"], line["amount"]) == (
        "booked",
        "charge-payment",
        "k-1",
        "w-9",
        42.5,
    )
    assert "4242424242424242" not in books.get_data(as_text=True)
    world.client.delete("/books")
    assert world.kinds("payment") == []
