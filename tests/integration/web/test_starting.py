"""Starting workflows: what is accepted, what is refused and how that is said, and start keys."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from orchestrator.jsontype import Json
from orchestrator.ledger.tables import workflows
from orchestrator.sealing import Sealer
from tests.integration.web.desk import KEY, ODD, ORDER, Desk


def count(desk: Desk) -> int:
    with desk.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(workflows)).scalar_one())


def stored(desk: Desk, workflow_id: str) -> Any:
    with desk.database.reading() as connection:
        return connection.execute(select(workflows).where(workflows.c.id == workflow_id)).one()


def faults(answer: Any) -> dict[str, str]:
    assert answer.mimetype == "application/problem+json"
    return {fault["place"]: fault["message"] for fault in answer.json["faults"]}


def test_a_start_is_accepted_recorded_and_sent(desk: Desk) -> None:
    """The 202 means: it is in the ledger; its first step is on its way."""
    answer = desk.post("/api/process-order", ORDER)
    assert answer.status_code == 202
    assert answer.json == {"workflowId": answer.json["workflowId"], "status": "processing"}
    assert answer.headers["Location"] == f"/api/workflows/{answer.json['workflowId']}"
    assert desk.client.get(answer.headers["Location"]).json["status"] == "running"
    [publication] = desk.sent
    assert publication.workflow_id == answer.json["workflowId"]
    assert publication.fragments[0].heads == ("payment",)


def test_every_type_starts_by_name_too_and_inline_definitions_start(desk: Desk) -> None:
    """`POST /api/workflows` takes what no entry takes."""
    named = desk.post("/api/workflows", {"type": "subscription", "context": {"email": "a@b", "plan": "pro"}})
    assert named.status_code == 202
    inline = desk.post("/api/workflows", {"definition": {**ODD, "type": "mine"}, "context": {"who": "ada"}})
    assert inline.status_code == 202
    assert desk.show(inline.json["workflowId"])["type"] == "mine"


def test_sensitive_fields_are_masked_where_shown_and_encrypted_where_kept(desk: Desk) -> None:
    """The card number is nowhere in the ledger but under the key."""
    workflow_id = desk.start()
    assert desk.show(workflow_id)["context"] == {**ORDER, "card": "•••"}
    row = stored(desk, workflow_id)
    assert "4242" not in str(row)
    assert Sealer([KEY]).open(row.sealed) == {"context.card": "4242-4242"}


def test_a_client_sets_no_control_field(desk: Desk) -> None:
    """Ids and statuses in the context are the client's own data and nothing more."""
    workflow_id = desk.start({**ORDER, "workflowId": "mine", "status": "completed", "steps": {}, "type": "x"})
    shown = desk.show(workflow_id)
    assert (shown["workflowId"], shown["status"], shown["type"]) == (workflow_id, "running", "order-processing")
    assert desk.show(workflow_id, view="summary")["status"] == "processing"


def test_every_fault_of_a_context_is_named_with_its_place_and_no_value(sqlite_desk: Desk) -> None:
    """A client mends all of it at once, and no log of answers holds what was secret."""
    body = {"amount": -1, "card": 4242, "email": "x", "address": 7}
    answer = sqlite_desk.post("/api/process-order", body)
    assert answer.status_code == 422
    assert faults(answer) == {
        "context.amount": "must be more than 0",
        "context.card": "must be a text",
        "context.email": "must have at least 3 characters",
        "context.address": "must be a text or an object",
    }
    assert "4242" not in answer.text
    assert count(sqlite_desk) == 0


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, {"context.who": "is missing"}),
        ({"who": "ada", "plan": "c"}, {"context.plan": 'must be one of ["a", "b"]'}),
        ({"who": "ada", "more": 1}, {"context.more": "is not known here; there are plan, secret, who"}),
        (
            {"who": 0},
            {"context.who": "fits none of the forms that are allowed: who must be a text / who must be at least 1"},
        ),
    ],
)
def test_faults_say_what_would_be_right(sqlite_desk: Desk, context: Json, expected: dict[str, str]) -> None:
    """Also behind references and alternatives."""
    assert faults(sqlite_desk.post("/api/odd/one.2", context)) == expected


@pytest.mark.parametrize(
    ("body", "media", "status", "says"),
    [
        (b"{", "application/json", 400, "not JSON"),
        (b"", "application/json", 400, "not JSON"),
        (b"[1]", "application/json", 400, "must be a JSON object"),
        (b'{"amount": NaN}', "application/json", 400, "NaN"),
        (b'{"amount": 1e999}', "application/json", 400, "too large"),
        (b'{"amount": 1, "n": "a\\u0000b"}', "application/json", 400, "NUL"),
        (b'{"amount": 1, "n": "\\ud800"}', "application/json", 400, "surrogate"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "application/json", 400, "nested"),
        (b"[" * 100_000, "application/json", 400, "nested"),
        (b'{"n": "\xff"}', "application/json", 400, "UTF-8"),
        (b'{"amount": 1, "n": "' + b"x" * 1_000_000 + b'"}', "application/json", 413, ""),
        (b'{"amount": 1}', "text/plain", 415, "application/json"),
        (b"amount=1", "application/x-www-form-urlencoded", 415, "application/json"),
        (b'{"amount": 1}', "", 415, "application/json"),
    ],
)
def test_what_cannot_be_kept_is_refused(sqlite_desk: Desk, body: bytes, media: str, status: int, says: str) -> None:
    """A body that no ledger could hold is the client's mistake, said as such, never a 500."""
    answer = sqlite_desk.client.post("/api/process-order", data=body, content_type=media)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert says in answer.json["detail"]
    assert count(sqlite_desk) == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "type"),
        ({"type": "subscriptio"}, "type"),
        ({"type": ["odd"]}, "type"),
        ({"type": "odd", "definition": ODD}, "type"),
        ({"type": "odd", "context": [1]}, "context"),
        ({"type": "odd", "context": {"who": "ada"}, "status": "completed"}, "status"),
        ({"definition": {"type": "x", "steps": {"a": {"targetUrl": 1}}}}, "definition.steps.a.targetUrl"),
        ({"definition": None}, "definition"),
    ],
)
def test_a_start_by_name_says_what_is_wrong_with_it(sqlite_desk: Desk, body: Json, expected: str) -> None:
    """With the place in the body, also inside an inline definition."""
    answer = sqlite_desk.post("/api/workflows", body)
    assert answer.status_code == 422
    assert expected in faults(answer)


def test_the_same_key_and_body_give_the_same_workflow(desk: Desk) -> None:
    """A client that lost the answer asks again and gets it again; nothing is started or sent twice."""
    first = desk.post("/api/process-order", ORDER, Idempotency_Key="order-1")
    again = desk.post("/api/workflows", {"type": "order-processing", "context": ORDER}, Idempotency_Key="order-1")
    assert (again.status_code, again.json, again.headers["Location"]) == (202, first.json, first.headers["Location"])
    assert count(desk) == 1
    assert sum(map(bool, desk.sent)) == 1


def test_the_same_key_with_another_body_is_refused(desk: Desk) -> None:
    """The difference may be in a sensitive field."""
    desk.start(Idempotency_Key="order-1")
    answer = desk.post("/api/process-order", {**ORDER, "card": "1111"}, Idempotency_Key="order-1")
    assert answer.status_code == 422
    assert "order-1" in answer.json["detail"]
    assert desk.start({"email": "a@b", "plan": "p"}, "/api/subscribe", Idempotency_Key="order-1")


def test_twenty_starts_at_the_same_moment_with_one_key_make_one_workflow(desk: Desk) -> None:
    """Two parties meet at the unique index: one writes, the others find its row."""
    together = threading.Barrier(20)

    def start(_: int) -> tuple[int, str]:
        with desk.app.test_client() as client:
            together.wait()
            answer = client.post("/api/process-order", json=ORDER, headers={"Idempotency-Key": "same"})
            return answer.status_code, answer.json["workflowId"]

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(start, range(20)))
    assert len(answers) == 1
    assert answers.pop()[0] == 202
    assert count(desk) == 1
    assert sum(map(bool, desk.sent)) == 1


@pytest.mark.parametrize("key", ["", "with blank", "ü", "x" * 256, "tab\tkey"])
def test_a_key_that_is_none_is_refused(sqlite_desk: Desk, key: str) -> None:
    """Before anything is written."""
    answer = sqlite_desk.post("/api/process-order", ORDER, Idempotency_Key=key)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json["detail"]


def test_a_trace_goes_on_and_a_wrong_one_is_let_be(desk: Desk) -> None:
    """As the standard of `traceparent` asks for."""
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    assert stored(desk, desk.start(traceparent=good)).traceparent == good
    assert stored(desk, desk.start(traceparent="00-zz")).traceparent is None
