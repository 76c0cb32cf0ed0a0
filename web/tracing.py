"""The trace that a start belongs to: the client's, and where traces are written a span of the request within it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from orchestrator.api_keys import Scope
from orchestrator.settings import Settings
from orchestrator.traces import begin
from orchestrator.tracing import accepted
from web.operations import needed

if TYPE_CHECKING:
    from orchestrator.spans import Spans


def register(app: Flask, settings: Settings) -> None:
    """Write a span for each request that starts workflows, if spans are wanted."""
    spans = begin(settings)
    if spans is None:
        return
    app.before_request(_opening(spans))
    app.after_request(_close)


def kept_trace() -> str | None:
    """What a workflow keeps that this request starts."""
    kept: str | None = g.get("trace")
    return kept or accepted(request.headers.get("traceparent"), request.headers.get("tracestate"))


def _opening(spans: "Spans") -> Callable[[], None]:
    from orchestrator.spans import kept_of

    def begin_span() -> None:
        if request.method != "POST" or needed(request.endpoint, request.method) is not Scope.START:
            return
        route = "" if request.url_rule is None else request.url_rule.rule
        attributes = {"http.request.method": "POST", "http.route": route}
        client = kept_trace()
        g.span = spans.request(f"POST {route}", client, attributes)
        g.trace = kept_of(g.span, client)

    return begin_span


def _close(response: Response) -> Response:
    span = g.pop("span", None)
    if span is not None:
        span.set_attribute("http.response.status_code", response.status_code)
        span.end()
    return response
