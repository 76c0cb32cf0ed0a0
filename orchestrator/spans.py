"""A workflow's spans, written when they end: the one module that knows OpenTelemetry (the extra `otel`).

The trace of a workflow: the client's request → the web's span → the workflow → its steps → their attempts, each with
the id that the called service was told, and the time for which a step was parked. A workflow outlives every process,
so no span is held open: it is written by whoever commits the change that ends it, with the times of the ledger.

Exporters, sampling, resource and limits are what the SDK reads in its own OTEL_… variables.
"""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from opentelemetry.trace.span import format_span_id, format_trace_id
from opentelemetry.util.types import AttributeValue

from orchestrator import meters
from orchestrator.jsontype import Json
from orchestrator.meters import STEP_ENDS, WORKFLOW_ENDS, ends_attempt
from orchestrator.states import WorkflowStatus
from orchestrator.tracing import Trace, attempt_span, span_id, trace_of
from orchestrator.workflow import Event, StepState, Workflow

_EXPORTERS = "opentelemetry_traces_exporter"
"""The entry points under which exporters are installed."""


class _Ids(RandomIdGenerator):
    """Ids that a thread asks for, once; random ones else."""

    def __init__(self) -> None:
        self.wanted = threading.local()

    def generate_span_id(self) -> int:
        found: str | None = self.wanted.__dict__.pop("span", None)
        return super().generate_span_id() if found is None else int(found, 16)

    def generate_trace_id(self) -> int:
        found: str | None = self.wanted.__dict__.pop("trace", None)
        return super().generate_trace_id() if found is None else int(found, 16)


class Spans:
    """Writes spans; safe to call from any thread. Told by `orchestrator.meters`."""

    def __init__(self, exporters: Sequence[str]) -> None:
        self._ids = _Ids()
        self.provider = TracerProvider(id_generator=self._ids, resource=_resource())
        for name in exporters:
            [found] = entry_points(group=_EXPORTERS, name=name)
            self.provider.add_span_processor(BatchSpanProcessor(found.load()()))
        self._tracer = self.provider.get_tracer("celery-orchestrator")

    def moved(self, workflow: Workflow) -> None:
        """Write the spans that these changes end."""
        trace = trace_of(workflow.head.traceparent, workflow.head.id)
        if not (trace.sampled and self._wanted(trace)):
            return
        for event in workflow.events:
            if event.step is not None:
                if (step := workflow.find(event.step)) is not None:
                    _Of(self, workflow, trace, step).ended(event)
            elif event.type in WORKFLOW_ENDS:
                self._workflow(workflow, trace)

    def started(self, workflow_type: str) -> None:
        """Nothing has ended yet."""

    def batch(self, moves: int, seconds: float) -> None:
        """No span."""

    def round(self, rows: int, seconds: float) -> None:
        """No span."""

    def connections(self, change: int) -> None:
        """No span."""

    def request(self, name: str, kept: str | None, attributes: Mapping[str, AttributeValue]) -> Span:
        """The span of a client's request, begun; `kept` is the trace that the client sent."""
        context = Context() if kept is None else _within(trace_of(kept, ""), None)
        return self._tracer.start_span(name, context, SpanKind.SERVER, attributes=attributes)

    def write(
        self,
        name: str,
        trace: Trace,
        *,
        identity: str | None,
        parent: str | None,
        times: tuple[float, float],
        attributes: Mapping[str, AttributeValue],
        kind: SpanKind = SpanKind.INTERNAL,
        failed: bool = False,
    ) -> None:
        """Write one span. `identity` and `parent` are span ids; `times` its begin and end in seconds since 1970."""
        self._ids.wanted.__dict__.update({"trace": trace.id} | ({} if identity is None else {"span": identity}))
        context = Context() if parent is None else _within(trace, parent)
        span = self._tracer.start_span(name, context, kind, attributes=attributes, start_time=_nanoseconds(times[0]))
        self._ids.wanted.__dict__.clear()
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanoseconds(max(times)))

    def _workflow(self, workflow: Workflow, trace: Trace) -> None:
        head = workflow.head
        self.write(
            f"workflow {head.type}",
            trace,
            # Its second end, after a `retry` by a person, is another span.
            identity=None if head.replanned else span_id(head.id, ""),
            parent=trace.parent,
            times=(head.created_at, head.completed_at or head.created_at),
            attributes={
                **_of_workflow(workflow),
                "orchestrator.status": head.status.value,
                "orchestrator.compensation": head.compensation.value,
                "orchestrator.definition_version": head.version,
            },
            failed=head.status is WorkflowStatus.FAILED,
        )

    def _wanted(self, trace: Trace) -> bool:
        """A trace that began here is sampled as the SDK's variables say: by its id, the same in every process."""
        if trace.parent is not None:
            return True
        decided = self.provider.sampler.should_sample(Context(), int(trace.id, 16), "workflow")
        return decided.decision is not Decision.DROP


class _Of:
    """The spans of one step."""

    def __init__(self, spans: Spans, workflow: Workflow, trace: Trace, step: StepState) -> None:
        self._spans = spans
        self._workflow = workflow
        self._trace = trace
        self._step = step
        again = f"#{step.key_round}" if step.key_round else ""
        self._id = span_id(workflow.head.id, step.name + again)
        self._about = {**_of_workflow(workflow), "orchestrator.step": step.name}

    def ended(self, event: Event) -> None:
        """Write what this event ends: an attempt, a wait, the step."""
        began = self._step.attempt_at
        if began is not None and event.type == "step.waiting":
            self._accepted(event, began)
        elif began is not None and event.type != "step.late" and ends_attempt(event):
            self._attempt(event, began)
        if event.type in STEP_ENDS and self._step.started_at is not None and self._step.completed_at is not None:
            self._whole(self._step.started_at, self._step.completed_at, event)

    def _accepted(self, event: Event, began: float) -> None:
        """The call itself of an attempt that goes on without a worker: the rest of its span is the wait."""
        attempt = span_id(self._workflow.head.id, attempt_span(self._step.name, self._step.attempts))
        self._spans.write(
            f"accepted {self._step.name}",
            self._trace,
            identity=None,
            parent=attempt,
            times=(began, began + event.details.get("durationMs", 0) / 1000),
            attributes={**self._about, "orchestrator.waiting_for": str(event.details.get("waitingFor"))},
        )

    def _attempt(self, event: Event, began: float) -> None:
        details, step = event.details, self._step
        took = details.get("durationMs")
        until = time.time() if took is None else began + took / 1000
        queued = began - (step.sent_at if step.sent_at is not None else began)
        attributes: dict[str, AttributeValue] = {
            **self._about,
            **_of_call(details),
            "orchestrator.attempt": step.attempts,
            "orchestrator.outcome": event.type.removeprefix("step."),
            "orchestrator.queued_ms": round(max(0.0, queued) * 1000),
        }
        identity = span_id(self._workflow.head.id, attempt_span(step.name, step.attempts))
        failed, kind = event.type != "step.completed", SpanKind.CLIENT
        about = f"call {step.name}"
        self._write(about, identity, (began, until), attributes, kind=kind, failed=failed)
        if event.type == "step.retrying":
            # To its end as it is planned: it is written now, for nobody may know later when it began.
            parked = (until, until + details.get("delayMs", 0) / 1000)
            self._write(f"parked {step.name}", None, parked, {**self._about, "orchestrator.waiting_for": "retry"})

    def _whole(self, began: float, until: float, event: Event) -> None:
        step = self._step
        attributes: dict[str, AttributeValue] = {
            **self._about,
            "orchestrator.status": step.status.value,
            "orchestrator.attempts": step.attempts,
            "orchestrator.effect": step.effect.value,
            "orchestrator.tolerated": step.tolerated,
            **_error(event.details),
        }
        failed, parent = event.type == "step.failed", span_id(self._workflow.head.id, "")
        name = f"step {step.name}"
        self._spans.write(
            name,
            self._trace,
            identity=self._id,
            parent=parent,
            times=(began, until),
            attributes=attributes,
            failed=failed,
        )

    def _write(
        self,
        name: str,
        identity: str | None,
        times: tuple[float, float],
        attributes: Mapping[str, AttributeValue],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        failed: bool = False,
    ) -> None:
        self._spans.write(
            name,
            self._trace,
            identity=identity,
            parent=self._id,
            times=times,
            attributes=attributes,
            kind=kind,
            failed=failed,
        )


def kept_of(span: Span, client: str | None) -> str:
    """The trace as a workflow keeps it that is started within this span; `client` is the one that the client sent."""
    context = span.get_span_context()
    parent = f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-{int(context.trace_flags):02x}"
    return f"{parent} {trace_of(client, '').state}".rstrip()


_begun: dict[int, Spans] = {}
_beginning = threading.Lock()


def begin(exporters: Sequence[str]) -> Spans:
    """Write the spans of what happens in this process from now on; a second call gives what the first one began."""
    with _beginning:
        found = _begun.get(os.getpid())
        if found is None:
            for earlier in _begun.values():
                meters.unlisten(earlier)  # of the process that this one was forked from
            _begun.clear()
            found = _begun[os.getpid()] = Spans(exporters)
            meters.listen(found)
        return found


def _resource() -> Resource:
    """What the environment says, and a name where it says none."""
    given = Resource.create()
    named = not str(given.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return given if named else given.merge(Resource({SERVICE_NAME: "celery-orchestrator"}))


def _within(trace: Trace, parent: str | None) -> Context:
    state = TraceState.from_header([trace.state]) if trace.state else None
    identity = int(parent or trace.parent or "0", 16)
    context = SpanContext(int(trace.id, 16), identity, True, TraceFlags(int(trace.flags, 16)), state)
    return otel.set_span_in_context(NonRecordingSpan(context), Context())


def _of_workflow(workflow: Workflow) -> dict[str, AttributeValue]:
    return {"orchestrator.workflow.id": workflow.head.id, "orchestrator.workflow.type": workflow.head.type}


def _of_call(details: Mapping[str, Json]) -> dict[str, AttributeValue]:
    """What the audit log shows of the call: no body, and nothing secret."""
    found: dict[str, AttributeValue] = dict(_error(details))
    for name, key in (("http.request.method", "method"), ("url.full", "url"), ("http.response.status_code", "status")):
        if isinstance(details.get(key), str | int):
            found[name] = details[key]
    return found


def _error(details: Mapping[str, Json]) -> dict[str, AttributeValue]:
    error = details.get("error")
    if not isinstance(error, Mapping):
        return {}
    found: dict[str, AttributeValue] = {"error.type": str(error.get("kind"))}
    if isinstance(error.get("status"), int):
        found["http.response.status_code"] = error["status"]
    return found


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000_000)
