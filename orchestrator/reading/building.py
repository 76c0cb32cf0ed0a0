"""Typed fields → the values of `orchestrator.definition`. Nothing can be wrong any more."""

from collections.abc import Mapping

from orchestrator.definition import Call, Definition, RetryPolicy, Step
from orchestrator.graph import Graph
from orchestrator.jsontype import Json
from orchestrator.reading.canonical import version_of
from orchestrator.reading.edges import After, Drafts
from orchestrator.reading.fields import COMPENSATION_RETRIES, STEP_RETRIES

_RETRY = {"delay": "delay", "factor": "factor", "maxDelay": "max_delay", "jitter": "jitter"}
_CALL = {
    "targetUrl": "target_url",
    "method": "method",
    "headers": "headers",
    "query": "query",
    "payload": "payload",
    "encoding": "encoding",
    "timeout": "timeout",
    "success": "success",
    "result": "result",
    "idempotencyKey": "idempotency_key",
    "idempotent": "idempotent",
}
_DEFINITION = ("entry", "description", "input", "sensitive", "deadline", "compensation", "output")


def build_definition(fields: Mapping[str, Json], document: Json, after: After, graph: Graph) -> Definition:
    """The definition that the fields of a document amount to; its steps in their order, ties by name."""
    drafts: Drafts = fields["steps"]
    return Definition(
        type=fields["type"],
        version=version_of(document),
        document=document,
        steps={name: _step(name, drafts[name], after[name]) for name in graph.order},
        **{name: fields[name] for name in _DEFINITION if name in fields},
    )


def _step(name: str, draft: Mapping[str, Json], after: tuple[str, ...]) -> Step:
    compensate = draft.get("compensate")
    return Step(
        name=name,
        call=_call(draft, STEP_RETRIES),
        after=after,
        join=draft.get("join") or None,
        when=draft.get("when"),
        optional=draft.get("optional", False),
        fallback=draft.get("fallback"),
        compensate=None if compensate is None else _call(compensate, COMPENSATION_RETRIES),
    )


def _call(draft: Mapping[str, Json], retries: int) -> Call:
    retry = {_RETRY[name]: value for name, value in draft.get("retry", {}).items()}
    return Call(
        retry=RetryPolicy(retries=draft.get("retries", retries), **retry),
        **{_CALL[name]: value for name, value in draft.items() if name in _CALL},
    )
