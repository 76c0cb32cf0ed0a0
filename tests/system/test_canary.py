"""Canaries: secrets that are looked for, after a real run, in everything that somebody could look into.

Services echo what they are sent, in results and in errors; steps succeed, fail, are retried, undone, with every kind of
credentials. Redis is watched all the time (Flower's events pass through it), the database is dumped, every log line at
DEBUG is read, every answer and page of the web. Only the services' own books may hold a canary.
"""

import base64
import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psycopg
import pytest
import redis
import requests

from orchestrator.jsontype import Json
from orchestrator.tether import tethered
from tests.servers import RedisServer, free_port
from tests.system.installation import ROOT, Installation, until

SECRETS = {
    "BEARER": "canary-bearer-7f3a",
    "PASSWORD": "canary-password/+ 7f3a",
    "KEY": "canary-apikey-7f3a",
    "CLIENT": "canary-client-7f3a",
    "SIGNING": "canary-signing-7f3a",
    "HEADER": "canary-header-7f3a",
}
API_KEY = "canary-of-the-api-itself-7f3a"
CARD = {"number": "canary-4111-1111-7f3a", "digits": 4111222233334444, "cvc": 737}
PIN = "canary-pin-7f3a"
TOKEN = "canary-token-7f3a"
NOTIFIED = "canary-notify-7f3a"
ENCRYPTION = base64.urlsafe_b64encode(b"canary-encryption-7f3a-012345678"[:32]).decode()
WEBHOOK = f"whsec_{base64.b64encode(b'canary-webhook-7f3a-0123').decode()}"
CANARIES = (
    WEBHOOK.removeprefix("whsec_"),
    "canary-webhook-7f3a",
    *SECRETS.values(),
    API_KEY,
    CARD["number"],
    str(CARD["digits"]),
    PIN,
    TOKEN,
    NOTIFIED,
    ENCRYPTION,
)


class Echo(BaseHTTPRequestHandler):
    """Answers with all that it was sent; how, the path says."""

    protocol_version = "HTTP/1.1"
    books: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Every call."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        sent = f"{self.command} {self.path}\n{self.headers}\n{body}"
        self.books.append(sent)
        name = self.path.partition("?")[0].rpartition("/")[2]
        if name == "token":
            return self._answer(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 60, "echo": sent})
        if name == "drop":
            self.close_connection = True
            return None
        if name == "plain":
            return self._answer(500, sent, "text/plain")
        status = int(name) if name.isdigit() else 200
        read = json.loads(body) if body.startswith("{") else None
        echoed = {"echo": sent, "headers": dict(self.headers), "body": read, sent: "as a key"}
        return self._answer(status, echoed)

    do_GET = do_POST  # noqa: N815 - http.server's name

    def _answer(self, status: int, body: Json, media: str = "application/json") -> None:
        raw = body.encode() if media == "text/plain" else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("X-Echo", self.headers.get("Authorization", ""))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    """The services' address."""
    Echo.books = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def definitions(url: str) -> dict[str, Json]:
    """One that completes, one that fails and is undone in every way, one whose steps cannot be made."""
    quick = {"delay": 0.05, "jitter": "none"}
    everything = {
        "payload": {"card": "${context.card}", "pin": "${context.pin}", "key": "${secret.HEADER}"},
        "headers": {"X-Secret": "${secret.HEADER}", "X-Pin": "${context.pin}"},
        "query": {"key": "${secret.KEY}", "pin": "${context.pin}"},
        "retry": quick,
    }
    oauth2 = {"tokenUrl": f"{url}/token", "clientId": "me", "clientSecret": "${secret.CLIENT}"}
    ways = {
        "bearer": {"bearer": "${secret.BEARER}"},
        "basic": {"basic": {"username": "me", "password": "${secret.PASSWORD}"}},
        "header": {"apiKey": {"header": "X-Key", "value": "${secret.KEY}"}},
        "query": {"apiKey": {"query": "api_key", "value": "${secret.KEY}"}},
        "oauth": {"oauth2": oauth2},
        "oauthbody": {"oauth2": {**oauth2, "clientAuth": "body"}},
        "signed": {"hmac": {"keyId": "k", "secret": "${secret.SIGNING}"}},
    }
    calls = {name: {"targetUrl": f"{url}/{name}", "auth": auth, **everything} for name, auth in ways.items()}
    undo = {"targetUrl": f"{url}/undo", "auth": ways["bearer"], "retry": quick}
    common: dict[str, Json] = {"input": {"type": "object", "properties": {"amount": {"type": "integer"}}}}
    common["sensitive"] = ["context.card", "context.pin"]
    good = {
        "type": "good",
        "steps": {**calls, "last": {"targetUrl": f"{url}/last", "waitFor": list(calls), "retry": quick}},
        "output": "${steps}",
    }
    undone = {name: {**call, "compensate": undo, "next": ["refused"]} for name, call in calls.items()}
    lost = {"targetUrl": f"{url}/drop", **everything, "retries": 1, "compensate": {**undo, "targetUrl": f"{url}/400"}}
    bad = {
        "type": "bad",
        "steps": {
            **undone,
            "plain": {"targetUrl": f"{url}/plain", **everything, "retries": 1, "optional": True, "next": ["refused"]},
            "lost": {**lost, "optional": True, "next": ["refused"], "compensate": {**lost["compensate"], "retries": 1}},
            "refused": {"targetUrl": f"{url}/402", **everything, "auth": ways["oauth"], "retries": 0},
        },
    }
    broken = {
        "type": "broken",
        "steps": {
            "host": {"targetUrl": "http://${secret.HEADER}.invalid/x", "retries": 0, "optional": True},
            "header": {"targetUrl": f"{url}/x", "headers": {"X-A": "${context.card}"}, "optional": True},
            "when": {"targetUrl": f"{url}/x", "when": "${context.pin}", "optional": True},
            "success": {"targetUrl": f"{url}/x", "success": "response.body.echo", "optional": True},
            "result": {"targetUrl": f"{url}/x", "result": "abs(response.body.body.card.number)", "optional": True},
            "token": {
                "targetUrl": f"{url}/x",
                "auth": {"oauth2": {**oauth2, "tokenUrl": f"{url}/401?key=${{secret.KEY}}"}},
                "retries": 0,
                "optional": True,
            },
        },
    }
    return {one["type"]: {**common, **one, "entry": f"/api/{one['type']}"} for one in (good, bad, broken)}


class Watched:
    """Everything that Redis is told, from now on."""

    def __init__(self, server: RedisServer) -> None:
        self.lines: list[str] = []
        self._client = redis.Redis.from_url(server.url)
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for command in self._monitor.listen():
                self.lines.append(str(command))
        except (redis.RedisError, ValueError, OSError, AttributeError):
            return

    def everything(self) -> str:
        """What was told, and what is kept; kombu's bodies, which are in Base64, in plain too."""
        told = "\n".join([*self.lines, *(f"{key!r} {self._value(key)}" for key in self._client.scan_iter())])
        bodies = re.findall(r"[A-Za-z0-9+/]{24,}={0,2}", told)
        return told + "\n".join(base64.b64decode(body + "===").decode(errors="replace") for body in bodies)

    def _value(self, key: bytes) -> Json:
        reads = {
            b"list": lambda: self._client.lrange(key, 0, -1),
            b"hash": lambda: self._client.hgetall(key),
            b"set": lambda: self._client.smembers(key),
            b"zset": lambda: self._client.zrange(key, 0, -1),
            b"string": lambda: self._client.get(key),
        }
        kind = self._client.type(key)
        return reads[kind]() if kind in reads else None


class Site(Installation):
    """An installation with web, a worker that tells Flower everything, and logs at DEBUG."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, echo: str) -> None:
        super().__init__(database_url, redis_url, folder)
        here = folder / "definitions"
        here.mkdir()
        for name, document in definitions(echo).items():
            (here / f"{name}.json").write_text(json.dumps(document))
        self.environment |= {
            "ORCHESTRATOR_DEFINITIONS": str(here),
            "ORCHESTRATOR_API_KEYS": API_KEY,
            "ORCHESTRATOR_ENCRYPTION_KEY": ENCRYPTION,
            "ORCHESTRATOR_WEBHOOK_SECRET": WEBHOOK,
            "ORCHESTRATOR_LOG_LEVEL": "DEBUG",
            "ORCHESTRATOR_NOTIFY": f"{echo}/notify?token={NOTIFIED}",
            **{f"ORCHESTRATOR_SECRET_{name}": value for name, value in SECRETS.items()},
        }
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes = [
            self._child("web", "-m", "orchestrator.cli", "web", "--port", str(self.port)),
            self._child("worker", "-m", "orchestrator.cli", "worker", "--", "-E", "-l", "DEBUG"),
        ]

    def _child(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                tethered([sys.executable, *command]), cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def close(self) -> None:
        """End everything."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)
        super().close()


@pytest.fixture
def site(database_url: str, redis_server: RedisServer, tmp_path: Path, echo: str) -> Iterator[Site]:
    """On each kind of database."""
    opened = Site(database_url, redis_server.url, tmp_path, echo)
    try:
        until(lambda: _answers(opened.url), 30, "the web to answer")
        yield opened
    finally:
        opened.close()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).ok
    except requests.RequestException:
        return False


def dumped(url: str, folder: Path) -> str:
    """Every value in the database, and for SQLite the bytes of its files too."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        with sqlite3.connect(path) as connection:
            rows = "\n".join(connection.iterdump())
        return rows + "".join(file.read_bytes().decode("latin-1") for file in path.parent.glob(f"{path.name}*"))
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        queries = [f'SELECT t::text FROM "{table}" t' for (table,) in tables]
        return "\n".join(str(row) for query in queries for row in connection.execute(query).fetchall())


def found(text: str, allowed: Sequence[str] = ()) -> list[str]:
    """The canaries in a text, however they are spelled, each with what stands around it."""
    hits = []
    for canary in CANARIES:
        plain = base64.b64encode(canary.encode()).decode().rstrip("=")
        pair = base64.b64encode(f"me:{canary}".encode()).decode()
        for form in {canary, quote(canary, safe=""), plain, pair}:
            hits += [text[max(0, at.start() - 80) : at.end() + 40] for at in re.finditer(re.escape(form), text)][:3]
    return [hit for hit in hits if not any(part in hit for part in allowed)]


def test_no_canary_is_found_where_it_must_not_be(
    site: Site, database_url: str, redis_server: RedisServer, tmp_path: Path, echo: str
) -> None:
    """A whole life of workflows, then every place is searched."""
    watched = Watched(redis_server)
    key = {"Authorization": f"Bearer {API_KEY}"}
    answers: list[str] = []

    def ask(method: str, path: str, media: str = "", **options: Json) -> Json:
        headers = key | ({"Content-Type": media} if media else {})
        answer = requests.request(method, site.url + path, headers=headers, timeout=30, **options)
        answers.append(f"{path} {answer.headers} {answer.text}")
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.text

    context = {"amount": 1, "card": CARD, "pin": PIN}
    ids = [ask("POST", f"/api/{name}", json=context)["workflowId"] for name in ("good", "bad", "broken")]
    told = {"type": "bad", "context": context, "webhookUrl": f"{echo}/hook"}
    ids.append(ask("POST", "/api/workflows", json=told)["workflowId"])
    ask("POST", "/api/good", json={**context, "amount": CARD["number"]})
    ask("POST", "/api/good", json={**context, "amount": 1, "x": "\ud800"})
    ask("POST", "/api/good", data=json.dumps(context)[:-1], media="application/json")
    for workflow in ids:
        until(
            lambda workflow=workflow: site.row(workflow)["status"] in ("completed", "failed"), 60, f"{workflow} to end"
        )
    statuses = [site.row(workflow)["status"] for workflow in ids]
    ids.append(ask("POST", f"/api/workflows/{ids[1]}/rerun")["workflowId"])
    until(lambda: site.row(ids[-1])["status"] == "failed", 60, "the copy to end")
    for called in ("/notify", "/hook"):
        until(lambda called=called: any(called in call for call in Echo.books), 30, called)
    for path in (
        "/api/workflows",
        "/api/webhooks/deliveries",
        "/api/statistics",
        "/api/schedules",
        "/api/definitions",
        "/api/openapi.json",
        "/readyz",
        "/metrics",
    ):
        ask("GET", path)
    for workflow in ids:
        for tail in ("", "?view=summary", "/events?limit=1000", "/why"):
            ask("GET", f"/api/workflows/{workflow}{tail}")
    with requests.Session() as browser:
        browser.post(f"{site.url}/login", data={"key": API_KEY}, timeout=30)
        for path in ("/", "/definitions", "/definitions/bad", "/workers", *(f"/workflows/{one}" for one in ids)):
            page = browser.get(site.url + path, timeout=30)
            assert page.status_code == 200, path
            answers.append(f"{path} {page.headers} {page.text}")
    site.close()
    site.processes, site.workers = [], []
    assert statuses == ["completed", "failed", "completed", "failed"]
    books = "\n".join(Echo.books)
    assert [
        canary for canary in (SECRETS["BEARER"], CARD["number"], PIN, TOKEN, SECRETS["KEY"]) if canary not in books
    ] == []
    logs = "\n".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.log"))
    assert "step.failed" in logs
    told = watched.everything()
    assert "task-failed" in told
    assert found(told) == []
    assert found(logs) == []
    assert found("\n".join(answers)) == []
    assert found(dumped(database_url, tmp_path)) == []
