"""Every call of the API, as one table: what it does, takes and answers. Paths and methods come from the routes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.api_keys import Scope
from orchestrator.jsontype import Json
from orchestrator.ledger.ordering import ACTIONS, MOST
from orchestrator.ledger.starting_many import MOST as MOST_STARTS
from orchestrator.reading.schedule_kinds import ScheduleKind
from orchestrator.single_call import MOST_RETRIES, RETRIES, TIMEOUT
from web import parameters
from web.parameters import Parameter
from web.schemas import BESIDE, CONTEXT, TEXT, ref, rows

JSON = "application/json"


@dataclass(frozen=True)
class Operation:
    """One call. `body` maps media types to schemas, `problems` statuses to when they come.

    `scope` is what a key must be allowed to (None: what `needed` says).
    """

    tag: str
    summary: str
    answer: Json
    status: int = 200
    query: Sequence[Parameter] = ()
    body: Mapping[str, Json] = field(default_factory=dict)
    body_required: bool = True
    keyed: bool = False
    problems: Mapping[int, str] = field(default_factory=dict)
    scope: Scope | None = None


_NO_DELIVERY = {404: "There is no such delivery."}
_NO_WORKFLOW = {404: "There is no such workflow."}
_START = {
    400: "The body is no JSON object, or has a key twice in one object, or the start key is no start key.",
    413: "The body is longer than 1,000,000 bytes.",
    415: "The body is not said to be JSON.",
    422: "The context does not fit (`faults` lists why), or the start key came with another body before.",
    429: "This client starts too often; `Retry-After` says when to come back.",
}


def start_of(schema: Json, summary: str, query: Sequence[Parameter] = ()) -> Operation:
    """Starting a workflow with a body of this schema."""
    return Operation(
        "start",
        summary,
        ref("Started"),
        202,
        query,
        body={JSON: schema},
        keyed=True,
        problems=_START,
        scope=Scope.START,
    )


def _order(summary: str, query: Sequence[Parameter] = ()) -> Operation:
    problems = _NO_WORKFLOW | {
        400: "A body was sent: there is nothing to say in one.",
        409: "Its status forbids that; the problem says why.",
    }
    return Operation("control", summary, ref("Started"), 202, query, problems=problems, scope=Scope.OPERATE)


_COMMENT: Json = {
    "type": "object",
    "properties": {"comment": {"type": "string", "maxLength": 2000}},
    "additionalProperties": False,
}


def _decision(summary: str) -> Operation:
    problems = {
        400: "The body is no JSON object.",
        404: "There is no such workflow, or it has no such step.",
        409: "The step does not wait for that; the problem says why.",
        415: "The body is not said to be JSON.",
        422: "A field is wrong; `faults` lists them.",
    }
    return Operation(
        "control",
        summary,
        ref("Answered"),
        body={JSON: _COMMENT},
        body_required=False,
        problems=problems,
        scope=Scope.OPERATE,
    )


def _callback(summary: str, fields: Mapping[str, Json]) -> Operation:
    step: Json = {
        "type": "object",
        "required": ["workflowId", "step"],
        "properties": {"workflowId": {"type": "string"}, "step": {"type": "string"}},
    }
    body: Json = {
        "type": "object",
        "required": ["payload"],
        "properties": {"payload": step, **fields},
        "additionalProperties": False,
    }
    problems = {
        400: "The body is no JSON object.",
        403: "The token is missing, or is another attempt's.",
        404: "There is no such workflow.",
        409: "The answer came too late, its attempt was replaced, or nobody waits for it.",
        413: "The body is longer than 1,000,000 bytes.",
        415: "The body is not said to be JSON.",
        422: "A field is wrong; `faults` lists them.",
    }
    return Operation(
        "callbacks", summary, ref("Answered"), body={JSON: body}, problems=problems, query=parameters.CALLBACK
    )


_WISH: Json = {
    "type": "object",
    "properties": {"type": {"type": "string"}, "definition": ref("Definition"), "context": CONTEXT, **BESIDE},
    "oneOf": [{"required": ["type"]}, {"required": ["definition"]}],
    "additionalProperties": False,
}

_TASK: Json = {
    "type": "object",
    "required": ["targetUrl"],
    "properties": {
        "targetUrl": {"type": "string", "format": "uri"},
        "payload": {"description": "What is posted, as JSON; {} where it is left out."},
        "retries": {"type": "integer", "minimum": 0, "maximum": MOST_RETRIES, "default": RETRIES},
        "timeout": {"type": ["number", "string"], "default": TIMEOUT, "description": "Of one attempt; at most 1h."},
        **BESIDE,
    },
    "additionalProperties": False,
}


def _batch(name: str, item: Json, summary: str) -> Operation:
    started = {"type": "object", "required": [name], "properties": {name: rows(ref("Started"))}}
    listed = {"type": "array", "minItems": 1, "maxItems": MOST_STARTS, "items": item}
    body = {"type": "object", "required": [name], "properties": {name: listed}, "additionalProperties": False}
    problems = _START | {413: "The body is longer than 10,000,000 bytes."}
    return Operation(
        "start", summary, started, 202, body={JSON: body}, keyed=True, problems=problems, scope=Scope.START
    )


_NO_SCHEDULE = {404: "There is no such schedule."}
_KIND: Json = ScheduleKind().schema()
_SCHEDULE: Json = {
    **_KIND,
    "required": ["type"],
    "properties": {
        "id": {"type": "string", "description": "Left out: one is made."},
        "type": {"type": "string"},
        **_KIND["properties"],
    },
}


def _of_schedule(summary: str) -> Operation:
    return Operation("schedules", summary, ref("ScheduleDetail"), problems=_NO_SCHEDULE, scope=Scope.OPERATE)


_BULK: Json = {
    "type": "object",
    "required": ["action", "filter"],
    "properties": {
        "action": {"enum": list(ACTIONS)},
        "filter": {
            "type": "object",
            "minProperties": 1,
            "properties": {one.name: one.schema for one in parameters.FILTERS},
            "additionalProperties": False,
        },
        "rate": {"type": "number", "minimum": 0.1, "maximum": 1000, "default": 100, "description": "Per second."},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100},
        "cursor": {"type": "string", "description": "`nextCursor` of the answer before."},
        "compensate": {"type": "boolean", "default": True, "description": "For cancel; false: undo nothing."},
    },
    "additionalProperties": False,
}

_NO_LIMIT = {404: "There is no such limit."}
_FOR: Json = {
    "type": "object",
    "required": ["for"],
    "properties": {"for": {"type": ["number", "string"], "description": "Seconds, or such as 15m."}},
    "additionalProperties": False,
}

OPERATIONS: dict[str, Operation] = {
    "starting.started": start_of(_WISH, "Start a workflow by type, or with a definition that comes along"),
    "starting_many.started": _batch("workflows", _WISH, "Start up to 1,000 workflows: all of them, or none"),
    "tasks.created": start_of(_TASK, "Make one call durable; its outcome is posted to webhookUrl, signed"),
    "tasks.one": Operation("read", "One call, and what came of it", ref("Call"), problems=_NO_WORKFLOW),
    "tasks.created_many": _batch("tasks", _TASK, "Make up to 1,000 calls durable: all of them, or none"),
    "workflows.listed": Operation("read", "A page of workflows, newest first", ref("Page"), query=parameters.LISTING),
    "workflows.one": Operation(
        "read",
        "One workflow, in full or in brief",
        {"oneOf": [ref("Workflow"), ref("Summary")]},
        query=parameters.ONE,
        problems=_NO_WORKFLOW,
    ),
    "workflows.events": Operation(
        "read", "The audit log, oldest first", ref("Events"), query=parameters.EVENTS, problems=_NO_WORKFLOW
    ),
    "workflows.items": Operation(
        "read",
        "The items of a step with forEach, in their order",
        ref("Items"),
        query=parameters.ITEMS,
        problems={404: "There is no such workflow, or no such step of it that has items."},
    ),
    "workflows.explained": Operation(
        "read",
        "Why it is not moving: what it waits for, until when, what would change that",
        ref("Why"),
        problems=_NO_WORKFLOW,
    ),
    "controlling.cancel": _order("Start nothing more, undo what took effect, end as cancelled", parameters.CANCEL),
    "controlling.pause": _order("Start nothing new; what runs ends"),
    "controlling.resume": _order("Go on where the pause stopped it"),
    "controlling.retry": _order("Run the failed steps again, keep the rest"),
    "controlling.rerun": Operation(
        "control",
        "Start a fresh copy: from a step on, with another context if one is sent",
        ref("Started"),
        202,
        parameters.RERUN,
        body={JSON: {"type": "object", "properties": {"context": CONTEXT}, "additionalProperties": False}},
        body_required=False,
        keyed=True,
        problems=_START
        | {
            404: "There is no such workflow, or it has no such step.",
            409: "It is not over, or something cannot be taken over; the problem says why.",
        },
        scope=Scope.OPERATE,
    ),
    "approving.approve": _decision("Approve a step that waits for it: the workflow goes on"),
    "approving.reject": _decision("Reject a step that waits for approval: it fails"),
    "callbacks.completed": _callback(
        "A service has done what it accepted; with the token of its request instead of a key", {"result": {}}
    ),
    "callbacks.failed": _callback(
        "A service could not do what it accepted",
        {
            "error": {"description": "A text, or an object with a message."},
            "effect": {"enum": ["none", "unknown", "done"], "default": "none", "description": "What was done before."},
            "retryable": {"type": "boolean", "default": True, "description": "Whether another attempt could help."},
        },
    ),
    "callbacks.beat": _callback("A service is still at work: its time-out begins anew", {}),
    "bulk.ordered": Operation(
        "control",
        "One order for many workflows: those that a filter picks, newest first, no faster than a rate",
        ref("BulkAnswer"),
        body={JSON: _BULK},
        keyed=True,
        problems={status: _START[status] for status in (400, 413, 415)}
        | {422: "Fields are wrong; `faults` lists them."},
        scope=Scope.OPERATE,
    ),
    "definitions.listed": Operation(
        "definitions",
        "Every definition in brief",
        {"type": "object", "required": ["definitions"], "properties": {"definitions": rows(ref("DefinitionBrief"))}},
    ),
    "definitions.one": Operation(
        "definitions",
        "One definition with its steps and its document",
        ref("DefinitionDetail"),
        query=parameters.DEFINITION,
        problems={404: "There is no such definition."},
    ),
    "definitions.validated": Operation(
        "definitions",
        "Check a definition; every fault with its line, and what is right and may not be meant",
        ref("DefinitionChecked"),
        body={JSON: ref("Definition"), "application/yaml": {"type": "string"}},
        problems={422: "It has faults; `faults` lists them."},
        scope=Scope.READ,
    ),
    "statistics.told": Operation(
        "read",
        "How workflows and their steps went: completion rate, durations, failures per step, by type and period",
        ref("Statistics"),
        query=parameters.STATISTICS,
        problems={404: "There is nothing of that type."},
    ),
    "metrics.shown": Operation("about", "Metrics for Prometheus", {"type": "string"}),
    "schedules.listed": Operation("schedules", "Every schedule, by id", ref("Schedules")),
    "schedules.created": Operation(
        "schedules",
        "Make a schedule for a type that there is",
        ref("ScheduleDetail"),
        201,
        body={JSON: _SCHEDULE},
        problems={status: _START[status] for status in (400, 413, 415)}
        | {409: "There is one of that id.", 422: "Fields are wrong; `faults` lists them."},
        scope=Scope.OPERATE,
    ),
    "schedules.one": Operation("schedules", "One with its next runs", ref("ScheduleDetail"), problems=_NO_SCHEDULE),
    "schedules.deleted": Operation(
        "schedules",
        "Start nothing more for it; what it has started goes on",
        ref("ScheduleDetail"),
        problems=_NO_SCHEDULE | {409: "It is its definition's own."},
        scope=Scope.OPERATE,
    ),
    "schedules.paused": _of_schedule("Make no tick until it is resumed"),
    "schedules.resumed": _of_schedule("Go on with the next tick from now; what was missed is not caught up with"),
    "schedules.triggered": Operation(
        "schedules",
        "Start its workflow now, besides its ticks",
        ref("Started"),
        202,
        problems=_NO_SCHEDULE,
        scope=Scope.START,
    ),
    "limits.listed": Operation(
        "limits",
        "Every limit with its usage",
        {"type": "object", "required": ["limits"], "properties": {"limits": rows(ref("Limit"))}},
    ),
    "limits.one": Operation("limits", "One limit with its usage", ref("Limit"), problems=_NO_LIMIT),
    "limits.put": Operation(
        "limits",
        "Set what holds for a key, such as a host, whatever definitions say",
        ref("Limit"),
        body={JSON: ref("Allowance")},
        problems={status: _START[status] for status in (400, 413, 415)}
        | {422: "Fields are wrong; `faults` lists them."},
        scope=Scope.OPERATE,
    ),
    "limits.deleted": Operation(
        "limits",
        "Take back what was set: what definitions say holds, or nothing",
        {"type": "object", "required": ["key", "setBy"], "properties": {"key": TEXT, "setBy": {"type": "null"}}},
        problems=_NO_LIMIT,
        scope=Scope.OPERATE,
    ),
    "limits.opened": Operation(
        "limits",
        "Let no call in for a while; then one probes",
        ref("Limit"),
        body={JSON: _FOR},
        problems={status: _START[status] for status in (400, 413, 415)}
        | _NO_LIMIT
        | {422: "Fields are wrong; `faults` lists them."},
        scope=Scope.OPERATE,
    ),
    "limits.closed": Operation(
        "limits",
        "Let calls in again",
        ref("Limit"),
        problems=_NO_LIMIT | {400: "A body was sent."},
        scope=Scope.OPERATE,
    ),
    "webhooks.listed": Operation(
        "webhooks", "The delivery log, newest first", ref("Deliveries"), query=parameters.DELIVERIES
    ),
    "webhooks.one": Operation(
        "webhooks", "One delivery with each of its tries", ref("DeliveryDetail"), problems=_NO_DELIVERY
    ),
    "webhooks.redelivered": Operation(
        "webhooks",
        "Send it again now, under the same id; an endpoint that was gone (410) is asked again",
        ref("DeliveryDetail"),
        202,
        problems=_NO_DELIVERY,
        scope=Scope.OPERATE,
    ),
    "openapi.document": Operation("about", "This document", {"type": "object"}),
    "openapi.page": Operation("about", "This document as a page", {"type": "string"}),
    "health.alive": Operation("about", "Does the process live", ref("Health")),
    "health.ready": Operation(
        "about", "Can it take work", ref("Health"), problems={503: "The database cannot be used."}
    ),
}


ENTRY = "entry "
"""What the endpoints of definitions' entries begin with; the definition's type follows."""


def needed(endpoint: str | None, method: str) -> Scope:
    """What a key must be allowed to for this call. Unless its row says so, readers look and operators change."""
    if endpoint is not None and endpoint.startswith(ENTRY):
        return Scope.START
    said = OPERATIONS[endpoint].scope if endpoint in OPERATIONS else None
    if said is not None:
        return said
    return Scope.READ if method in ("GET", "HEAD", "OPTIONS") else Scope.OPERATE
