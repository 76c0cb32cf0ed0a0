"""The API as HTTP: problems, methods, keys, headers, its description, definitions, and whatever else comes."""

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from tests.integration.web.desk import ODD, ORDER, WORKFLOWS, Desk
from web import create_app
from web.operations import ENTRY, OPERATIONS

API_KEYS = ("first-key-0123456789", "second-key-0123456789")


def test_errors_are_problems_everywhere(sqlite_desk: Desk) -> None:
    """RFC 9457, with the status in it, also where no view was reached."""
    for path, method, status in (
        ("/nowhere", "GET", 404),
        ("/api/", "GET", 404),
        ("/api/subscribe", "GET", 405),
        ("/api/workflows", "DELETE", 405),
        ("/api/definitions/none", "GET", 404),
        ("/healthz", "POST", 405),
    ):
        answer = sqlite_desk.client.open(path, method=method)
        assert (answer.status_code, answer.mimetype, answer.json["status"]) == (
            status,
            "application/problem+json",
            status,
        )
        assert answer.json["title"]
        assert answer.json["detail"]
    assert set(sqlite_desk.client.get("/api/subscribe").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_bug_of_ours_is_a_500_without_detail(sqlite_desk: Desk) -> None:
    """The log has it; the client must not."""

    def broken() -> None:
        raise RuntimeError("password=hunter2")

    sqlite_desk.app.add_url_rule("/broken", view_func=broken)
    answer = sqlite_desk.client.get("/broken")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert "hunter2" not in answer.text


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back(sqlite_desk: Desk) -> None:
    """For reads and starts; the process still says that it lives, and that it is not ready."""
    parts = sqlite_desk.app.extensions["orchestrator"]
    away = Ledger(Database("postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none"))
    app = create_app(parts.settings, ledger=away, definitions=parts.definitions, publish=sqlite_desk.sent.append)
    client = app.test_client()
    for answer in (client.post("/api/process-order", json=ORDER), client.get("/api/workflows"), client.get("/readyz")):
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert "hunter2" not in answer.text
    assert client.get("/api/workflows").headers["Retry-After"] == "2"
    assert client.get("/healthz").json == {"status": "alive"}


def test_ready_says_what_it_stands_on(desk: Desk) -> None:
    """Redis may be away: what is started meanwhile is kept."""
    shown = desk.get("/readyz")
    assert (shown["status"], shown["database"], shown["definitions"]) == ("ready", "ok", 3)
    assert shown["redis"].startswith("away")


def test_tables_that_are_not_there_are_not_ready(sqlite_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With the command that makes them."""
    parts = sqlite_desk.app.extensions["orchestrator"]
    empty = Ledger(Database(f"sqlite:///{tmp_path_factory.mktemp('empty') / 'x.sqlite3'}"))
    client = create_app(parts.settings, ledger=empty, publish=sqlite_desk.sent.append).test_client()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "orchestrator migrate" in answer.json["detail"]
    assert client.get("/api/workflows").status_code == 503
    empty.database.close()


def test_keys_are_asked_for_where_there_are_some(sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everywhere under /api but in the description; each key works, and the audit log tells them apart."""
    desk = Desk(sqlite_url, tmp_path_factory.mktemp("data"), API_KEYS)
    for given_key in (
        None,
        "Bearer",
        "Bearer wrong",
        f"Basic {API_KEYS[0]}",
        API_KEYS[0],
        "Bearer ü",
        f"Bearer {API_KEYS[0]}x",
    ):
        headers = {} if given_key is None else {"Authorization": given_key}
        for path in ("/api/workflows", "/api/subscribe", "/api/nowhere", "/api/definitions", "/api/openapi.json/"):
            answer = desk.client.get(path, headers=headers)
            assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for path in ("/api/openapi.json", "/api/docs", "/healthz", "/readyz"):
        assert desk.client.get(path).status_code == 200
    names = set()
    for key in API_KEYS:
        desk.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        told = desk.get(f"/api/workflows/{desk.start()}/events")["events"]
        names.add(told[0]["details"]["by"])
    assert len(names) == 2
    assert not any(key in name for key in API_KEYS for name in names)
    assert desk.get("/api/openapi.json")["security"] == [{"key": []}]
    desk.close()


def test_every_answer_carries_the_strict_headers(sqlite_desk: Desk) -> None:
    """Errors too; and no page of another site is let in."""
    for path in ("/api/workflows", "/api/docs", "/nowhere"):
        headers = sqlite_desk.client.get(path, headers={"Origin": "https://evil.example"}).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_description_is_valid_and_tells_of_every_route(sqlite_desk: Desk) -> None:
    """OpenAPI 3.1, entries included; a route without a row in the table is a fault of ours."""
    document = sqlite_desk.get("/api/openapi.json")
    validate(document)
    endpoints = {rule.endpoint for rule in sqlite_desk.app.url_map.iter_rules()}
    assert {endpoint for endpoint in endpoints if not endpoint.startswith((ENTRY, "dashboard."))} == set(OPERATIONS)
    assert {"/api/subscribe", "/api/process-order", "/api/odd/one.2", "/api/workflows/{workflow_id}/cancel"} <= set(
        document["paths"]
    )
    page = sqlite_desk.client.get("/api/docs")
    assert page.mimetype == "text/html"
    assert "/api/process-order" in page.text
    assert "http" not in page.text.replace("http://services", "").split("</style>")[0]


def test_what_is_answered_has_the_described_shape(sqlite_desk: Desk) -> None:
    """The description is checked against the answers, with their references followed."""
    from jsonschema import Draft202012Validator

    document = sqlite_desk.get("/api/openapi.json")
    workflow_id = sqlite_desk.start()
    for path, name in (
        (f"/api/workflows/{workflow_id}", "Workflow"),
        (f"/api/workflows/{workflow_id}?view=summary", "Summary"),
        (f"/api/workflows/{workflow_id}/events", "Events"),
        (f"/api/workflows/{workflow_id}/why", "Why"),
        ("/api/workflows", "Page"),
        ("/api/statistics?since=1h", "Statistics"),
        ("/api/definitions/subscription", "DefinitionDetail"),
    ):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        Draft202012Validator(schema).validate(sqlite_desk.client.get(path).json)


def test_definitions_are_listed_and_shown_with_their_edges(sqlite_desk: Desk) -> None:
    """What can be started, and what it does."""
    listed = {one["type"]: one for one in sqlite_desk.get("/api/definitions")["definitions"]}
    assert listed["subscription"]["entry"] == "/api/subscribe"
    assert listed["subscription"]["steps"] == ["validate", "charge", "provision", "welcome"]
    shown = sqlite_desk.get("/api/definitions/subscription")
    assert shown["steps"][3]["waitFor"] == ["charge", "provision"]
    assert shown["steps"][0]["next"] == ["charge", "provision"]
    assert shown["document"]["type"] == "subscription"


def test_a_version_that_a_workflow_was_started_with_can_be_read_for_ever(desk: Desk) -> None:
    """Also where no file has it any more."""
    inline = {**ODD, "type": "mine", "description": "Gone tomorrow."}
    started = desk.post("/api/workflows", {"definition": inline, "context": {"who": "ada"}}).json["workflowId"]
    version = desk.show(started)["definitionVersion"]
    assert desk.get("/api/definitions/mine", version=version)["description"] == "Gone tomorrow."
    for path in (f"odd?version={version}", f"mine?version={'0' * 64}", "mine?version=1", f"%00?version={version}"):
        assert desk.client.get(f"/api/definitions/{path}").status_code in (400, 404)


def test_a_definition_is_checked_as_yaml_or_json(sqlite_desk: Desk) -> None:
    """A 200 with what it is, or a 422 with every fault and its line."""
    text = (WORKFLOWS / "subscription.yaml").read_text()
    post = sqlite_desk.client.post
    good = post("/api/definitions/validate", data=text, content_type="application/yaml")
    assert (good.status_code, good.json["valid"], good.json["type"]) == (200, True, "subscription")
    assert "ORCHESTRATOR_VAR_SERVICES_URL is not set where the API runs" in good.json["doubts"]
    assert post("/api/definitions/validate", json=ODD).json["type"] == "odd"
    bad = post("/api/definitions/validate", data="type: x\nsteps:\n  a: {targetUrl: 7, next: [b]}\n")
    assert bad.status_code == 422
    assert {(fault["place"], fault["line"]) for fault in bad.json["faults"]} == {
        ("steps.a.targetUrl", 3),
        ("steps.a.next", 3),
    }
    for data in (b"\xff", b"", b"{", b"a: &a [*a]", b"\x00"):
        assert post("/api/definitions/validate", data=data).status_code in (400, 422)


JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=5), below, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(["type", "definition", "context", "amount", "email", "plan", "who", "steps", "card", "secret"])
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(FIELDS, JSON | st.sampled_from(["odd", 1, ODD, {"who": "ada"}])).map(
        lambda value: json.dumps(value).encode()
    ),
)
PATHS = st.sampled_from(
    [
        "/api/subscribe",
        "/api/process-order",
        "/api/odd/one.2",
        "/api/workflows",
        "/api/definitions",
        "/api/definitions/validate",
        "/api/openapi.json",
        "/api/docs",
        "/healthz",
        *(
            f"/api/workflows/{{id}}{tail}"
            for tail in ("", "/events", "/why", "/cancel", "/pause", "/resume", "/retry", "/rerun")
        ),
    ]
) | st.text(alphabet=st.characters(codec="utf-8"), max_size=30).map(lambda text: f"/api/{quote(text)}")
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            "status",
            "type",
            "cursor",
            "limit",
            "createdAfter",
            "view",
            "compensate",
            "from",
            "version",
            "compensation",
            "x",
        ]
    ),
    st.sampled_from(["running", "true", "1", "summary", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:00", "\0"])
    | st.text(max_size=30),
    max_size=3,
)
HEADERS = st.dictionaries(
    st.sampled_from(["Idempotency-Key", "traceparent", "Content-Encoding", "Accept", "Authorization"]),
    st.text(alphabet=st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20) | st.just("same"),
    max_size=2,
)


@given(
    path=PATHS,
    query=QUERIES,
    body=BODIES,
    headers=HEADERS,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
    media=st.sampled_from(
        ["application/json", "application/json", "text/plain", "application/yaml", "x", "", "a/b+json"]
    ),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_a_client_sends_gives_a_500(
    desk: Desk, path: str, query: dict[str, str], body: bytes, headers: dict[str, str], method: str, media: str
) -> None:
    """Any bytes, to every route: an answer below 500, and a problem where it is no success."""
    if "{id}" in path:
        path = path.format(id=desk.start({"who": "ada"}, "/api/odd/one.2"))
    answer = desk.client.open(path, method=method, query_string=query, data=body, headers=headers, content_type=media)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.mimetype == "application/problem+json"
        assert answer.json["status"] == answer.status_code
