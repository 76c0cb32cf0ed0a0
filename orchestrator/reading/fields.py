"""Every field of a definition, its meaning and its kind: the one table behind both the reader and the JSON Schema."""

from orchestrator.expanding import MOST_ITEMS
from orchestrator.priority import WORDS
from orchestrator.reading.auth_kinds import AuthKind
from orchestrator.reading.expression_kinds import (
    DECIDING,
    JUDGING,
    KEYING,
    SENDING,
    AnyTemplate,
    ExpressionText,
    Headers,
    Occasions,
    Query,
    TargetUrl,
    TextTemplate,
)
from orchestrator.reading.for_each import EachItem, ItemList, Tolerated
from orchestrator.reading.input_schema import InputSchema
from orchestrator.reading.kinds import (
    NAME,
    Amount,
    Choice,
    ContextPaths,
    Duration,
    Field,
    Flag,
    Group,
    Join,
    Named,
    Rate,
    StepNames,
    Text,
    Whole,
)
from orchestrator.reading.schedule_kinds import ScheduleKind
from orchestrator.reading.step_kinds import KINDS, KINDS_OF_UNDOS, schema_of_fields_together
from orchestrator.reading.webhook_kinds import Endings, SecretName, Several

HOUR = 3600
DAY = 24 * HOUR
YEAR = 366 * DAY
MOST_STEPS = 5_000
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
STEP_RETRIES = 3
COMPENSATION_RETRIES = 8

# Fields of the language that this release does not run yet. A release that does deletes the row and adds the field.
NOT_YET = {
    "definition": ("notify",),
    "step": (),
}

RETRY = Group(
    {
        "delay": Field("How long to wait before the second attempt.", Duration(DAY, nothing=True), 1),
        "factor": Field("What each further wait is multiplied with.", Amount(1, 100), 2),
        "maxDelay": Field("The longest wait between two attempts.", Duration(DAY, nothing=True), 60),
        "jitter": Field(
            "full: a random share of the wait, so that many do not come back at once.", Choice(("full", "none")), "full"
        ),
        "on": Field(
            "What is worth another attempt, instead of what is by default: statuses (409), classes (4xx, 5xx, "
            "connection, timeout, refused, dns, tls, auth, dropped, answer), conditions over `response` and `error` "
            "in ${ }.",
            Occasions(),
        ),
        "budget": Field("The longest time for all attempts and waits: no attempt is begun after it.", Duration(YEAR)),
    },
)

CIRCUIT = Group(
    {
        "failures": Field("How many failures in a row open it.", Whole(1, 100), 5),
        "share": Field("Or the share of the last `calls` that failed.", Amount(0.01, 1), 0.5),
        "calls": Field("How many calls that share is taken of.", Whole(1, 100), 20),
        "pause": Field("How long it stays open before one call probes the service.", Duration(DAY), 30),
    },
)

_ALLOWANCE = {
    "concurrency": Field("How many calls may be made at once, over all workers.", Whole(1, 10_000)),
    "rate": Field("How many calls may be begun in a time, such as 100/s, 600/m or 5000/h.", Rate()),
    "circuit": Field("Hold calls back for a while where the service fails.", CIRCUIT),
}
ALLOWANCE = Group(_ALLOWANCE)
LIMIT = Group(
    {
        "key": Field("What the calls are counted by. Left out: the host that is called.", TextTemplate(DECIDING)),
        **_ALLOWANCE,
    },
)

_REQUEST = {
    "targetUrl": Field("The absolute URL that is called; expressions are allowed.", TargetUrl()),
    "method": Field("The HTTP method.", Choice(METHODS), "POST"),
    "headers": Field("Headers to send; secrets as ${secret.NAME}.", Headers()),
    "query": Field("Query parameters to add to the URL.", Query()),
    "auth": Field("How the call says who it is.", AuthKind()),
    "payload": Field(
        "What is sent, exactly. Left out: the context, all earlier results and the ids.", AnyTemplate(SENDING)
    ),
    "encoding": Field("How the payload is sent.", Choice(("json", "form")), "json"),
    "timeout": Field("The longest time for one whole attempt.", Duration(HOUR), 30),
    "retry": Field("When another attempt is made, and how long to wait before it.", RETRY),
    "success": Field(
        "An expression over `response` that says whether the call was a success.", ExpressionText(JUDGING)
    ),
    "result": Field(
        "An expression over `response` that gives the result. Left out: the body.", ExpressionText(JUDGING)
    ),
    "idempotencyKey": Field("The Idempotency-Key, where the service needs one of its own kind.", TextTemplate(KEYING)),
    "limit": Field("How many calls may be made at once and how fast, shared with all that have its key.", LIMIT),
    "idempotent": Field("false: the service may take a repeated call for a new one.", Flag(), True),
}
_RETRIES = "How many attempts are made after the first."

CALLBACK = Group(
    {
        "timeout": Field("The longest time until it does; a heartbeat begins it anew.", Duration(YEAR)),
    },
    required=("timeout",),
)

APPROVAL = Group(
    {
        "timeout": Field("The longest time until somebody decides; then the step has failed.", Duration(YEAR)),
        "message": Field("What the person is told; what is sensitive is masked in it.", TextTemplate(DECIDING)),
    },
    required=("timeout",),
)

WAIT = Group(
    {
        "for": Field("How long to wait.", Duration(YEAR)),
        "until": Field(
            "The time until which to wait, such as 2030-01-31T12:00:00Z or ${context.date}; one that has passed is not "
            "waited for.",
            TextTemplate(DECIDING),
        ),
    },
    one_of=("for", "until"),
)

POLL = Group(
    {
        "done": Field("An expression over `response` that says whether it is done.", ExpressionText(JUDGING)),
        "failed": Field("An expression over `response` that says whether it has failed.", ExpressionText(JUDGING)),
        "url": Field(
            "Where to ask, which may read the `response` to the request. Left out: the Location of that.",
            TargetUrl(JUDGING),
        ),
        "every": Field("How long to wait between two questions; Retry-After may ask for more.", Duration(DAY), 5),
        "timeout": Field("The longest time until it is done.", Duration(YEAR), HOUR),
    },
    required=("done",),
)

_TASK = {
    "task": Field(
        "The name of a Celery task of your own workers that is sent in place of a request, and waited for.",
        Text("the name of a Celery task", r"[A-Za-z_][A-Za-z0-9_.-]*", 200),
    ),
    "args": Field("The positional arguments of that task: a list.", AnyTemplate(KEYING)),
    "kwargs": Field("The named arguments of that task: an object.", AnyTemplate(KEYING)),
    "queue": Field(
        "The queue that the workers of that task consume.",
        Text("the name of a queue", r"[A-Za-z0-9_.:-]+", 200),
        "celery",
    ),
}

COMPENSATION = Group(
    {
        **_REQUEST,
        **_TASK,
        "retries": Field(_RETRIES, Whole(0, 100), COMPENSATION_RETRIES),
    },
    later=("callback", "approval", "wait", "poll", *NOT_YET["step"]),
    together=schema_of_fields_together(KINDS_OF_UNDOS),
)

FOR_EACH = Group(
    {
        "items": Field(f"A list of at most {MOST_ITEMS} items, or an expression that gives one.", ItemList(DECIDING)),
        "maxParallel": Field("How many of the calls are under way at a time.", Whole(1, 1000), 20),
        "tolerate": Field(
            "How many items may fail for the step to complete all the same: a number, or a share such as 10%.",
            Tolerated(),
            0,
        ),
    },
    required=("items",),
)

STEP = Group(
    {
        **_REQUEST,
        "retries": Field(_RETRIES, Whole(0, 100), STEP_RETRIES),
        "next": Field("The steps that follow this one.", StepNames()),
        "waitFor": Field(
            "The steps that this one waits for: the same edges as `next`, from the other end.", StepNames()
        ),
        "join": Field("How many of those it waits for must have completed.", Join(), "all"),
        "when": Field("The step is skipped where this expression is false, null or empty.", ExpressionText(DECIDING)),
        "optional": Field("true: the workflow goes on where this step fails.", Flag(), False),
        "fallback": Field("The step that is called instead where this one fails.", Text("the name of a step", NAME)),
        "compensate": Field("The call, or the Celery task, that undoes this step.", COMPENSATION),
        "deadline": Field(
            "The longest time for all attempts of this step and the waits between them; past it the step has failed.",
            Duration(YEAR),
        ),
        "end": Field(
            "How the workflow ends when this step completes: no further step is started, those in flight are waited "
            "for; failed and cancelled undo what took effect, completed does not.",
            Choice(("completed", "failed", "cancelled")),
        ),
        "forEach": Field(
            "A list, or an expression that gives one: the call is made once for each of its items, which it reads as "
            "${item}, and its place from 0 on as ${index}. The results are a list in the same order.",
            EachItem(FOR_EACH),
        ),
        "workflow": Field(
            "The type of another workflow that this step starts, in place of a request, and waits for: its output is "
            "this step's result, it is cancelled and undone with its parent.",
            Text("the name of a workflow type", NAME),
        ),
        "context": Field(
            "The context of that workflow. Left out: the one of its parent, without what is sensitive.",
            AnyTemplate(KEYING),
        ),
        **_TASK,
        "callback": Field(
            "The service answers 2xx, and says later, to the X-Callback-Url of the request, what came of it.", CALLBACK
        ),
        "approval": Field("No call: a person approves or rejects.", APPROVAL),
        "wait": Field("No call: the workflow waits here.", WAIT),
        "poll": Field("The service answers 2xx, and is asked by GET until it is done.", POLL),
    },
    later=NOT_YET["step"],
    together=schema_of_fields_together(KINDS),
)

WEBHOOK = Group(
    {
        "url": Field("The address that is told.", TargetUrl(("context", "workflow", "vars", "secret"))),
        "events": Field("How workflows end of which it is told; left out: however they end.", Endings()),
        "secret": Field("What signs, as ${secret.NAME}; left out: the secret of the installation.", SecretName()),
    },
    required=("url",),
)

_ENTRY = r"/api(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+"

DEFINITION = Group(
    {
        "type": Field("The name of the workflow type.", Text("a letter, then up to 63 letters, digits, _ or -", NAME)),
        "entry": Field(
            "The path under /api/ to which a context is posted to start a workflow.",
            Text("a path such as /api/subscribe", _ENTRY, 200),
        ),
        "description": Field("What the workflow does, for people.", Text()),
        "input": Field(
            "The JSON Schema of the context. A start that does not fit is refused. Patterns are those of RE2: no "
            "lookaround, no backreferences.",
            InputSchema(),
        ),
        "sensitive": Field(
            "Parts of the context that are masked, and sent only to steps that name them.", ContextPaths()
        ),
        "deadline": Field("The longest time for the whole workflow.", Duration(YEAR)),
        "compensation": Field(
            "Whether steps are undone side by side or one by one.", Choice(("parallel", "sequential")), "parallel"
        ),
        "priority": Field(
            "What waits for a worker or for a limit is taken in this order; a start may say otherwise.",
            Choice(WORDS),
            "normal",
        ),
        "steps": Field("The steps, by name.", Named(STEP, MOST_STEPS)),
        "schedule": Field("When it is started by itself.", ScheduleKind()),
        "webhooks": Field("Who is told when a workflow has ended, signed (Standard Webhooks).", Several(WEBHOOK, 10)),
        "output": Field("What the workflow gives when it is completed.", AnyTemplate(DECIDING)),
    },
    required=("type", "steps"),
    later=NOT_YET["definition"],
)
