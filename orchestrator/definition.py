"""A workflow definition as typed values: read once by `orchestrator.reading`, never looked at as raw JSON again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from orchestrator.credentials import Auth
from orchestrator.expressions import Expression, References, Template, compile_template
from orchestrator.graph import Graph
from orchestrator.jsontype import Json
from orchestrator.limits import Allowance
from orchestrator.plan import Plan, plan
from orchestrator.priority import Priority
from orchestrator.rhythm import CatchUp, Rhythm
from orchestrator.states import Waiting

RETRY_CLASSES: Mapping[str, frozenset[str]] = {
    "connection": frozenset({"dns", "refused", "connect", "tls"}),
    "timeout": frozenset({"timeout"}),
    "refused": frozenset({"refused"}),
    "dns": frozenset({"dns"}),
    "tls": frozenset({"tls"}),
    "auth": frozenset({"auth"}),
    "dropped": frozenset({"dropped"}),
    "answer": frozenset({"answer"}),
}
"""What a class in `retry.on` stands for, as kinds of `StepError`. `4xx` and `5xx` are classes too, of statuses."""

STATUS_CLASSES: Mapping[str, range] = {"4xx": range(400, 500), "5xx": range(500, 600)}


@dataclass(frozen=True, slots=True)
class RetryOn:
    """What is worth another attempt, in place of the default table (`orchestrator.judging`): any of these.

    `kinds` are those of `StepError`; a condition reads `response` and `error`.
    """

    statuses: frozenset[int] = frozenset()
    kinds: frozenset[str] = frozenset()
    conditions: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a failed attempt is made again. Times are seconds.

    `retries` counts the attempts after the first. The wait before the n-th of them (from 0) is
    `min(max_delay, delay * factor ** n)`, with full jitter a uniform share of that. No attempt is begun later than
    `budget` after the first one; `on` says after which failures (None: by the default table).
    """

    retries: int = 3
    delay: float = 1.0
    factor: float = 2.0
    max_delay: float = 60.0
    jitter: Literal["full", "none"] = "full"
    on: RetryOn | None = None
    budget: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """The calls of one `key` (None: of the host that is called) share an allowance, in all workflows together."""

    allowance: Allowance
    key: Template | None = None


@dataclass(frozen=True, slots=True)
class CeleryTask:
    """A Celery task of somebody else's workers, which consume `queue`; `args` give a list, `kwargs` an object."""

    name: str
    queue: str
    args: Template | None = None
    kwargs: Template | None = None


@dataclass(frozen=True)
class Call:
    """The request of a step or a compensation, before its expressions are filled in.

    `timeout` is seconds for one whole attempt. Without `payload` the step is sent the context and all earlier results.
    With `task` there is no request: that is sent.
    """

    target_url: Template
    method: str = "POST"
    headers: Mapping[str, Template] = field(default_factory=dict)
    query: Mapping[str, Template] = field(default_factory=dict)
    auth: Auth | None = None
    payload: Template | None = None
    encoding: Literal["json", "form"] = "json"
    timeout: float = 30.0
    retry: RetryPolicy = RetryPolicy()
    success: Expression | None = None
    result: Expression | None = None
    idempotency_key: Template | None = None
    idempotent: bool = True
    limit: Limit | None = None
    task: CeleryTask | None = None

    @cached_property
    def judging(self) -> tuple[Expression, ...]:
        """The expressions that judge an answer: `success`, `result` and the conditions of `retry.on`."""
        conditions = () if self.retry.on is None else self.retry.on.conditions
        return tuple(one for one in (self.success, self.result, *conditions) if one is not None)

    @cached_property
    def references(self) -> References:
        """Everything that the request's expressions read (those that judge its answer included)."""
        parts: list[Template | Expression | None] = [
            self.target_url,
            *self.headers.values(),
            *self.query.values(),
            self.payload,
            *self.judging,
            self.idempotency_key,
            None if self.limit is None else self.limit.key,
            *(() if self.task is None else (self.task.args, self.task.kwargs)),
        ]
        parts_of_auth = [] if self.auth is None else [self.auth.references]
        return References.union([*(part.references for part in parts if part is not None), *parts_of_auth])


NO_REQUEST = compile_template("")
"""The URL, and the payload, of a step that makes no request of its own: it reads nothing."""


NO_CALL = Call(NO_REQUEST, payload=NO_REQUEST, retry=RetryPolicy(retries=0))
"""The call of a step that makes no request of its own."""


@dataclass(frozen=True, slots=True)
class Callback:
    """The service accepts the request with a 2xx, and says later what came of it: within `timeout` seconds."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Approval:
    """A person decides, within `timeout` seconds, having been shown `message`."""

    timeout: float
    message: Template | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens, for `seconds` or until the time that `until` gives."""

    seconds: float | None = None
    until: Template | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """The service accepts the request with a 2xx, and is asked `every` so many seconds how it stands, by GET.

    At `url` (None: the `Location` of what accepted the request), until `done` or `failed` holds or `timeout` seconds
    have passed.
    """

    done: Expression
    failed: Expression | None = None
    url: Template | None = None
    every: float = 5.0
    timeout: float = 3600.0

    @property
    def asking(self) -> tuple[Expression | Template, ...]:
        """What reads an answer."""
        return tuple(part for part in (self.done, self.failed, self.url) if part is not None)


@dataclass(frozen=True, slots=True)
class Child:
    """Another workflow, of this `type`; with None for the context, that of its parent without what is sensitive."""

    type: str
    context: Template | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many items of a `forEach` may fail: a number, and a share (0 to 1) of all of them."""

    number: int = 0
    share: float = 0.0

    def of(self, total: int) -> int:
        """As a number of items; a share is rounded down."""
        # Of what cannot be written exactly: 0.1 * 30 is a little more than 3, 0.29 * 100 a little less than 29.
        return self.number + math.floor(self.share * total + 1e-9)


@dataclass(frozen=True, slots=True)
class ForEach:
    """One call for each item of a list that is known when the step's turn comes.

    At most `max_parallel` calls are under way at a time.
    """

    items: Template
    max_parallel: int = 20
    tolerate: Tolerance = Tolerance()


@dataclass(frozen=True)
class Step:
    """One named step.

    At most one of `callback`, `approval`, `wait`, `poll`, `child` and `call.task` is given: what its attempt is parked
    for. With `approval`, `wait`, `child` or a task there is no request (`NO_REQUEST`).

    `after` holds what it waits for, whichever end of the edge said so; `join` how many of those must have completed
    (None: all must have settled). `fallback` names the step that is called where this one fails. `deadline` is seconds
    for all attempts and the waits between them, from the begin of the first. Where this step completes and says `end`,
    the workflow ends so. With `for_each` the call, and what undoes it, is made for each item.
    """

    name: str
    call: Call
    after: tuple[str, ...] = ()
    join: int | None = None
    when: Expression | None = None
    optional: bool = False
    fallback: str | None = None
    compensate: Call | None = None
    deadline: float | None = None
    end: Literal["completed", "failed", "cancelled"] | None = None
    callback: Callback | None = None
    approval: Approval | None = None
    wait: Wait | None = None
    poll: Poll | None = None
    for_each: ForEach | None = None
    child: Child | None = None

    @property
    def task(self) -> CeleryTask | None:
        """The Celery task that it sends."""
        return self.call.task

    @property
    def delegated(self) -> bool:
        """Whether something else than a request is begun for it, or for its undo: a child workflow, a Celery task."""
        return self.child is not None or self.task is not None or (self.compensate or self.call).task is not None

    @cached_property
    def awaits(self) -> Waiting | None:
        """What an attempt of it is parked for once it has begun; None where its call's answer is the end of it."""
        kinds = {
            Waiting.CALLBACK: self.callback,
            Waiting.APPROVAL: self.approval,
            Waiting.TIMER: self.wait,
            Waiting.POLL: self.poll,
            Waiting.CHILD: self.child,
            Waiting.TASK: self.task,
        }
        return next((waiting for waiting, given in kinds.items() if given is not None), None)

    @cached_property
    def references(self) -> References:
        """Everything that its expressions read, those of its compensation left out."""
        parts = [self.when, None if self.for_each is None else self.for_each.items]
        return References.union([self.read_by_attempts, *(part.references for part in parts if part is not None)])

    @cached_property
    def read_by_attempts(self) -> References:
        """What each attempt reads; with `for_each`, that of each item."""
        parts: list[Template | Expression | None] = [] if self.approval is None else [self.approval.message]
        parts += [] if self.wait is None else [self.wait.until]
        parts += [] if self.child is None else [self.child.context]
        parts += [] if self.poll is None else self.poll.asking
        return References.union([self.call.references, *(part.references for part in parts if part is not None)])


ENDINGS = ("completed", "failed", "cancelled")
"""How a workflow can end."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told how a workflow has ended: `events` are of `ENDINGS`; `secret` names the one that signs.

    Where `secret` is None the installation's own secret signs.
    """

    url: Template
    events: frozenset[str] = frozenset(ENDINGS)
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When workflows are started by themselves, with what, and what becomes of ticks that were missed."""

    rhythm: Rhythm
    catch_up: CatchUp = "one"
    context: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Definition:
    """A whole workflow type.

    `version` is the SHA-256 (hex) of `document`, its canonical JSON; `deadline` is seconds; `sensitive` holds paths
    such as `context.card`. A step that is another one's `fallback` has an empty `after`: it stands where that one
    stood.
    """

    type: str
    version: str
    document: Json
    steps: Mapping[str, Step]
    entry: str | None = None
    description: str = ""
    input: Json | None = None
    sensitive: tuple[str, ...] = ()
    deadline: float | None = None
    compensation: Literal["parallel", "sequential"] = "parallel"
    output: Template | None = None
    webhooks: tuple[Webhook, ...] = ()
    schedule: Schedule | None = None
    priority: Priority = Priority.NORMAL

    @cached_property
    def stands_in_for(self) -> Mapping[str, str]:
        """Fallback step → the step whose place it takes."""
        return {step.fallback: step.name for step in self.steps.values() if step.fallback is not None}

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The names that `${secret.NAME}` reads anywhere in it."""
        calls = [call for step in self.steps.values() for call in (step.call, step.compensate) if call is not None]
        read = [call.references.secrets for call in calls]
        read += [webhook.url.references.secrets for webhook in self.webhooks]
        own = (webhook.secret for webhook in self.webhooks if webhook.secret is not None)
        return frozenset(own).union(*read)

    @cached_property
    def route(self) -> Graph:
        """What follows what where nothing fails: the fallback steps left out."""
        return Graph({name: step.after for name, step in self.steps.items() if name not in self.stands_in_for})

    @cached_property
    def graph(self) -> Graph:
        """The whole order: each fallback after the step it stands in for, and before whatever follows that."""
        after: dict[str, tuple[str, ...]] = {}
        for name, step in self.steps.items():
            before = [name_ for prerequisite in step.after for name_ in self.with_fallbacks(prerequisite)]
            stood_for = self.stands_in_for.get(name)
            after[name] = tuple(before) if stood_for is None else (stood_for,)
        return Graph(after)

    @cached_property
    def plan(self) -> Plan:
        """The canvases of an undisturbed run."""
        partial = {name for name, step in self.steps.items() if step.join is not None}
        return plan(self.route, brought=partial)

    def successors(self, name: str) -> tuple[str, ...]:
        """What waits for this step; a fallback has the successors of the step it stands in for."""
        while name in self.stands_in_for:
            name = self.stands_in_for[name]
        return self.route.successors[name]

    def starts_free(self, name: str) -> bool:
        """Whether the step waits for nothing."""
        return not self.steps[name].after and name not in self.stands_in_for

    def with_fallbacks(self, name: str) -> tuple[str, ...]:
        """The step, its fallback, the fallback's fallback and so on."""
        chain = [name]
        while (following := self.steps[chain[-1]].fallback) is not None:
            chain.append(following)
        return tuple(chain)
