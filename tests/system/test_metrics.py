"""Real web, workers, PostgreSQL, Redis: they show what the ledger holds, and what dashboard and alerts ask for."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import promql_parser
import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from orchestrator.cli.asking import answers
from orchestrator.jsontype import Json
from orchestrator.ledger.tables import events
from tests.servers import Databases, RedisServer, free_port
from tests.system.installation import ROOT, Installation, until
from tests.system.services import Reply, Services

KEY, WRONG = "a-key-that-is-long-enough-for-a-test", "another-key-that-may-not-read:start"
PROMETHEUS = shutil.which("prometheus")
Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Stage:
    """A running installation, and where its processes show their metrics."""

    installation: Installation
    web: str
    worker: str
    prefork: str

    def scrape(self, *urls: str) -> dict[Series, float]:
        """The series of these processes, added up; those of the ledger come from the web only."""
        found: Counter[Series] = Counter()
        for url in urls or (self.web, self.worker, self.prefork):
            answer = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
            assert answer.status_code == 200, answer.text
            for family in text_string_to_metric_families(answer.text):
                for each in family.samples:
                    found[each.name, frozenset(each.labels.items())] += each.value
        return dict(found)

    def events(self) -> Counter[str]:
        """How many events of each type the audit log holds."""
        with self.installation.database.reading() as connection:
            counted = connection.execute(select(events.c.type, func.count()).group_by(events.c.type))
            return Counter({row[0]: row[1] for row in counted})


def of(series: Mapping[Series, float], name: str, **labels: str) -> float:
    """The sum of the series of this name with these labels."""
    wanted = set(labels.items())
    return sum(value for (each, has), value in series.items() if each == f"orchestrator_{name}" and wanted <= has)


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """The services that steps call."""
    with Services() as server:
        yield server


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, redis_session: RedisServer, databases: Databases, services: Services
) -> Iterator[Stage]:
    """A web server of several processes, a worker of threads and one with a prefork pool."""
    folder, url = tmp_path_factory.mktemp("metrics"), databases.create()
    with redis_session.client() as client:
        client.flushall()
    installation = Installation(url, redis_session.url, folder)
    ports = [free_port() for _ in range(3)]
    installation.environment |= {
        "ORCHESTRATOR_DEFINITIONS": str(_definitions(folder, services.url)),
        "ORCHESTRATOR_API_KEYS": f"{KEY},{WRONG}",
        "ORCHESTRATOR_METRICS_PORT": str(ports[1]),
    }
    web = _run(installation, ["-m", "orchestrator.cli", "web", "--port", str(ports[0])])
    others = [web]
    try:
        installation.add_worker()
        installation.environment["ORCHESTRATOR_METRICS_PORT"] = str(ports[2])
        others.append(_run(installation, ["-m", "celery", "-A", "tasks", "worker", "-P", "prefork", "-c", "2"]))
        until(lambda: answers(f"http://127.0.0.1:{ports[0]}/healthz"), 30, "the web server")
        until(lambda: _listens(ports[2]), 30, "the prefork worker")
        yield Stage(installation, *(f"http://127.0.0.1:{port}" for port in ports))
    finally:
        for process in others:
            process.send_signal(signal.SIGTERM)
        for process in others:
            process.wait(30)
        installation.close()
        databases.drop(url)


@pytest.fixture(scope="module")
def ran(stage: Stage, services: Services) -> dict[Series, float]:
    """What was scraped after a dozen orders: completed, retried, failed and undone, failed and not undone."""
    undoable = {"pay": {"orderId": "o"}}
    for body, replies in (
        ({"as": "it should"}, {}),
        ({"as": "retried"}, {"ship": [Reply(503), Reply(200)]}),
        ({"as": "undone"}, {"ship": Reply(402)}),
        ({"as": "not undone"}, {"ship": Reply(402), "refund": Reply(400)}),
    ):
        services.answer(**replies)
        _wait(stage, [_start(stage, "/api/order", {**body, **undoable, "n": number}) for number in range(3)])
    services.reset()
    inline = {"type": "mine", "steps": {"only": {"targetUrl": f"{services.url}/only"}}}
    _wait(stage, [_start(stage, "/api/workflows", {"definition": inline, "context": {}})])
    until(lambda: of(stage.scrape(), "workflows_ended_total") == 13, 15, "all to be counted")
    return stage.scrape()


def test_counts_are_those_of_the_ledger(stage: Stage, ran: dict[Series, float]) -> None:
    """Every event of the audit log was counted once, wherever it happened: web, threads, forked children."""
    logged = stage.events()
    assert of(ran, "workflows_started_total") == logged["workflow.started"] == 13
    assert of(ran, "workflows_ended_total", type="order", status="completed") == 6
    assert of(ran, "workflows_ended_total", type="order", status="failed", compensation="completed") == 3
    assert of(ran, "workflows_ended_total", type="order", status="failed", compensation="failed") == 3
    assert of(ran, "workflow_seconds_count") == 13
    for status in ("completed", "failed", "skipped"):
        assert of(ran, "steps_ended_total", status=status) == logged[f"step.{status}"], status
    for outcome in ("completed", "retrying", "failed"):
        assert of(ran, "attempts_total", outcome=outcome) == logged[f"step.{outcome}"], outcome
    assert of(ran, "attempts_total", type="order", step="ship", outcome="retrying") == 3
    assert of(ran, "attempts_total", type="order", step="pay:undo", outcome="failed") == 3
    assert of(ran, "attempt_seconds_count") == logged["step.started"]
    assert of(ran, "workflows_started_total", type="other") == of(ran, "steps_ended_total", type="other") == 1
    # Each step's first claim.
    assert of(ran, "hop_seconds_count") == logged["step.started"] - logged["step.retrying"]


def test_gauges_say_how_the_ledger_and_the_queue_stand(stage: Stage, ran: dict[Series, float]) -> None:
    """Nothing is under way any more, and three need a person."""
    until(lambda: of(stage.scrape(stage.web), "workflows_needing_person") == 3, 15, "the gauges to be asked anew")
    shown = stage.scrape(stage.web)
    assert (of(shown, "ledger_up"), of(shown, "broker_up")) == (1, 1)
    assert of(shown, "workflows") == of(shown, "steps_open") == of(shown, "steps_parked") == 0
    assert of(shown, "workers_alive") >= 2
    assert of(shown, "queue_messages") == of(shown, "queue_oldest_seconds") == 0


def test_both_workers_and_their_children_counted(stage: Stage, ran: dict[Series, float]) -> None:
    """Transactions of the clerk, rounds of the reconciler; the children of a prefork pool through its parent."""
    for url in (stage.worker, stage.prefork):
        shown = stage.scrape(url)
        assert of(shown, "reconciler_round_seconds_count") > 0
        assert of(shown, "clerk_batch_moves_sum") >= of(shown, "clerk_transaction_seconds_count") > 0
        assert of(shown, "database_connections_in_use") >= 0


def test_without_a_key_that_may_read_nothing_is_shown(stage: Stage) -> None:
    """As the API."""
    for url in (stage.web, stage.worker):
        assert requests.get(f"{url}/metrics", timeout=10).status_code == 401
        few = {"Authorization": f"Bearer {WRONG.split(':')[0]}"}
        assert requests.get(f"{url}/metrics", headers=few, timeout=10).status_code == 403


def test_labels_are_words_and_never_ids(ran: dict[Series, float]) -> None:
    """A new label would have to be named here, with the reason why its values are few."""
    labels = {label for _, has in ran for label, _ in has}
    few = {"type", "step", "status", "outcome", "compensation", "waiting_for", "state", "le"}
    assert labels <= few
    assert {value for _, has in ran for label, value in has if label == "step"} == {"pay", "ship", "pay:undo", "other"}


def test_the_dashboard_and_the_alerts_ask_for_what_there_is(ran: dict[Series, float]) -> None:
    """Every metric and every label in them is one that a real installation shows, and all of it is PromQL."""
    known: dict[str, set[str]] = {}
    for name, has in ran:
        known.setdefault(name, {"instance", "job"}).update(label for label, _ in has)
    queries = [*_of_dashboard(), *_of_alerts()]
    assert len(queries) > 30
    asked = set()
    for query in queries:
        used: list[tuple[str, set[str]]] = []
        _walk(promql_parser.parse(query), frozenset(), used)
        for name, labels in used:
            assert name in known, f"{name} is shown by nobody: {query}"
            assert labels <= known[name], f"{name} has no {labels - known[name]}: {query}"
            asked.add(name)
    for family in ("attempts_total", "steps_parked", "queue_oldest_seconds", "hop_seconds_bucket"):
        assert f"orchestrator_{family}" in asked


@pytest.mark.skipif(PROMETHEUS is None, reason="no Prometheus here (Debian's package prometheus)")
def test_a_real_prometheus_scrapes_all_and_answers_what_dashboard_and_alerts_ask(
    stage: Stage, ran: dict[Series, float], tmp_path: Path
) -> None:
    """Every rule evaluates, every panel has something to show, the counts are ours, nothing alerts but what should."""
    with _prometheus(stage, tmp_path) as ask:
        until(lambda: len(ask("query", query="up == 1")["result"]) == 3, 30, "all three to be scraped")
        until(lambda: _shown(ask, "sum(orchestrator_workflows_ended_total)") == 13, 30, "the counts")
        until(lambda: all(rule["lastEvaluation"][:4] != "0001" for rule in _rules(ask)), 30, "the rules' evaluation")
        assert [(rule["name"], rule["lastError"]) for rule in _rules(ask) if rule["health"] != "ok"] == []
        assert len(_rules(ask)) == len(_of_alerts())
        with contextlib.suppress(AssertionError):
            until(lambda: _unanswered(ask) == [], 20, "every panel to show something: a rate needs two scrapes")
        assert _unanswered(ask) == []
        assert _shown(ask, "max(orchestrator_workflows_needing_person)") == 3
        firing = {alert["labels"]["alertname"] for alert in ask("alerts")["alerts"] if alert["state"] == "firing"}
        assert firing <= {"OrchestratorNeedsPerson"}


@contextlib.contextmanager
def _prometheus(stage: Stage, folder: Path) -> Iterator[Callable[..., Json]]:
    """A server of its own that scrapes every second; what asks its API."""
    targets = [url.removeprefix("http://") for url in (stage.web, stage.worker, stage.prefork)]
    job = {"job_name": "orchestrator", "authorization": {"credentials": KEY}, "static_configs": [{"targets": targets}]}
    rules = str(ROOT / "docs/prometheus/alerts.yml")
    whole = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(whole | {"rule_files": [rules]}))
    port = free_port()
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            [str(PROMETHEUS), *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )

    def ask(what: str, **query: str) -> Json:
        answer = requests.get(f"http://127.0.0.1:{port}/api/v1/{what}", params=query, timeout=10)
        assert answer.status_code == 200, f"{query}: {answer.text}"
        return answer.json()["data"]

    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), 30, "Prometheus")
        yield ask
    finally:
        server.terminate()
        server.wait(20)


def _rules(ask: Callable[..., Json]) -> list[dict[str, Json]]:
    return [rule for group in ask("rules")["groups"] for rule in group["rules"]]


def _unanswered(ask: Callable[..., Json]) -> list[str]:
    return [query for query in _of_dashboard() if not ask("query", query=query)["result"]]


def _shown(ask: Callable[..., Json], query: str) -> float:
    found = ask("query", query=query)["result"]
    return float(found[0]["value"][1]) if found else 0.0


def _of_dashboard() -> list[str]:
    board = json.loads((ROOT / "docs/grafana/orchestrator.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return [each.replace("$__rate_interval", "5m").replace("$type", ".*") for each in found]


def _of_alerts() -> list[str]:
    rules = yaml.safe_load((ROOT / "docs/prometheus/alerts.yml").read_text())
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def _walk(node: promql_parser.Expr, by: frozenset[str], used: list[tuple[str, set[str]]]) -> None:
    """Each selector below, with the labels that it or what is made of it asks for."""
    match node:
        case promql_parser.VectorSelector():
            used.append((str(node.name), {matcher.name for matcher in node.matchers.matchers} | by))
        case promql_parser.MatrixSelector():
            _walk(node.vector_selector, by, used)
        case promql_parser.AggregateExpr():
            _walk(node.expr, frozenset(node.modifier.labels) if node.modifier else frozenset(), used)
        case promql_parser.Call():
            inner = by | {"le"} if node.func.name == "histogram_quantile" else by
            for argument in node.args:
                _walk(argument, inner, used)
        case promql_parser.BinaryExpr():
            _walk(node.lhs, by, used)
            _walk(node.rhs, by, used)
        case promql_parser.SubqueryExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            _walk(node.expr, by, used)
        case _:
            assert isinstance(node, promql_parser.NumberLiteral | promql_parser.StringLiteral), node


def _definitions(folder: Path, url: str) -> Path:
    made = folder / "definitions"
    made.mkdir()
    steps = {
        "pay": {
            "targetUrl": f"{url}/pay",
            "next": ["ship"],
            "compensate": {"targetUrl": f"{url}/refund", "retries": 0},
        },
        "ship": {"targetUrl": f"{url}/ship", "retry": {"delay": 0.1}},
    }
    (made / "order.json").write_text(json.dumps({"type": "order", "entry": "/api/order", "steps": steps}))
    return made


def _start(stage: Stage, path: str, body: Json) -> str:
    answer = requests.post(stage.web + path, json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["workflowId"])


def _wait(stage: Stage, ids: list[str]) -> None:
    for each in ids:
        stage.installation.wait(each)


def _listens(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 401
    except requests.ConnectionError:
        return False


def _run(installation: Installation, command: list[str]) -> subprocess.Popen[bytes]:
    with (installation.folder / f"worker-{command[2]}-{os.getpid()}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=installation.environment, stdout=log, stderr=log
        )
