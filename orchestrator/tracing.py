"""W3C Trace Context, pure: what a client sent, kept with its workflow, and what each request carries on.

https://www.w3.org/TR/trace-context/ (level 2; tried with the cases of its test harness)

A trace is kept as one text: a `traceparent`, and behind a blank the `tracestate` that came with it. Span ids are made
of what the span is, so that whoever writes a span later knows the id that its children were told.
"""

import hashlib
import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KNOWN_FLAGS = 0x03
"""`sampled`, and `random` of level 2; others are sent as 0."""

_KEY = r"[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER = re.compile(rf"(?:{_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_MOST_MEMBERS = 32
_LONGEST = 512
_LARGE = 128
"""Characters of a `tracestate` that are carried on; of more, large members are left out first, then the last ones."""

_BLANKS = " \t"


@dataclass(frozen=True, slots=True)
class Trace:
    """A workflow's trace. `parent` is the span that asked for it, None where the trace begins here."""

    id: str
    parent: str | None
    flags: str
    state: str = ""

    @property
    def sampled(self) -> bool:
        """Whether its spans are to be written."""
        return bool(int(self.flags, 16) & 1)


def accepted(traceparent: str | None, tracestate: str | None = None) -> str | None:
    """The client's trace where it is one, else None: a wrong one starts a new trace, as the standard says.

    Headers that came several times are joined by commas, as WSGI does: no `traceparent` is right so, any `tracestate`.
    """
    found = _TRACEPARENT.fullmatch((traceparent or "").strip(_BLANKS))
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    parent = f"00-{found[2]}-{found[3]}-{int(found[4], 16) & _KNOWN_FLAGS:02x}"
    return f"{parent} {_accepted_state(tracestate or '')}".rstrip()


def _accepted_state(tracestate: str) -> str:
    """All of it, or nothing where something in it is wrong."""
    members = [each for part in tracestate.split(",") if (each := part.strip(_BLANKS))]
    if len(members) > _MOST_MEMBERS or not all(_MEMBER.fullmatch(each) for each in members):
        return ""
    if len(",".join(members)) > _LONGEST:
        members = [each for each in members if len(each) <= _LARGE]
    while len(",".join(members)) > _LONGEST:
        members.pop()
    return ",".join(members)


def trace_of(kept: str | None, workflow_id: str) -> Trace:
    """The trace of a workflow; one of its own where no client brought one."""
    if kept is None:
        return Trace(_digest(workflow_id, 32), None, "01")
    parent, _, state = kept.partition(" ")
    _, trace_id, span, flags = parent.split("-")
    return Trace(trace_id, span, flags, state)


def headers_of(kept: str | None, workflow_id: str, span: str) -> dict[str, str]:
    """What a request carries that is made in this span."""
    trace = trace_of(kept, workflow_id)
    headers = {"traceparent": f"00-{trace.id}-{span_id(workflow_id, span)}-{trace.flags}"}
    return {**headers, "tracestate": trace.state} if trace.state else headers


def span_id(workflow_id: str, span: str) -> str:
    """The id of a span of this workflow, 16 hexadecimal digits: the same wherever it is asked for."""
    return _digest(f"{workflow_id}/{span}", 16)


def attempt_span(step: str, attempt: int) -> str:
    """What an attempt's span is called for its id."""
    return f"{step}/{attempt}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
