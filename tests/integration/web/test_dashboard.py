"""The dashboard's pages over the real ledger: what they show, whom they let in, what they never do."""

import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from orchestrator.ledger.starting import Start, start
from orchestrator.outcome import Parked
from orchestrator.reading import read_document
from orchestrator.states import Waiting
from tests.integration.web.desk import BUSY, ORDER, REFUSED, Desk
from web.dashboard.streaming import MOST_STREAMS

KEYS = ("k" * 32, "m" * 32)
SUBSCRIPTION = {"email": "grace@example.com", "plan": "pro"}
HOSTILE = "</pre><script src=//evil.example/x.js></script><img src=x onerror=alert(1)>'\"&${context.card}{{7*7}}"


class Links(HTMLParser):
    """Everything that a page points to, and what a strict policy would refuse."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts: list[str | None] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("href", "src", "action", "srcset") if name in given]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag == "script":
            self.scripts.append(given.get("src"))


@pytest.fixture
def guarded(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk where API keys are asked for."""
    desk = Desk(sqlite_url, tmp_path, KEYS)
    yield desk
    desk.close()


def page(desk: Desk, path: str, status: int = 200) -> str:
    """A page's text."""
    answer = desk.client.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (status, "text/html"), answer.text
    return answer.text


def token_of(text: str) -> str:
    """The token in a page's forms."""
    found = re.search(r'name="token" value="([^"]+)"', text)
    assert found is not None
    return found[1]


def press(desk: Desk, workflow_id: str, button: str, **fields: str) -> TestResponse:
    """Open the workflow's page and send one of its forms."""
    token = token_of(page(desk, f"/workflows/{workflow_id}"))
    return desk.client.post(
        f"/workflows/{workflow_id}/{button}", data={"token": token, **fields}, follow_redirects=True
    )


def failed_order(desk: Desk) -> str:
    """Payment was done, shipment failed, the payment is undone."""
    workflow = desk.start()
    desk.complete(workflow, payment={"orderId": "o"})
    desk.make(workflow, "shipment", REFUSED)
    desk.complete(workflow, **{"payment:undo": {}})
    return workflow


def log_in(desk: Desk, key: str = KEYS[0], to: str = "/") -> TestResponse:
    """Send the login's form."""
    return desk.client.post("/login", data={"key": key, "next": to})


def every_page(desk: Desk) -> list[str]:
    """The paths of all kinds of pages, with workflows in many states."""
    failed, waiting, fresh = failed_order(desk), desk.start(), desk.start(SUBSCRIPTION, "/api/subscribe")
    desk.make(waiting, "payment", BUSY)
    desk.claim(fresh, "validate")
    workflows = [f"/workflows/{one}" for one in (failed, waiting, fresh)]
    steps = f"/workflows/{failed}/steps/payment"
    events = f"/workflows/{failed}/events"
    board = ["/", "/?status=failed", "/?field=amount&value=42.5", "/?status=odd&after=never"]
    return [*board, *workflows, steps, events, "/definitions", "/definitions/subscription", "/workers", "/login"]


def test_every_page_is_well_made_and_stays_at_home(desk: Desk) -> None:
    """No address of another host, nothing inline that the policy refuses, no id twice."""
    paths = every_page(desk)
    for path in paths:
        links = Links(page(desk, path))
        assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in links.addresses)
        assert links.inline == []
        assert None not in links.scripts
        assert sorted(links.ids) == sorted(set(links.ids))
    policy = desk.client.get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self';")
    for asset in ("dashboard.css", "live.js", "mark.svg"):
        with desk.client.get(f"/assets/{asset}") as answer:
            assert "//" not in re.sub(r'"http://www.w3.org/2000/svg"|(?m:^\s*//.*| // .*)', "", answer.text)


def test_what_services_and_clients_send_is_only_ever_text(desk: Desk) -> None:
    """In results, errors, contexts, and in the filters that come back."""
    workflow = desk.start({**ORDER, "email": HOSTILE, "address": {HOSTILE: [HOSTILE]}})
    desk.complete(
        workflow, payment={HOSTILE: HOSTILE, "orderId": "o"}, shipment={"trackingId": HOSTILE}, confirmation={}
    )
    for path in (f"/workflows/{workflow}", f"/workflows/{workflow}/steps/payment", "/"):
        text = page(desk, path)
        assert "<img" not in text
        assert "evil.example/x.js></script>" not in text
        assert "{{7*7}}" in text or path == "/"
    shown = page(desk, f"/workflows/{workflow}")
    assert "&lt;script src=//evil.example" in shown
    assert "4242-4242" not in shown
    answer = desk.client.get("/", query_string=dict.fromkeys(("field", "value", "type", "status", "after"), HOSTILE))
    assert answer.status_code in (200, 400)
    assert "<img" not in answer.text


def test_the_board_counts_finds_and_puts_first_what_needs_a_person(desk: Desk) -> None:
    """Counts lead to lists; the filters narrow them."""
    urgent = desk.start({**ORDER, "email": "urgent@example.com"})
    desk.complete(urgent, payment={"orderId": "o"})
    desk.make(urgent, "shipment", REFUSED)
    desk.make(urgent, "payment:undo", REFUSED)
    other = desk.start(SUBSCRIPTION, "/api/subscribe")
    board = page(desk, "/")
    assert "1 needs a person" in board
    assert board.index(urgent) < board.index(other) < board.rindex(urgent)
    assert urgent not in page(desk, "/?status=running").split('id="found"')[1]
    assert urgent in page(desk, "/?context.email=urgent@example.com").split('id="found"')[1]
    assert "must be one of" in page(desk, "/?status=odd")


def test_older_workflows_are_a_page_away(desk: Desk) -> None:
    """The filters come along."""
    ids = [desk.start() for _ in range(52)]
    first = page(desk, "/?status=running")
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    second = page(desk, link[1].replace("&amp;", "&"))
    assert "status=running" in link[1]
    assert [one in second for one in ids[:3]] == [True, True, False]


def test_a_workflow_shows_requests_keys_errors_attempts_and_why_it_waits(desk: Desk) -> None:
    """Everything that one would ask for in a bad night."""
    workflow = desk.start()
    desk.complete(workflow, payment={"orderId": "ORD-1"})
    desk.make(workflow, "shipment", BUSY)
    text = page(desk, f"/workflows/{workflow}")
    for told in ("ORD-1", "answered 503", "waits for its next attempt", "Pause", "Cancel", "step.retrying", "ORD-1"):
        assert told in text
    assert "Retry…" not in text
    assert f'data-stream="/workflows/{workflow}/stream?after=' in text


def test_buttons_do_what_the_api_does_and_show_its_answers(desk: Desk) -> None:
    """Pause, resume, cancel, rerun; a refusal is the API's own."""
    workflow = desk.start()
    assert "409 Conflict: it is running" in press(desk, workflow, "retry").text
    assert "Paused" in press(desk, workflow, "pause").text
    assert desk.show(workflow)["status"] == "paused"
    assert "It goes on" in press(desk, workflow, "resume").text
    assert "Cancelling" in press(desk, workflow, "cancel", compensate="on").text
    assert desk.show(workflow)["status"] == "cancelled"
    copy = press(desk, workflow, "rerun", once="a-key")
    assert "fresh copy" in copy.text
    assert press(desk, workflow, "rerun", once="a-key").request.path == copy.request.path
    desk.order(copy.request.path.rpartition("/")[2], "cancel")
    later = press(desk, workflow, "rerun", once="another", **{"from": "shipment"})
    assert "409 Conflict" in later.text  # payment, before it, was not done
    assert desk.client.post(f"/workflows/{workflow}/destroy", data={"token": "x"}).status_code in (403, 404)


def test_a_person_decides_with_a_comment_and_the_second_one_is_told(desk: Desk) -> None:
    """Approve and reject stand where a step waits for it, with what the definition says to the person."""
    steps = {"check": {"approval": {"timeout": "1d", "message": "Send 5 <b>rows</b>?"}}}
    answer = desk.post("/api/workflows", {"definition": {"type": "export", "steps": steps}, "context": {}})
    workflow = answer.json["workflowId"]
    assert "Decide check" not in page(desk, f"/workflows/{workflow}")
    desk.make(workflow, "check", Parked(Waiting.APPROVAL, 86_400, memo={"message": "Send 5 <b>rows</b>?"}))
    shown = page(desk, f"/workflows/{workflow}")
    assert "Decide check" in shown
    assert "Waiting for a decision" in page(desk, "/")
    assert "Send 5 &lt;b&gt;rows&lt;/b&gt;?" in shown
    assert "check is approved" in press(desk, workflow, "steps/check/approve", comment=" looks right ").text
    [decided] = [
        event for event in desk.get(f"/api/workflows/{workflow}/events")["events"] if event["type"] == "step.completed"
    ]
    assert decided["details"]["comment"] == "looks right"
    assert "409 Conflict" in press(desk, workflow, "steps/check/reject").text
    assert "Waiting for a decision" not in page(desk, "/")
    assert desk.show(workflow)["status"] == "completed"


def test_what_a_person_rejects_fails_with_the_reason(desk: Desk) -> None:
    """At once, and for good."""
    steps = {"check": {"approval": {"timeout": "1d"}}}
    answer = desk.post("/api/workflows", {"definition": {"type": "export", "steps": steps}, "context": {}})
    workflow = answer.json["workflowId"]
    desk.make(workflow, "check", Parked(Waiting.APPROVAL, 86_400))
    assert "check is rejected" in press(desk, workflow, "steps/check/reject", comment="too dear").text
    shown = desk.show(workflow)
    assert (shown["status"], "rejected it: too dear" in shown["error"]["message"]) == ("failed", True)


def test_retry_goes_on_from_what_failed(desk: Desk) -> None:
    """A payment that failed before anything was done is tried again."""
    workflow = desk.start()
    desk.make(workflow, "payment", REFUSED)
    assert "Retrying" in press(desk, workflow, "retry").text
    assert desk.show(workflow)["status"] == "running"
    assert desk.sent[-1].workflow_id == workflow


def test_a_form_without_the_pages_token_or_from_elsewhere_changes_nothing(desk: Desk) -> None:
    """Other sites can neither read the token nor send the cookie."""
    workflow = desk.start()
    token = token_of(page(desk, f"/workflows/{workflow}"))
    for fields, headers in (
        ({}, {}),
        ({"token": "wrong"}, {}),
        ({"token": token}, {"Sec-Fetch-Site": "cross-site"}),
        ({"token": token}, {"Sec-Fetch-Site": "same-site"}),
    ):
        answer = desk.client.post(f"/workflows/{workflow}/cancel", data=fields, headers=headers)
        assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert desk.show(workflow)["status"] == "running"
    stranger = desk.app.test_client()
    assert stranger.post(f"/workflows/{workflow}/cancel", data={"token": token}).status_code == 403


def test_where_there_are_keys_nothing_is_shown_without_a_login(guarded: Desk) -> None:
    """Every page leads to the login, which leads back; styles are for all."""
    for path in ("/", "/definitions", "/workers", "/workflows/01890000-0000-7000-8000-000000000000/stream"):
        answer = guarded.client.get(path)
        assert (answer.status_code, answer.location) == (302, f"/login?next={path}")
    with guarded.client.get("/assets/dashboard.css") as answer:
        assert answer.status_code == 200
    assert guarded.client.get("/login/state").json == {"loggedIn": False}
    wrong = log_in(guarded, "wrong")
    assert wrong.status_code == 403
    assert "none of the keys" in wrong.text
    assert guarded.client.get("/").status_code == 302
    right = log_in(guarded, to="/workers")
    assert (right.status_code, right.location) == (302, "/workers")
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert KEYS[0] not in cookie
    assert guarded.client.get("/").status_code == 200
    assert guarded.client.get("/login/state").json == {"loggedIn": True}


def test_a_login_leads_to_no_other_site(guarded: Desk) -> None:
    """Whatever the link said."""
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", ""):
        assert log_in(guarded, to=to).location == "/"


def test_orders_are_recorded_under_the_keys_name(guarded: Desk) -> None:
    """The same as for calls of the API; and the API itself takes no cookie."""
    bearer = {"Authorization": f"Bearer {KEYS[1]}"}
    workflow = guarded.client.post("/api/process-order", json=ORDER, headers=bearer).json["workflowId"]
    log_in(guarded, KEYS[1])
    assert guarded.client.get(f"/api/workflows/{workflow}").status_code == 401
    press(guarded, workflow, "pause")
    events = guarded.client.get(f"/api/workflows/{workflow}/events", headers=bearer).json["events"]
    assert len({event["details"]["by"] for event in events if "by" in event["details"]}) == 1
    guarded.client.post("/logout", data={"token": token_of(page(guarded, "/"))})
    assert guarded.client.get("/").status_code == 302


PROXY = {"REMOTE_ADDR": "10.0.0.5"}


@pytest.fixture
def proxied(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk behind a proxy that says who looks; whoever it names may look and order."""
    desk = Desk(sqlite_url, tmp_path, KEYS, login_header="X-Forwarded-User:read+operate")
    yield desk
    desk.close()


def test_whom_the_proxy_names_is_let_in_and_recorded_by_name(proxied: Desk) -> None:
    """To the pages, with the form's token as everybody; the API asks for a key."""
    ada = {"X-Forwarded-User": "ada@example.com"}
    bearer = {"Authorization": f"Bearer {KEYS[1]}"}
    workflow = proxied.client.post("/api/process-order", json=ORDER, headers=bearer).json["workflowId"]
    shown = proxied.client.get(f"/workflows/{workflow}", headers=ada, environ_base=PROXY)
    assert shown.status_code == 200
    assert "ada@example.com" in shown.text.split("<main")[0]
    path = f"/workflows/{workflow}/pause"
    assert proxied.client.post(path, headers=ada, environ_base=PROXY).status_code == 403
    form = {"token": token_of(shown.text)}
    across = {**ada, "Sec-Fetch-Site": "cross-site"}
    assert proxied.client.post(path, data=form, headers=across, environ_base=PROXY).status_code == 403
    assert proxied.client.post(path, data=form, headers=ada, environ_base=PROXY).status_code == 303
    events = proxied.client.get(f"/api/workflows/{workflow}/events", headers=bearer).json["events"]
    assert [event["details"]["by"] for event in events if event["type"] == "workflow.paused"] == ["ada@example.com"]
    assert proxied.client.get("/api/workflows", headers=ada, environ_base=PROXY).status_code == 401


def test_nobody_but_the_proxy_is_believed(proxied: Desk) -> None:
    """Whatever they send; and a proxy that adds to what a client sent lets nobody in."""
    claim = {"X-Forwarded-User": "ada@example.com", "X-Forwarded-For": "10.0.0.5"}
    for address in ("10.0.0.6", "127.0.0.1", "::1", "", "10.0.0.5, 10.0.0.6"):
        answer = proxied.client.get("/", headers=claim, environ_base={"REMOTE_ADDR": address})
        assert (answer.status_code, answer.location) == (302, "/login?next=/"), address
    mapped = {"REMOTE_ADDR": "::ffff:10.1.2.3"}
    for given, status in (("", 302), ("mallory,ada@example.com", 403), ("a" * 201, 403), ("Zo\u00c3\u00ab", 200)):
        answer = proxied.client.get("/", headers={"X-Forwarded-User": given}, environ_base=mapped)
        assert answer.status_code == status, given
    assert "Zo\u00eb" in answer.text


def test_a_forged_cookie_or_one_of_a_removed_key_opens_nothing(guarded: Desk, tmp_path: Path, sqlite_url: str) -> None:
    """The session is bound to its key, not only to the signature."""
    log_in(guarded)
    cookie = guarded.client.get_cookie("orchestrator")
    assert cookie is not None
    other = Desk(sqlite_url, tmp_path, (KEYS[1],))
    for value in (cookie.value, cookie.value[:-2] + "xx", "e30.aaaaaa.bbbb"):
        other.client.set_cookie("orchestrator", value)
        assert other.client.get("/").status_code == 302
    other.close()


def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(desk: Desk) -> None:
    """Under /api always a problem."""
    for path in (
        "/nowhere",
        "/workflows/nonsense",
        "/workflows/01890000-0000-7000-8000-000000000000",
        "/definitions/no",
    ):
        assert "All workflows" in page(desk, path, 404)
    for path, accept in (("/api/nowhere", "text/html"), ("/nowhere", "application/json"), ("/nowhere", "*/*")):
        answer = desk.client.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert desk.client.get("/?cursor=none", headers={"Accept": "text/html"}).status_code == 400


def test_a_stream_tells_each_change_and_ends_with_the_workflow(desk: Desk) -> None:
    """From the last event that the browser had."""
    workflow = desk.start()
    seen = desk.get(f"/workflows/{workflow}/pulse")
    assert seen["final"] is False
    desk.make(workflow, "payment", REFUSED)
    with desk.client.get(f"/workflows/{workflow}/stream", query_string={"after": seen["event"]}) as answer:
        assert answer.mimetype == "text/event-stream"
        lines = answer.text.splitlines()
    told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert told[-1] == {**desk.get(f"/workflows/{workflow}/pulse"), "final": True}
    again = desk.client.get(f"/workflows/{workflow}/stream", headers={"Last-Event-ID": str(told[-1]["event"])})
    assert again.status_code == 204
    assert desk.client.get("/workflows/01890000-0000-7000-8000-000000000000/stream").status_code == 404


def test_streams_never_take_all_threads(sqlite_desk: Desk) -> None:
    """One too many is told to poll; one that ends makes room."""
    path = f"/workflows/{sqlite_desk.start()}/stream"
    opened = [sqlite_desk.app.test_client().get(path) for _ in range(MOST_STREAMS)]
    refused = sqlite_desk.client.get(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    for answer in opened:
        assert answer.status_code == 200
        answer.close()
    with sqlite_desk.client.get(path) as answer:
        assert answer.status_code == 200


def test_a_workflow_of_a_thousand_steps_is_shown_quickly(sqlite_desk: Desk) -> None:
    """Layers instead of a drawing, a page for each step; both within two seconds."""
    fan = {f"part{number:04}": {"targetUrl": "http://s/x", "next": ["end"]} for number in range(998)}
    steps = {"begin": {"targetUrl": "http://s/x", "next": list(fan)}, **fan, "end": {"targetUrl": "http://s/x"}}
    definition = read_document({"type": "large", "steps": steps})
    workflow = start(sqlite_desk.ledger, definition, Start(context={})).workflow_id
    sqlite_desk.complete(workflow, begin={})
    sqlite_desk.make(workflow, "part0500", REFUSED)
    began = time.monotonic()
    text = page(sqlite_desk, f"/workflows/{workflow}")
    assert time.monotonic() - began < 2
    assert len(text) < 500_000
    assert "998" in text
    assert text.index("part0500") < text.index("part0000")
    assert "answered 402" in page(sqlite_desk, f"/workflows/{workflow}/steps/part0500")
    assert "large" in page(sqlite_desk, "/?type=large")


def test_a_definition_shows_its_canvas_its_versions_and_how_its_steps_went(desk: Desk) -> None:
    """Also one that only a workflow brought along."""
    failed_order(desk)
    text = page(desk, "/definitions/order-processing")
    assert "chain(payment, shipment, confirmation)" in text
    assert "100%" in text
    inline = {"type": "brought", "steps": {"only": {"targetUrl": "http://services/only"}}}
    started = desk.post("/api/workflows", {"definition": inline, "context": {}}).json["workflowId"]
    link = re.search(r'href="(/definitions/brought\?version=[0-9a-f]+)"', page(desk, f"/workflows/{started}"))
    assert link is not None
    assert "not the one that is started now" in page(desk, link[1])
