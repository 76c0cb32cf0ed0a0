"""Who is let in, for what, how often: hosts, API keys with their scopes, a bound on starts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.api_keys import Scope
from orchestrator.setting_texts import Rate
from tests.integration.web.desk import ORDER, Desk
from web.operations import needed
from web.pacing import Pace


def test_a_name_that_somebody_leads_here_is_refused(sqlite_desk: Desk) -> None:
    """DNS rebinding: the browser takes our answers for those of the other name's owner."""
    rebound = {"Host": "evil.example:8000"}
    for path in ("/", "/api/workflows", "/api/docs", "/nowhere", "/assets/dashboard.css"):
        answer = sqlite_desk.client.get(path, headers=rebound)
        assert answer.status_code == 421, path
        assert "ORCHESTRATOR_PUBLIC_URL" in answer.text
    assert sqlite_desk.client.post("/api/process-order", json=ORDER, headers=rebound).status_code == 421
    for path in ("/healthz", "/readyz"):
        assert sqlite_desk.client.get(path, headers=rebound).status_code == 200
    assert sqlite_desk.client.get("/api/workflows", headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_a_page_of_another_site_changes_nothing(sqlite_desk: Desk) -> None:
    """Not even by what a browser sends without asking first."""
    workflow = sqlite_desk.start()
    answer = sqlite_desk.client.post(f"/api/workflows/{workflow}/cancel", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert sqlite_desk.show(workflow)["status"] == "running"


KEYS = {"start": "start-key-0123456789", "read": "read-key-0123456789", "operate": "operate-key-0123456789"}


@pytest.fixture
def scoped(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk with a key for each scope."""
    desk = Desk(sqlite_url, tmp_path, tuple(f"{key}:{scope}" for scope, key in KEYS.items()))
    yield desk
    desk.close()


def bearing(scope: str) -> dict[str, str]:
    """The header of who holds the key with that scope."""
    return {"Authorization": f"Bearer {KEYS[scope]}"}


def test_a_key_may_do_what_its_scope_says_and_is_told_what_is_missing(scoped: Desk) -> None:
    """Every call asks for exactly one scope."""
    client = scoped.client
    started = client.post("/api/process-order", json=ORDER, headers=bearing("start"))
    workflow = f"/api/workflows/{started.json['workflowId']}"
    for scope, method, path, body in (
        ("start", "POST", "/api/process-order", ORDER),
        ("start", "POST", "/api/workflows", {"type": "order-processing", "context": ORDER}),
        ("read", "GET", "/api/workflows", None),
        ("read", "GET", workflow, None),
        ("read", "GET", f"{workflow}/events", None),
        ("read", "GET", "/api/definitions", None),
        ("operate", "POST", f"{workflow}/pause", None),
        ("operate", "POST", f"{workflow}/resume", None),
        ("operate", "POST", f"{workflow}/cancel", None),
        ("operate", "POST", "/api/workflows/bulk", {"action": "cancel", "filter": {"type": "none"}}),
    ):
        for held in KEYS:
            answer = client.open(path, method=method, headers=bearing(held), **({"json": body} if body else {}))
            if held == scope:
                assert answer.status_code < 300, (held, path, answer.text)
            else:
                assert answer.status_code == 403, (held, path)
                assert answer.json["detail"].startswith(f"this needs a key with the scope {scope}; ")
                assert answer.json["detail"].endswith(f"has {held}")


def test_the_description_names_each_calls_scope(scoped: Desk) -> None:
    """As OpenAPI 3.1 says it for keys that are no OAuth tokens."""
    paths = scoped.client.get("/api/openapi.json").json["paths"]
    assert paths["/api/process-order"]["post"]["security"] == [{"key": ["start"]}]
    assert paths["/api/workflows"]["get"]["security"] == [{"key": ["read"]}]
    assert paths["/api/workflows/{workflow_id}/cancel"]["post"]["security"] == [{"key": ["operate"]}]
    assert paths["/api/docs"]["get"]["security"] == []


def test_a_key_that_may_only_read_changes_nothing(scoped: Desk) -> None:
    """Whatever route a release adds: only what is known to be a look, or a check, is one."""
    changing = {
        (rule.endpoint, method)
        for rule in scoped.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }
    by_readers = {endpoint for endpoint, method in changing if needed(endpoint, method) is Scope.READ}
    assert by_readers == {"definitions.validated"}
    assert needed("added.tomorrow", "POST") is Scope.OPERATE


def test_the_dashboard_shows_no_button_that_a_key_may_not_press(scoped: Desk) -> None:
    """And refuses the order itself; a key that may not read is told so at the login."""
    client = scoped.client
    started = client.post("/api/process-order", json=ORDER, headers=bearing("start")).json["workflowId"]
    for scope in ("start", "operate"):
        refused = client.post("/login", data={"key": KEYS[scope]})
        assert refused.status_code == 403
        assert "may not read" in refused.text
    assert client.post("/login", data={"key": KEYS["read"]}).status_code == 302
    shown = client.get(f"/workflows/{started}")
    assert shown.status_code == 200
    assert "/cancel" not in shown.text
    token = re.search(r'name="token" value="([^"]+)"', shown.text)
    assert token is not None
    refused = client.post(f"/workflows/{started}/cancel", data={"token": token[1]})
    assert refused.status_code == 403
    assert "the scope operate" in refused.text
    assert client.post("/logout", data={"token": token[1]}).status_code == 302


def test_what_would_be_ignored_is_refused(sqlite_desk: Desk) -> None:
    """A reason in a body, say, would be thought to be recorded."""
    workflow = sqlite_desk.start()
    for verb in ("pause", "resume", "cancel", "retry"):
        answer = sqlite_desk.post(f"/api/workflows/{workflow}/{verb}", {"reason": "because"})
        assert (answer.status_code, "takes no body" in answer.json["detail"]) == (400, True)
    assert sqlite_desk.show(workflow)["status"] == "running"
    assert sqlite_desk.post(f"/api/workflows/{workflow}/pause", {}).status_code == 202


def test_a_key_that_comes_twice_is_refused_with_its_place(sqlite_desk: Desk) -> None:
    """Who checked the one must not find the other carried out."""
    for text, place in (
        ('{"amount": 1, "amount": 1000}', "amount"),
        ('{"context": {"lines": [{}, {"a": 1, "\\u0061": 2}]}, "type": "odd"}', "context.lines[1].a"),
    ):
        answer = sqlite_desk.client.post("/api/workflows", data=text, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json["faults"] == [{"place": place, "message": "is given twice in one object"}]


def test_a_client_that_starts_too_often_is_told_when_to_come_back(sqlite_url: str, tmp_path: Path) -> None:
    """Each key by itself; reading and ordering are free; several starts in one request count as several."""
    desk = Desk(sqlite_url, tmp_path, tuple(KEYS.values()), "3/m")
    for _ in range(3):
        assert desk.client.post("/api/process-order", json=ORDER, headers=bearing("start")).status_code == 202
    refused = desk.client.post("/api/process-order", json=ORDER, headers=bearing("start"))
    assert refused.status_code == 429
    assert "3/m" in refused.json["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 120
    assert desk.client.get("/api/workflows", headers=bearing("start")).status_code == 200
    one = {"type": "order-processing", "context": ORDER}
    several = desk.client.post("/api/workflows/batch", json={"workflows": [one] * 4}, headers=bearing("read"))
    assert several.status_code == 429
    assert len(desk.client.get("/api/workflows", headers=bearing("read")).json["workflows"]) == 3
    desk.close()


def test_all_web_processes_count_together(redis_url: str) -> None:
    """As long as Redis answers; without it each counts by itself."""
    here, there = Pace(Rate(2, 60), redis_url), Pace(Rate(2, 60), redis_url)
    assert [here.refused("me", 1), there.refused("me", 1)] == [None, None]
    waits = [here.refused("me", 1), there.refused("me", 1)]
    assert all(wait is not None and 0 < wait <= 120 for wait in waits)
    assert there.refused("you", 2) is None
    alone = Pace(Rate(1, 60), "redis://127.0.0.1:1/0")
    assert (alone.refused("me", 1), alone.refused("me", 1) is None) == (None, False)
