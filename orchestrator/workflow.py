"""One workflow as its moves see it: the state that the ledger keeps, loaded step by step, and what a move changed.

A `Workflow` is built by the ledger under the lock of the workflow's row. The moves (`orchestrator.moves`) read steps
with `step`, take them for writing with `change`, append events, and name what is to be published; the ledger then
writes all of it in the same transaction. Steps are loaded by name, so that a move costs what it touches.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from orchestrator.definition import Call, Definition
from orchestrator.jsontype import Json
from orchestrator.plan import Fragment
from orchestrator.priority import Priority
from orchestrator.shares import Aside, Key
from orchestrator.states import (
    FINAL,
    SETTLED,
    STEP_MOVES,
    UNDER_WAY,
    WORKFLOW_MOVES,
    Compensation,
    Effect,
    StepStatus,
    Waiting,
    WorkflowStatus,
)

UNDO = ":undo"

START = Waiting.START
"""What a step waits for whose workflow is not to begin yet."""

_ONLY_WAITS = (Waiting.TIMER, Waiting.APPROVAL)

UNCHANGED: Final[Json] = object()
"""Stands for a result or an error that the move left as the ledger has it."""

OF_ITEMS: Final[Json] = object()
"""Stands for the result of a step with `forEach`: those of its items, in order, which the ledger puts together."""


class Kind(StrEnum):
    """What a step's row stands for.

    A step of the definition, or the undoing of one (named `<step>:undo`); one item of a step with `forEach`
    (`<step>[3]`), or the undoing of that (`<step>[3]:undo`).
    """

    CALL = "call"
    UNDO = "undo"
    ITEM = "item"
    ITEM_UNDO = "item-undo"

    @property
    def undoes(self) -> bool:
        """Whether its call takes something back."""
        return self in (Kind.UNDO, Kind.ITEM_UNDO)

    @property
    def of_item(self) -> bool:
        """Whether it belongs to one item: a step of the definition waits for it and counts it."""
        return self in (Kind.ITEM, Kind.ITEM_UNDO)


class Carrier(StrEnum):
    """Who brings a step's message once it is ready.

    `fragment`: the move that makes it ready publishes the fragment of the plan that it heads. `canvas`: a Celery chain
    or chord brings it. `alone`: the move that makes it ready publishes it by itself, its canvas being gone. `kept`: as
    `alone`, because a worker kept it or what comes before it there; what comes after it learns that when it settles.
    """

    FRAGMENT = "fragment"
    CANVAS = "canvas"
    ALONE = "alone"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Items:
    """How far a step with `forEach` is, or its undo.

    `under_way` counts those that were sent and have not settled, waits between attempts included; `next` is the row
    that is sent when one of them has, None where all were. `stopped` is why no more are sent, as `StepError` has it.
    """

    total: int
    under_way: int = 0
    completed: int = 0
    failed: int = 0
    next: str | None = None
    stopped: Json = None


@dataclass(slots=True)
class StepState:
    """A step's row. Times are seconds since 1970.

    `waits_for` counts prerequisites not settled yet, `arrived` those that let it go on. `attempts` counts claims
    since the start, `failures` and `losses` those that ended badly since the last `retry` by a person; `trying_since`
    is when the first attempt since then was begun. `wake_at` is when the reconciler must look at it, None where nothing
    is due; `sent_at` when its message was sent. `waiting_for` is a word of `Waiting`; a step that polls keeps it while
    it asks. `memo` is what it was parked with. `following` is what a compensation precedes, or which item comes after
    this one. `items` says how far a step with `forEach` is that was expanded.
    `error`, `result` and an item's own value (`item`, written once) are written, never loaded: the moves do not need
    them (`UNCHANGED` keeps what is stored).
    """

    name: str
    kind: Kind = Kind.CALL
    status: StepStatus = StepStatus.PENDING
    waits_for: int = 0
    arrived: int = 0
    carrier: Carrier = Carrier.ALONE
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    key_round: int = 0
    effect: Effect = Effect.NONE
    tolerated: bool = False
    worker: str | None = None
    started_at: float | None = None
    trying_since: float | None = None
    attempt_at: float | None = None
    completed_at: float | None = None
    wake_at: float | None = None
    sent_at: float | None = None
    waiting_for: str | None = None
    memo: Json = None
    following: list[str] | None = None
    items: Items | None = None
    item: Json = UNCHANGED
    result: Json = UNCHANGED
    error: Json = UNCHANGED

    @property
    def settled(self) -> bool:
        """Whether nothing can happen to it any more (but for a person's `retry`)."""
        return self.status in SETTLED

    @property
    def under_way(self) -> bool:
        """Whether an attempt of it has begun, and what it called may yet act."""
        return self.status is StepStatus.RUNNING or (not self.settled and self.waiting_for in UNDER_WAY)

    def move(self, status: StepStatus) -> None:
        """Change the status along an arrow of `orchestrator.states`; anything else is a bug and says so."""
        if status not in STEP_MOVES[self.status]:
            raise ValueError(f"step {self.name}: {self.status} does not become {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Parent:
    """The step that started a workflow; `types` are those of all workflows above it, the outermost first."""

    workflow_id: str
    step: str
    types: list[str]


@dataclass(slots=True)
class Head:
    """A workflow's own row, without its output; `context` and `sealed` are read for claims only.

    `rerun_as` is the newest fresh copy of it, `webhook_url` what is told of its end besides its definition's webhooks.
    """

    id: str
    type: str
    version: str
    created_at: float
    status: WorkflowStatus = WorkflowStatus.RUNNING
    ending: WorkflowStatus | None = None
    compensation: Compensation = Compensation.NONE
    compensate: bool = True
    unsettled: int = 0
    draining: int = 0
    undo_failures: int = 0
    replanned: bool = False
    completed_at: float | None = None
    deadline_at: float | None = None
    wake_at: float | None = None
    error: Json = None
    rerun_as: str | None = None
    webhook_url: str | None = None
    parent: Parent | None = None
    priority: Priority = Priority.NORMAL
    context: Json = None
    sealed: str | None = None
    traceparent: str | None = None

    @property
    def final(self) -> bool:
        """Whether the workflow has ended."""
        return self.status in FINAL

    @property
    def failing(self) -> bool:
        """Whether it is bound to end as failed or cancelled (or has)."""
        return self.ending is not None and not self.completing

    @property
    def completing(self) -> bool:
        """Whether a step has ended it as completed: what is in flight is waited for, nothing more is started."""
        return self.ending is WorkflowStatus.COMPLETED

    def move(self, status: WorkflowStatus) -> None:
        """Change the status along an arrow of `orchestrator.states`; anything else is a bug and says so."""
        if status not in WORKFLOW_MOVES[self.status]:
            raise ValueError(f"workflow {self.id}: {self.status} does not become {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Event:
    """One change of state, for the audit log: `type` such as `step.completed`, details without bodies or secrets."""

    type: str
    step: str | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be sent to the workers once the transaction is committed: whole fragments and single steps."""

    workflow_id: str
    workflow_type: str
    fragments: tuple[Fragment, ...] = ()
    steps: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL

    def __bool__(self) -> bool:
        return bool(self.fragments or self.steps)


Loader = Callable[[Collection[str] | None], Iterable[StepState]]
"""Fetches the named steps of one workflow (None: all of them)."""


Limited = Callable[[Call], bool]
"""Whether a call needs a slot before it is made."""


def limited(call: Call) -> bool:
    """Whether the call needs a slot before it is made, as far as its definition says."""
    return call.limit is not None


SentAside = Callable[[Key, Call], Aside | None]
"""Whether a step must wait, as its host has its share of the worker that would claim it."""


def never_aside(key: Key, call: Call) -> None:
    """Where no worker claims, or a worker knows no shares."""


class Workflow:
    """A workflow under its lock, with as many of its steps as were asked for."""

    def __init__(
        self,
        head: Head,
        definition: Definition,
        loader: Loader,
        needs_slot: Limited = limited,
        aside: SentAside = never_aside,
    ) -> None:
        self.head = head
        self._loaded_head = replace(head)
        self.definition = definition
        self.limited = needs_slot
        self.aside = aside
        self.events: list[Event] = []
        self.added: dict[str, StepState] = {}
        self.changed: dict[str, StepState] = {}
        self._loader = loader
        self._steps: dict[str, StepState] = {}
        self._absent: set[str] = set()
        self._whole = False
        self._fragments: dict[tuple[str, ...], Fragment] = {}
        self._alone: dict[str, None] = {}
        self._ready: dict[str, None] = {}

    @property
    def head_changed(self) -> bool:
        """Whether the workflow's own row has to be written."""
        return self.head != self._loaded_head

    def load(self, names: Iterable[str]) -> None:
        """Have these steps at hand, with one query for those that are not yet."""
        wanted = [name for name in names if name not in self._steps and name not in self._absent]
        if not wanted or self._whole:
            return
        for step in self._loader(wanted):
            self._steps.setdefault(step.name, step)
        self._absent.update(name for name in wanted if name not in self._steps)

    def have(self, steps: Iterable[StepState]) -> None:
        """Take in steps that the ledger fetched ahead."""
        for step in steps:
            self._steps.setdefault(step.name, step)

    def find(self, name: str) -> StepState | None:
        """The step for reading, None where the workflow has none of that name."""
        self.load([name])
        return self._steps.get(name)

    def step(self, name: str) -> StepState:
        """The step for reading; a KeyError where there is none."""
        self.load([name])
        return self._steps[name]

    def change(self, name: str) -> StepState:
        """The step for writing."""
        step = self.step(name)
        if name not in self.added:
            self.changed[name] = step
        return step

    def add(self, step: StepState) -> None:
        """A new row: a compensation."""
        self._steps[step.name] = step
        self._absent.discard(step.name)
        self.added[step.name] = step

    def all(self) -> list[StepState]:
        """Every step. Linear in the workflow's size: for the moves that end or resume it, not for those that go on."""
        if not self._whole:
            for step in self._loader(None):
                self._steps.setdefault(step.name, step)
            self._whole = True
        return list(self._steps.values())

    def close(self, step: StepState, status: StepStatus, now: float) -> None:
        """The step has settled."""
        self.change(step.name)
        step.move(status)
        step.completed_at = now
        step.wake_at = None
        step.waiting_for = step.memo = None
        step.worker = None
        if step.kind is Kind.CALL:
            self.head.unsettled -= 1

    def record(self, event: str, step: str | None = None, **details: Json) -> None:
        """Append an event."""
        self.events.append(Event(event, step, details))

    def made_ready(self, name: str) -> None:
        """The step may be claimed from now on."""
        self._ready[name] = None

    @property
    def ready(self) -> list[str]:
        """The steps that the present move has made ready so far."""
        return list(self._ready)

    def withhold(self, names: Collection[str]) -> None:
        """Send nothing for these steps, which were taken: neither alone nor the fragments that they head."""
        for name in names:
            self._alone.pop(name, None)
        self._fragments = {
            heads: fragment for heads, fragment in self._fragments.items() if not set(heads) & set(names)
        }

    def publish_fragment(self, fragment: Fragment) -> None:
        """Have the fragment sent after the commit, once however many of its heads became ready."""
        self._fragments[fragment.heads] = fragment

    def publish_alone(self, name: str) -> None:
        """Have the step's own message sent after the commit."""
        self._alone[name] = None

    def take_publication(self) -> Publication:
        """What is to be sent for the moves since the last time."""
        fragments, alone = tuple(self._fragments.values()), tuple(self._alone)
        taken = Publication(self.head.id, self.head.type, fragments, alone, self.head.priority)
        self._fragments, self._alone, self._ready = {}, {}, {}
        return taken

    def fans_out(self, step: StepState) -> bool:
        """Whether the row calls nothing itself: it becomes one row an item."""
        return not step.kind.of_item and self.definition.steps[step_of(step.name)].for_each is not None

    def needs_slot(self, step: StepState) -> bool:
        """Whether the row's call has to have a slot before it is made."""
        return not self.fans_out(step) and self.limited(self.call_of(step))

    def call_of(self, step: StepState) -> Call:
        """The request that the row stands for."""
        own = self.definition.steps[step_of(step.name)]
        if not step.kind.undoes:
            return own.call
        undo = own.compensate
        assert undo is not None, f"{step.name} has no compensation in its definition"
        return undo

    def acts(self, step: StepState) -> bool:
        """Whether the row stands for something done in the world.

        A step that only waits does nothing there, nor does one that waits for its items: they do.
        """
        if self.fans_out(step):
            return False
        return step.kind.undoes or self.definition.steps[step_of(step.name)].awaits not in _ONLY_WAITS


def undo_of(step: str) -> str:
    """The name of the compensation of a step."""
    return step + UNDO


def undone_by(name: str) -> str:
    """The name of the step, or the item, that a compensation undoes."""
    return name.removesuffix(UNDO)


def item_of(step: str, index: int) -> str:
    """The name of an item's row."""
    return f"{step}[{index}]"


def step_of(name: str) -> str:
    """The step of the definition that a row of any kind belongs to. No step's own name has a bracket or a colon."""
    return undone_by(name).partition("[")[0]


def with_waiters(name: str) -> tuple[str, ...]:
    """The row; where it is an item's, also the step's, or its undo's."""
    step = step_of(name)
    if "[" not in name:
        return (name,)
    return (name, step, undo_of(step)) if name.endswith(UNDO) else (name, step)


def index_of(name: str) -> int:
    """The place of an item, or of the undoing of one, in its step's list."""
    return int(undone_by(name).partition("[")[2].removesuffix("]"))
