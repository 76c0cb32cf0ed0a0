"""The shapes of what the API takes and gives, as JSON Schemas for OpenAPI."""

from orchestrator.jsontype import Json
from orchestrator.ledger.views.deliveries import STANDINGS
from orchestrator.priority import WORDS
from orchestrator.reading.fields import ALLOWANCE
from orchestrator.rhythm import CATCH_UPS
from orchestrator.schema import definition_schema
from orchestrator.states import Compensation, Effect, StepStatus, WorkflowStatus


def ref(name: str) -> Json:
    """A schema by its name in `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(**fields: Json) -> Json:
    """An object that always has these fields, and may have more."""
    return {"type": "object", "required": list(fields), "properties": fields}


def rows(of: Json) -> Json:
    """A list."""
    return {"type": "array", "items": of}


ANY: Json = {}
TEXT = {"type": "string"}
MAYBE_TEXT = {"type": ["string", "null"]}
ID = {"type": "string", "format": "uuid"}
TIME = {"type": "string", "format": "date-time"}
MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}
MAYBE_WHOLE = {"type": ["integer", "null"]}
WHOLE = {"type": "integer"}
SHARE = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
CONTEXT = {"type": "object", "description": "The context; sensitive fields are masked where it is shown."}
BESIDE = {
    "webhookUrl": {"type": "string", "format": "uri", "description": "Told how it ended, by a signed POST."},
    "delay": {"type": ["number", "string"], "description": "Seconds, or such as 15m or 30d: how long it is put off."},
    "notBefore": {**TIME, "description": "Nothing is called before this time; at most 366 days away."},
    "priority": {"enum": list(WORDS), "description": "How urgent it is; left out: as its definition says."},
}
CURSOR = {"type": ["string", "null"], "description": "For the page after this one; null where there is none."}
ERROR = {
    "type": ["object", "null"],
    "properties": {"step": MAYBE_TEXT, "kind": TEXT, "message": TEXT, "status": WHOLE},
}
COUNTS = record(total=WHOLE, completed=WHOLE, failed=WHOLE, running=WHOLE)
MAYBE_COUNTS = {**COUNTS, "type": ["object", "null"]}
STATUS = {"enum": [status.value for status in WorkflowStatus]}
STEP_STATUS = {"enum": [status.value for status in StepStatus]}
COMPENSATION = {"enum": [status.value for status in Compensation]}


def _definition() -> Json:
    """The schema of definitions, complete in itself: `input` would lead to the dialect's own schema on the web."""
    schema = definition_schema()
    context = {"type": "object", "description": "A JSON Schema (2020-12) of the context."}
    return {**schema, "properties": {**schema["properties"], "input": context}}


_TIMES = {"startedAt": MAYBE_TIME, "completedAt": MAYBE_TIME, "durationMs": MAYBE_WHOLE}
_LIFE = {"createdAt": TIME, "completedAt": MAYBE_TIME, "durationMs": MAYBE_WHOLE, "definitionVersion": TEXT}

_TOOK = {"meanMs": MAYBE_WHOLE, "medianMs": MAYBE_WHOLE}
_SCHEDULE: Json = record(
    scheduleId=TEXT,
    type=TEXT,
    definitionVersion=TEXT,
    byDefinition={"type": "boolean"},
    cron=MAYBE_TEXT,
    every={"type": ["number", "null"], "description": "Seconds."},
    timezone=TEXT,
    catchUp={"enum": list(CATCH_UPS)},
    paused={"type": "boolean"},
    nextAt=MAYBE_TIME,
    lastAt=MAYBE_TIME,
    lastWorkflowId=MAYBE_TEXT,
    fault=MAYBE_TEXT,
    createdAt=TIME,
)
_DELIVERY: Json = record(
    deliveryId=ID,
    workflowId=ID,
    event=TEXT,
    url=TEXT,
    status={"enum": list(STANDINGS)},
    attempts=WHOLE,
    error=MAYBE_TEXT,
    createdAt=TIME,
    deliveredAt=MAYBE_TIME,
    nextAt=MAYBE_TIME,
)

SCHEMAS: dict[str, Json] = {
    "Problem": {
        "description": "RFC 9457.",
        **record(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT),
    },
    "Fault": record(place=TEXT, message=TEXT),
    "Started": record(workflowId=ID, status=TEXT),
    "Answered": record(workflowId=ID, step=TEXT, answer={"enum": ["recorded", "repeated"]}, status=STEP_STATUS),
    "Step": record(
        name=TEXT,
        status=STEP_STATUS,
        attempts=WHOLE,
        result=ANY,
        error=ERROR,
        **_TIMES,
        effect={"enum": [effect.value for effect in Effect]},
        tolerated={"type": "boolean"},
        waitingFor=MAYBE_TEXT,
        wakeAt=MAYBE_TIME,
        childId={**MAYBE_TEXT, "description": "The workflow that the step started, where its definition says so."},
        items={**MAYBE_COUNTS, "description": "How far a step with forEach is; null for any other."},
        message=MAYBE_TEXT,
        compensation={
            "oneOf": [{"type": "null"}, record(status=STEP_STATUS, attempts=WHOLE, error=ERROR, **_TIMES)],
        },
    ),
    "Workflow": record(
        workflowId=ID,
        type=TEXT,
        status=STATUS,
        ending=MAYBE_TEXT,
        priority={"enum": list(WORDS)},
        compensation=COMPENSATION,
        context=CONTEXT,
        steps=rows(ref("Step")),
        output=ANY,
        error=ERROR,
        deadlineAt=MAYBE_TIME,
        parent={"oneOf": [{"type": "null"}, record(workflowId=ID, step=TEXT)]},
        **_LIFE,
    ),
    "Call": record(
        workflowId=ID,
        status={"enum": ["processing", "completed", "failed", "cancelled"]},
        attempts=WHOLE,
        result=ANY,
        error=ERROR,
        targetUrl=TEXT,
        createdAt=TIME,
        completedAt=MAYBE_TIME,
        durationMs=MAYBE_WHOLE,
    ),
    "Summary": {
        "description": "The definition's output fields stand beside these.",
        **record(
            workflowId=ID,
            status={"enum": ["processing", "completed", "failed", "cancelled"]},
            steps={"type": "object", "additionalProperties": STEP_STATUS},
        ),
    },
    "Page": record(
        workflows=rows(
            record(workflowId=ID, type=TEXT, status=STATUS, compensation=COMPENSATION, error=ERROR, **_LIFE)
        ),
        nextCursor=CURSOR,
    ),
    "Allowance": ALLOWANCE.schema(),
    "Limit": record(
        key=TEXT,
        setBy=MAYBE_TEXT,
        concurrency=MAYBE_WHOLE,
        rate=MAYBE_TEXT,
        circuit={"type": ["object", "null"]},
        inUse=WHOLE,
        waiting=WHOLE,
        waitingSince=MAYBE_TIME,
        state={"enum": ["closed", "open", "half-open"]},
        openUntil=MAYBE_TIME,
        recent={"type": "string", "description": "The last calls: `.` went well, `x` failed."},
        usedAt=TIME,
    ),
    "BulkAnswer": record(
        action=TEXT,
        ordered=WHOLE,
        refused=rows(record(workflowId=ID, reason=TEXT)),
        copies=rows(
            {"type": "object", "required": ["workflowId", "from"], "properties": {"workflowId": ID, "from": ID}}
        ),
        nextCursor=CURSOR,
    ),
    "Items": record(
        workflowId=ID,
        step=TEXT,
        counts=COUNTS,
        items=rows(
            record(
                index=WHOLE,
                item=ANY,
                status=STEP_STATUS,
                attempts=WHOLE,
                result=ANY,
                error=ERROR,
                childId=MAYBE_TEXT,
                effect={"enum": [effect.value for effect in Effect]},
                **_TIMES,
                waitingFor=MAYBE_TEXT,
                wakeAt=MAYBE_TIME,
                compensation={"oneOf": [{"type": "null"}, record(status=STEP_STATUS, error=ERROR)]},
            )
        ),
        nextCursor=CURSOR,
    ),
    "Events": record(
        workflowId=ID,
        events=rows(record(at=TIME, type=TEXT, step=MAYBE_TEXT, details={"type": "object"})),
        nextCursor=CURSOR,
    ),
    "Why": record(
        workflowId=ID,
        type=TEXT,
        status=STATUS,
        why=TEXT,
        reasons=rows(record(step=MAYBE_TEXT, waitsFor=TEXT, until=MAYBE_TIME, whatWouldChangeThat=TEXT)),
    ),
    "DefinitionBrief": record(type=TEXT, version=TEXT, entry=MAYBE_TEXT, description=TEXT, steps=rows(TEXT)),
    "DefinitionChecked": record(
        valid={"type": "boolean"},
        type=TEXT,
        version=TEXT,
        entry=MAYBE_TEXT,
        description=TEXT,
        steps=rows(TEXT),
        doubts=rows(TEXT),
    ),
    "DefinitionDetail": record(
        type=TEXT,
        version=TEXT,
        entry=MAYBE_TEXT,
        description=TEXT,
        steps=rows(record(name=TEXT, waitFor=rows(TEXT), next=rows(TEXT))),
        input=ANY,
        document={"type": "object"},
    ),
    "Statistics": record(
        since=MAYBE_TIME,
        until=TIME,
        types=rows(
            record(
                type=TEXT,
                since={**MAYBE_TIME, "description": "When the oldest of those looked at was created."},
                more={"type": "boolean", "description": "There are more in the period: these are the newest."},
                workflows=record(count=WHOLE, ended=WHOLE, completed=WHOLE, completionRate=SHARE, **_TOOK),
                steps={
                    "type": "object",
                    "additionalProperties": record(
                        count=WHOLE, failed=WHOLE, failureRate=SHARE, attempts={"type": "number"}, **_TOOK
                    ),
                },
            )
        ),
    ),
    "Definition": _definition(),
    "Delivery": _DELIVERY,
    "DeliveryDetail": {
        "allOf": [
            _DELIVERY,
            record(
                data={"type": "object"},
                tries=rows(record(at=TIME, status=MAYBE_WHOLE, error=MAYBE_TEXT, durationMs=WHOLE)),
            ),
        ]
    },
    "Schedule": _SCHEDULE,
    "ScheduleDetail": {"allOf": [_SCHEDULE, record(context=CONTEXT, nextRuns=rows(TIME))]},
    "Schedules": record(schedules=rows(ref("Schedule"))),
    "Deliveries": record(deliveries=rows(ref("Delivery")), nextCursor=CURSOR),
    "Health": {"type": "object", "required": ["status"], "properties": {"status": TEXT}},
}
SCHEMAS["Problem"]["properties"] |= {"faults": rows(ref("Fault"))}
SCHEMAS["Fault"]["properties"] |= {"line": WHOLE}
