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

A step with `end` takes the same ways when it completes: to `completed`, or over `compensating` to the others.

`compensating` begins the moment nothing new may start: steps in flight are waited for, then what took effect is undone.
A paused workflow that fails stays paused: it is `compensating` once it is resumed.

A step (a compensation is a step too)::

    pending ──claim──► running ──settle──► completed | failed | skipped
     │ ▲ ▲              │  │
     │ │ └──── lost ────┘  └──park──► waiting ──wake──► pending
     │ └── retry ── failed
     ├── a branch that was not taken ──► skipped
     └── a join that cannot be reached ──► failed

A step that waits when the workflow begins to fail has failed: its next attempt is not made.
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
    WorkflowStatus.COMPLETED: frozenset(),
    # Final for every machine; only a person's `retry` opens them again, and it says so in the audit log.
    WorkflowStatus.FAILED: frozenset({WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING}),
    WorkflowStatus.CANCELLED: frozenset({WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING}),
}

STEP_MOVES: dict[StepStatus, frozenset[StepStatus]] = {
    StepStatus.PENDING: frozenset({StepStatus.RUNNING, StepStatus.SKIPPED, StepStatus.FAILED}),
    StepStatus.RUNNING: frozenset(
        {
            StepStatus.COMPLETED,
            StepStatus.FAILED,
            StepStatus.SKIPPED,
            StepStatus.WAITING,
            StepStatus.PENDING,  # the worker is lost: the step may be claimed again
        }
    ),
    # Failed: the workflow ended while the step waited.
    StepStatus.WAITING: frozenset({StepStatus.PENDING, StepStatus.FAILED}),
    StepStatus.COMPLETED: frozenset(),
    StepStatus.FAILED: frozenset({StepStatus.PENDING}),
    StepStatus.SKIPPED: frozenset(),
}
