"""One trace a workflow, over real web and workers, as a collector gets it by OTLP."""

import gzip
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from orchestrator.cli.asking import answers
from orchestrator.jsontype import Json
from tests.servers import RedisServer, free_port
from tests.system.installation import ROOT, Installation, until
from tests.system.services import Reply, Services

CLIENT = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


class Collector:
    """Takes in spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    raw = gzip.decompress(raw)
                collector.take(ExportTraceServiceRequest.FromString(raw))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            self.services |= {
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def of(self, trace: str) -> dict[str, list[Span]]:
        """The spans of a trace by name, in the order of their beginnings."""
        found: dict[str, list[Span]] = {}
        for span in sorted(self.spans, key=lambda span: span.start_time_unix_nano):
            if span.trace_id.hex() == trace:
                found.setdefault(span.name, []).append(span)
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """The services that steps call."""
    with Services() as server:
        yield server


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the spans go."""
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory, redis_session: RedisServer, collector: Collector
) -> Iterator[tuple[str, Installation]]:
    """Web and a worker that write traces, by the standard variables alone."""
    folder: Path = tmp_path_factory.mktemp("traces")
    with redis_session.client() as client:
        client.flushall()
    installation = Installation(f"sqlite:///{folder / 'ledger.sqlite3'}", redis_session.url, folder)
    installation.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_SERVICE_NAME": "shop",
    }
    port = free_port()
    with (folder / "web.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", "web", "--port", str(port)],
            cwd=ROOT,
            env=installation.environment,
            stdout=log,
            stderr=log,
        )
    try:
        installation.add_worker()
        until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), 30, "the web server")
        yield f"http://127.0.0.1:{port}", installation
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        installation.close()


def run(web: tuple[str, Installation], services: Services, headers: dict[str, str]) -> str:
    """A workflow of two steps, the first undone where the second fails; its id, once it has ended."""
    url, installation = web
    steps: Json = {
        "pay": {
            "targetUrl": f"{services.url}/pay",
            "next": ["ship"],
            "compensate": {"targetUrl": f"{services.url}/undo"},
        },
        "ship": {"targetUrl": f"{services.url}/ship", "retries": 1, "retry": {"delay": 0.2, "jitter": "none"}},
    }
    body = {"definition": {"type": "traced", "steps": steps}, "context": {"card": "4242"}}
    answer = requests.post(f"{url}/api/workflows", json=body, headers=headers, timeout=10)
    assert answer.status_code == 202
    workflow_id = str(answer.json()["workflowId"])
    installation.wait(workflow_id)
    return workflow_id


def test_one_trace_leads_from_the_clients_request_to_each_call(
    web: tuple[str, Installation], services: Services, collector: Collector
) -> None:
    """Client → web → workflow → steps → attempts → services; the retry, its wait and the undoing can be seen."""
    services.reset()
    services.answer(ship=[Reply(503), Reply(402)])
    trace, parent = CLIENT
    run(web, services, {"traceparent": f"00-{trace}-{parent}-01", "tracestate": "congo=t61rcWkgMzE"})
    until(lambda: "workflow traced" in collector.of(trace), 15, "the spans to arrive")
    spans = collector.of(trace)
    assert set(collector.services) == {"shop"}
    [request], [whole] = spans["POST /api/workflows"], spans["workflow traced"]
    assert request.parent_span_id.hex() == parent
    assert whole.parent_span_id == request.span_id
    assert whole.status.code == Status.STATUS_CODE_ERROR
    for name, outcomes in (("pay", ["completed"]), ("ship", ["retrying", "failed"]), ("pay:undo", ["completed"])):
        [step] = spans[f"step {name}"]
        assert step.parent_span_id == whole.span_id
        calls = spans[f"call {name}"]
        assert [said(call, "orchestrator.outcome") for call in calls] == outcomes
        assert {call.parent_span_id for call in calls} == {step.span_id}
        assert step.start_time_unix_nano <= calls[0].start_time_unix_nano
        assert step.end_time_unix_nano >= calls[-1].end_time_unix_nano - 2_000_000
    [parked] = spans["parked ship"]
    assert (parked.end_time_unix_nano - parked.start_time_unix_nano) / 1e9 == pytest.approx(0.2, abs=0.01)
    # Each service was told the very span of its call.
    told = [call.headers["traceparent"].split("-") for call in services.books]
    calls = [call for name in ("pay", "ship", "pay:undo") for call in spans[f"call {name}"]]
    assert [(one[1], one[2]) for one in told] == [(trace, call.span_id.hex()) for call in calls]
    assert {call.headers["tracestate"] for call in services.books} == {"congo=t61rcWkgMzE"}
    assert "4242" not in str(collector.spans)


def test_a_client_that_does_not_sample_gets_no_spans(
    web: tuple[str, Installation], services: Services, collector: Collector
) -> None:
    """And the services are told so."""
    services.reset()
    unsampled, trace = "1af7651916cd43dd8448eb211c80319c", "2af7651916cd43dd8448eb211c80319c"
    run(web, services, {"traceparent": f"00-{unsampled}-{CLIENT[1]}-00"})
    assert {call.headers["traceparent"][-2:] for call in services.books} == {"00"}
    run(web, services, {"traceparent": f"00-{trace}-{CLIENT[1]}-01"})
    until(lambda: "workflow traced" in collector.of(trace), 15, "the spans of the next one")
    assert collector.of(unsampled) == {}


def test_without_a_client_the_trace_begins_at_the_web(
    web: tuple[str, Installation], services: Services, collector: Collector
) -> None:
    """A wrong header is no client."""
    services.reset()
    run(web, services, {"traceparent": f"00-{'0' * 32}-{CLIENT[1]}-01"})
    trace = services.books[0].headers["traceparent"].split("-")[1]
    until(lambda: "workflow traced" in collector.of(trace), 15, "the spans to arrive")
    [request] = collector.of(trace)["POST /api/workflows"]
    assert request.parent_span_id == b""


def test_several_headers_are_one_tracestate_and_no_traceparent(
    web: tuple[str, Installation], services: Services
) -> None:
    """As the real server hands them on; the names of headers are in any case."""
    url, installation = web
    body = json.dumps(
        {"definition": {"type": "traced", "steps": {"only": {"targetUrl": f"{services.url}/only"}}}, "context": {}}
    )
    for parents, states, carried in (
        ([CLIENT], ["foo=1", "", "bar=2"], "foo=1,bar=2"),
        ([CLIENT, CLIENT], ["foo=1"], None),
    ):
        services.reset()
        connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
        connection.putrequest("POST", "/api/workflows")
        for trace, parent in parents:
            connection.putheader("TraceParent", f"00-{trace}-{parent}-01")
        for state in states:
            connection.putheader("tracestate", state)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode())
        installation.wait(json.loads(connection.getresponse().read())["workflowId"])
        connection.close()
        [call] = services.books
        assert call.headers.get("tracestate") == carried
        assert (call.headers["traceparent"].split("-")[1] == CLIENT[0]) is (carried is not None)


def said(span: Span, name: str) -> str:
    """An attribute of a span."""
    return next(one.value.string_value for one in span.attributes if one.key == name)
