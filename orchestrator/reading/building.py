"""Typed fields → the values of `orchestrator.definition`. Nothing can be wrong any more."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.definition import (
    NO_CALL,
    NO_REQUEST,
    RETRY_CLASSES,
    STATUS_CLASSES,
    Call,
    CeleryTask,
    Child,
    Definition,
    Limit,
    RetryOn,
    RetryPolicy,
    Schedule,
    Step,
    Webhook,
)
from orchestrator.expressions import Expression
from orchestrator.graph import Graph
from orchestrator.jsontype import Json
from orchestrator.limits import Allowance, Circuit
from orchestrator.priority import named
from orchestrator.reading.awaiting import awaited
from orchestrator.reading.canonical import version_of
from orchestrator.reading.edges import After, Drafts
from orchestrator.reading.fields import ALLOWANCE, COMPENSATION_RETRIES, STEP_RETRIES
from orchestrator.reading.place import Faults, Place
from orchestrator.rhythm import Rhythm

CELERY_QUEUE = "celery"
"""The queue that Celery's workers consume where nobody says another."""

_RETRY = {"delay": "delay", "factor": "factor", "maxDelay": "max_delay", "jitter": "jitter", "budget": "budget"}
_CALL = {
    "targetUrl": "target_url",
    "method": "method",
    "headers": "headers",
    "query": "query",
    "auth": "auth",
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
        priority=named(fields.get("priority", "normal")),
        schedule=None if "schedule" not in fields else schedule_of(fields["schedule"]),
        webhooks=tuple(Webhook(**webhook) for webhook in fields.get("webhooks", ())),
        **{name: fields[name] for name in _DEFINITION if name in fields},
    )


def schedule_of(draft: Mapping[str, Json]) -> Schedule:
    """The schedule that the fields of one amount to."""
    rhythm = Rhythm(draft.get("cron"), draft.get("every"), draft.get("timezone", "UTC"))
    return Schedule(rhythm, draft.get("catchUp", "one"), draft.get("context", {}))


def _step(name: str, draft: Mapping[str, Json], after: tuple[str, ...]) -> Step:
    return Step(
        name=name,
        call=_call_of(draft),
        after=after,
        join=draft.get("join") or None,
        when=draft.get("when"),
        optional=draft.get("optional", False),
        fallback=draft.get("fallback"),
        deadline=draft.get("deadline"),
        end=draft.get("end"),
        for_each=draft.get("forEach"),
        child=Child(draft["workflow"], draft.get("context")) if "workflow" in draft else None,
        compensate=_undo_of(draft),
        **awaited(draft),
    )


def _call_of(draft: Mapping[str, Json]) -> Call:
    if "workflow" in draft:
        # Every attempt would find the same child: there is nothing to try again.
        return Call(NO_REQUEST, payload=NO_REQUEST, retry=RetryPolicy(retries=0))
    if "task" in draft:
        return _sent(draft, STEP_RETRIES)
    return _call(draft, STEP_RETRIES) if "targetUrl" in draft else NO_CALL


def _undo_of(draft: Mapping[str, Json]) -> Call | None:
    """A child is undone by itself, before what its step's own `compensate` calls, if anything."""
    if "compensate" in draft:
        undo = draft["compensate"]
        return _sent(undo, COMPENSATION_RETRIES) if "task" in undo else _call(undo, COMPENSATION_RETRIES)
    if "workflow" in draft:
        return Call(NO_REQUEST, payload=NO_REQUEST, retry=RetryPolicy(retries=COMPENSATION_RETRIES))
    return None


def _sent(draft: Mapping[str, Json], retries: int) -> Call:
    """A Celery task in place of a request."""
    task = CeleryTask(draft["task"], draft.get("queue", CELERY_QUEUE), draft.get("args"), draft.get("kwargs"))
    return replace(_call({**draft, "targetUrl": NO_REQUEST}, retries), payload=NO_REQUEST, task=task)


def _call(draft: Mapping[str, Json], retries: int) -> Call:
    return Call(
        retry=_retry(draft.get("retry", {}), draft.get("retries", retries)),
        limit=None if "limit" not in draft else _limit(draft["limit"]),
        **{_CALL[name]: value for name, value in draft.items() if name in _CALL},
    )


def read_allowance(document: Json) -> Allowance:
    """What a limit allows that a person set; raises DefinitionError with every fault."""
    faults = Faults()
    fields = ALLOWANCE.read(ALLOWANCE.settled(document, Place(faults)), Place(faults))
    if not fields and not faults:
        Place(faults).fault("must say concurrency, rate or circuit")
    faults.raise_any()
    return allowance_of(fields)


def _limit(draft: Mapping[str, Json]) -> Limit:
    return Limit(allowance_of(draft), draft.get("key"))


def allowance_of(fields: Mapping[str, Json]) -> Allowance:
    """What the fields of a limit allow."""
    circuit = fields.get("circuit")
    return Allowance(
        concurrency=fields.get("concurrency"),
        rate=fields.get("rate"),
        circuit=None if circuit is None else Circuit(**circuit),
    )


def _retry(draft: Mapping[str, Json], retries: int) -> RetryPolicy:
    on = _retry_on(draft["on"]) if "on" in draft else None
    return RetryPolicy(retries=retries, on=on, **{_RETRY[name]: draft[name] for name in draft if name in _RETRY})


def _retry_on(occasions: Sequence[int | str | Expression]) -> RetryOn:
    words = [one for one in occasions if isinstance(one, str)]
    return RetryOn(
        statuses=frozenset().union(
            (one for one in occasions if isinstance(one, int)), *(STATUS_CLASSES.get(word, ()) for word in words)
        ),
        kinds=frozenset().union(*(RETRY_CLASSES.get(word, ()) for word in words)),
        conditions=tuple(one for one in occasions if isinstance(one, Expression)),
    )
