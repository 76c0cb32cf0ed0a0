"""W3C Trace Context, by the cases of the standard's test harness (https://github.com/w3c/trace-context/tree/main/test)."""

import subprocess
import sys

import pytest

from orchestrator.settings import Settings
from orchestrator.tracing import accepted, attempt_span, headers_of, trace_of

ID, SPAN = "12345678901234567890123456789012", "1234567890123456"
GOOD = f"00-{ID}-{SPAN}-01"


def sent_on(traceparent: str | None, *tracestates: str) -> dict[str, str]:
    """What the first call of a workflow carries whose start carried this; several headers are joined by commas."""
    return headers_of(accepted(traceparent, ",".join(tracestates)), "workflow", attempt_span("pay", 1))


@pytest.mark.parametrize(
    "given",
    [
        GOOD,
        f"  \t{GOOD}\t ",  # test_traceparent_ows_handling
        f"cc-{ID}-{SPAN}-01",  # test_traceparent_version_0xcc
        f"cc-{ID}-{SPAN}-01-what-the-future-will-be-like",
        f"00-{ID}-{SPAN}-ff",  # flags that nobody knows yet
    ],
)
def test_a_right_traceparent_goes_on_in_its_trace(given: str) -> None:
    """The same trace, a span of ours, version 00, and no flags that we do not know."""
    version, trace, span, flags = sent_on(given)["traceparent"].split("-")
    assert (version, trace) == ("00", ID)
    assert span != SPAN
    assert int(flags, 16) & 1
    assert int(flags, 16) <= 3


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        f"{GOOD},{GOOD}",  # test_traceparent_duplicated: two headers, which WSGI joins
        f"00-{ID}-{SPAN}-01.",  # test_traceparent_version_0x00
        f"00-{ID}-{SPAN}-01-what-the-future-will-be-like",
        f"cc-{ID}-{SPAN}-01.what-the-future-will-be-like",  # test_traceparent_version_0xcc
        f"ff-{ID}-{SPAN}-01",  # test_traceparent_version_0xff
        f".0-{ID}-{SPAN}-01",  # test_traceparent_version_illegal_characters
        f"0.-{ID}-{SPAN}-01",
        f"000-{ID}-{SPAN}-01",  # test_traceparent_version_too_long
        f"0000-{ID}-{SPAN}-01",
        f"0-{ID}-{SPAN}-01",  # test_traceparent_version_too_short
        f"00-{'0' * 32}-{SPAN}-01",  # test_traceparent_trace_id_all_zero
        f"00-.{ID[1:]}-{SPAN}-01",  # test_traceparent_trace_id_illegal_characters
        f"00-{ID[:-1]}.-{SPAN}-01",
        f"00-{'A' * 32}-{SPAN}-01",
        f"00-{ID}3-{SPAN}-01",  # test_traceparent_trace_id_too_long
        f"00-{ID[:-1]}-{SPAN}-01",  # test_traceparent_trace_id_too_short
        f"00-{ID}-{'0' * 16}-01",  # test_traceparent_parent_id_all_zero
        f"00-{ID}-.{SPAN[1:]}-01",  # test_traceparent_parent_id_illegal_characters
        f"00-{ID}-{'ABCDEF0123456789'}-01",
        f"00-{ID}-{SPAN}7-01",  # test_traceparent_parent_id_too_long
        f"00-{ID}-{SPAN[:-1]}-01",  # test_traceparent_parent_id_too_short
        f"00-{ID}-{SPAN}-.0",  # test_traceparent_trace_flags_illegal_characters
        f"00-{ID}-{SPAN}-0.",
        f"00-{ID}-{SPAN}-001",  # test_traceparent_trace_flags_too_long
        f"00-{ID}-{SPAN}-1",  # test_traceparent_trace_flags_too_short
        f"00-{ID}-{SPAN}-01\n",
        f"00-{ID}-{SPAN}-٠١",
    ],
)
def test_a_wrong_traceparent_begins_another_trace_and_drops_the_tracestate(given: str | None) -> None:
    """test_tracestate_included_traceparent_missing, and each way of being wrong."""
    carried = sent_on(given, "foo=1")
    assert ID not in carried["traceparent"]
    assert trace_of(carried["traceparent"], "").sampled
    assert "tracestate" not in carried


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["foo=1,bar=2"], "foo=1,bar=2"),  # test_tracestate_included_traceparent_included
        (["foo=1,bar=2", "rojo=1,congo=2"], "foo=1,bar=2,rojo=1,congo=2"),  # …_multiple_headers_different_keys
        (["foo=1", "", "bar=2"], "foo=1,bar=2"),  # test_tracestate_empty_header
        (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),  # test_tracestate_ows_handling
        (["foo=1,"], "foo=1"),
        (["foo= 1"], "foo= 1"),
        (["z" * 256 + "=1"], "z" * 256 + "=1"),  # test_tracestate_key_length_limit
        (["t" * 241 + "@" + "v" * 14 + "=1"], "t" * 241 + "@" + "v" * 14 + "=1"),
        (["0a*/-_@v=!#$%&'()*+-./:;<>?@[\\]^_`{|}~ x"], "0a*/-_@v=!#$%&'()*+-./:;<>?@[\\]^_`{|}~ x"),
        ([",".join(f"b{n:02}=1" for n in range(32))], ",".join(f"b{n:02}=1" for n in range(32))),
    ],
)
def test_a_right_tracestate_is_kept_as_it_is(given: list[str], kept: str) -> None:
    """In its order."""
    assert sent_on(GOOD, *given)["tracestate"] == kept


@pytest.mark.parametrize(
    "given",
    [
        "foo",
        "foo=",
        "=1",
        "foo =1",  # test_tracestate_key_illegal_characters
        "FOO=1",
        "foo.bar=1",
        "foo@=1,bar=2",  # test_tracestate_key_illegal_vendor_format
        "@foo=1,bar=2",
        "foo@@bar=1,bar=2",
        "foo@bar@baz=1,bar=2",
        "z" * 257 + "=1",  # test_tracestate_key_length_limit
        "t" * 242 + "@v=1",
        "t@" + "v" * 15 + "=1",
        "foo=bar=baz",  # test_tracestate_value_illegal_characters
        "foo=\x7f",
        "foo=ü",
        "foo=" + "x" * 257,
        ",".join(f"b{n:02}=1" for n in range(33)),  # test_tracestate_member_count_limit
    ],
)
def test_a_wrong_tracestate_is_dropped_and_the_trace_goes_on(given: str) -> None:
    """All of it: nobody knows what the rest means."""
    carried = sent_on(GOOD, given)
    assert ID in carried["traceparent"]
    assert "tracestate" not in carried


def test_of_a_long_tracestate_large_members_are_left_out_first() -> None:
    """512 characters are carried on, as every party should."""
    small, large = [f"k{n}={'v' * 90}" for n in range(6)], f"big={'x' * 200}"
    assert sent_on(GOOD, large, *small[:5])["tracestate"].split(",") == small[:5]
    assert sent_on(GOOD, *small)["tracestate"].split(",") == small[:5]


def test_without_a_client_the_trace_is_the_workflows_own() -> None:
    """The same for all its calls, and a span for each attempt."""
    first, again = (headers_of(None, "w", attempt_span("pay", n))["traceparent"].split("-") for n in (1, 2))
    other = headers_of(None, "v", attempt_span("pay", 1))["traceparent"].split("-")
    assert first[1] == again[1] != other[1]
    assert first[2] != again[2]


@pytest.mark.parametrize(
    ("environment", "exporters"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "shop"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, ("otlp_proto_http",)),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ("otlp_proto_grpc",)),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ("console", "otlp_proto_http")),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "True"}, ()),
    ],
)
def test_traces_are_configured_by_the_standards_variables(
    environment: dict[str, str], exporters: tuple[str, ...]
) -> None:
    """And by no other; where none asks for them there are none."""
    assert Settings.from_environment(environment).traces == exporters


def test_unless_traces_are_wanted_nothing_of_opentelemetry_is_imported() -> None:
    """By us (redis-py does by itself where it is there); nor, in a worker without a port for them, the metrics."""
    code = """
import sys, tasks.bench, orchestrator.traces
from orchestrator.settings import Settings
assert orchestrator.traces.begin(Settings.from_environment({})) is None
assert not {"prometheus_client", "orchestrator.exposition", "orchestrator.spans"} & set(sys.modules)
import web.application
assert not {"orchestrator.spans", "opentelemetry.exporter"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env={"PATH": "/usr/bin"})


def test_without_the_extra_a_worker_works_and_says_what_to_install() -> None:
    """Somebody may set the variables for all programs of a host."""
    code = """
import sys, logging
sys.modules["opentelemetry"] = None
logging.basicConfig()
from orchestrator import traces
from orchestrator.settings import Settings
assert traces.begin(Settings.from_environment({"OTEL_TRACES_EXPORTER": "otlp"})) is None
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, env={"PATH": "/usr/bin"}, capture_output=True, text=True
    )
    assert "celery-orchestrator[otel]" in done.stderr
