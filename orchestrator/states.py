"""The statuses of workflows and steps, and every move between them.

A workflow::

    running ──────────────► completed
      │ ▲ ▲
      │ │ └── retry ◄────────────── failed | cancelled  (before any undo began)
      │ └─ resume ◄─ paused ◄─ pause
      │
      └─ a step failed for good, cancel, deadline ─► compensating ─► failed | cancelled
                                                       ▲                │
                                                       └───── retry ────┘  (where an undo failed)

A completed workflow that another one had started is `compensating` again where that one is undone; it ends cancelled.
A step with `end` takes the same ways when it completes: to `completed`, or over `compensating` to the others.

`compensating` begins the moment nothing new may start: steps in flight are waited for, then what took effect is undone.
A paused workflow that fails stays paused: it is `compensating` once it is resumed.

A step (a compensation is a step too)::

    pending ──claim──► running ──settle──► completed | failed | skipped
     │ ▲ ▲              │  │
     │ │ └──── lost ────┘  └──park──► waiting ──wake──► pending
     │ └── retry ── failed             ▲ └── answered, its items ended, its time over ──► completed | failed
     ├── held back ────────────────────┘
     ├── a branch that was not taken ──► skipped
     └── a join that cannot be reached ──► failed

What a waiting step waits for is a word of `Waiting`. When the workflow begins to fail, a step whose service may yet act
(`UNDER_WAY`) is waited for like a call; any other that waits has failed: its next attempt is not made. One that was
never attempted is pending again.
A pending step is completed without a call where the answer to an attempt whose worker was lost comes after all.
Everything outside these tables is refused by `orchestrator.moves`; `tests/unit/test_states.py` walks them.
"""

from enum import StrEnum


class WorkflowStatus(StrEnum):
    """Where a workflow stands. The last three are final."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """Where a step stands. The last three are settled."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Waiting(StrEnum):
    """What a parked step waits for.

    `retry`: the time of its next attempt. `start`: the time that the workflow's start was put off to. `timer`: a time
    that its definition names. `callback`: what the service says when it has done what it accepted. `approval`: what a
    person decides. `poll`: the time to ask again how it stands. `child`: the end of a workflow, `task`: of a Celery
    task, that it began. `items`: the calls of a step with `forEach`, or the undoing of them. `limit`: a place under a
    limit. `circuit`: a service that fails. `share`: a place in a worker, of which its slow host has its share.
    """

    RETRY = "retry"
    START = "start"
    TIMER = "timer"
    CALLBACK = "callback"
    APPROVAL = "approval"
    POLL = "poll"
    CHILD = "child"
    TASK = "task"
    ITEMS = "items"
    LIMIT = "limit"
    CIRCUIT = "circuit"
    SHARE = "share"


UNDER_WAY = frozenset({Waiting.CALLBACK, Waiting.POLL, Waiting.CHILD, Waiting.TASK})
"""While a step waits for one of these, what its attempt began may yet act in the world."""

BEGUN = UNDER_WAY | {Waiting.TIMER, Waiting.APPROVAL}
"""For these a step waits within an attempt, for the others until its next one."""


class Compensation(StrEnum):
    """How the undoing of a failed or cancelled workflow went; `failed` needs a person."""

    NONE = "none"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Effect(StrEnum):
    """What a step's calls did in the world. `unknown` counts as done wherever money is at stake."""

    NONE = "none"
    DONE = "done"
    UNKNOWN = "unknown"


FINAL = frozenset({WorkflowStatus.COMPLETED, WorkflowStatus.FAILED, WorkflowStatus.CANCELLED})
SETTLED = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED})

WORKFLOW_MOVES: dict[WorkflowStatus, frozenset[WorkflowStatus]] = {
    WorkflowStatus.RUNNING: frozenset({WorkflowStatus.COMPLETED, WorkflowStatus.PAUSED, WorkflowStatus.COMPENSATING}),
    WorkflowStatus.PAUSED: frozenset({WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING}),
    WorkflowStatus.COMPENSATING: frozenset({WorkflowStatus.FAILED, WorkflowStatus.CANCELLED}),
    # Only where the workflow that had started it is undone.
    WorkflowStatus.COMPLETED: frozenset({WorkflowStatus.COMPENSATING}),
    # Final for every machine; only a person's `retry` opens them again, and it says so in the audit log.
    WorkflowStatus.FAILED: frozenset({WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING}),
    WorkflowStatus.CANCELLED: frozenset({WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING}),
}

STEP_MOVES: dict[StepStatus, frozenset[StepStatus]] = {
    # Completed: its worker was lost, but not what it had called.
    StepStatus.PENDING: frozenset(
        {StepStatus.RUNNING, StepStatus.WAITING, StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.FAILED}
    ),
    StepStatus.RUNNING: frozenset(
        {
            StepStatus.COMPLETED,
            StepStatus.FAILED,
            StepStatus.SKIPPED,
            StepStatus.WAITING,
            StepStatus.PENDING,  # the worker is lost: the step may be claimed again
        }
    ),
    # Failed also where the workflow ended while the step waited; skipped where that was before its first attempt.
    StepStatus.WAITING: frozenset({StepStatus.PENDING, StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED}),
    StepStatus.COMPLETED: frozenset(),
    StepStatus.FAILED: frozenset({StepStatus.PENDING}),
    StepStatus.SKIPPED: frozenset(),
}
