"""W3C Trace Context: the `traceparent` that each request carries, one trace a workflow.

https://www.w3.org/TR/trace-context/
"""

import hashlib
import re

_VERSION_00 = re.compile(r"^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$")


def accepted(header: str | None) -> str | None:
    """The client's `traceparent` where it is one, else None: a wrong one starts a new trace, as the standard says."""
    if header is None:
        return None
    found = _VERSION_00.match(header.strip())
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    return f"00-{found[2]}-{found[3]}-{found[4]}"


def child_of(parent: str | None, workflow_id: str, span: str) -> str:
    """The `traceparent` of one attempt: the workflow's trace, and a span id that is the same wherever it is asked."""
    trace = _digest(workflow_id, 32) if parent is None else parent.split("-")[1]
    flags = "01" if parent is None else parent.split("-")[3]
    return f"00-{trace}-{_digest(f'{workflow_id}/{span}', 16)}-{flags}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
