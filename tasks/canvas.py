"""A fragment of the plan → a Celery signature: the only place where shapes become chains, groups and chords.

Signatures are immutable and carry ids only, the workflow's and the step's; what a step needs it reads in the ledger.
"""

from celery import Task, chain, chord, group
from celery.canvas import Signature

from orchestrator.plan import Fragment
from orchestrator.priority import Priority
from orchestrator.shape import Chain, Chord, Group, Shape, Single
from tasks.queues import queue_of


def canvas(
    fragment: Fragment,
    *,
    workflow_id: str,
    workflow_type: str,
    step_task: Task,
    priority: Priority = Priority.NORMAL,
) -> Signature:
    """The signature that brings the whole fragment when it is published, at the time its heads may start."""
    return _Drawing(workflow_id, workflow_type, step_task, priority).of(fragment.shape)


def alone(
    step: str, *, workflow_id: str, workflow_type: str, step_task: Task, priority: Priority = Priority.NORMAL
) -> Signature:
    """The signature that brings this one step and nothing after it."""
    return _Drawing(workflow_id, workflow_type, step_task, priority).of(Single(step))


class _Drawing:
    """What all signatures of one workflow have in common."""

    def __init__(self, workflow_id: str, workflow_type: str, step_task: Task, priority: Priority) -> None:
        self._workflow_id = workflow_id
        self._workflow_type = workflow_type
        self._step_task = step_task
        # Only what leaves the usual queue names its own: messages carry their tail, and every byte counts.
        self._queue = {} if priority is Priority.NORMAL else {"queue": queue_of(priority)}

    def of(self, shape: Shape) -> Signature:
        """Recurses no deeper than the plan's window: every level inside is one step further from the heads."""
        match shape:
            case Single(step):
                return self._message(step)
            case Chain(parts):
                return chain(*[self.of(part) for part in parts])
            # Lists, not generators: Celery repeats the evaluation of a generator in some of its paths.
            case Group(branches):
                return group([self.of(branch) for branch in branches])
            case Chord(branches, join):
                return chord([self.of(branch) for branch in branches], self._message(join))

    def _message(self, step: str) -> Signature:
        # The shadow is the name that Flower shows.
        return self._step_task.si(self._workflow_id, step).set(shadow=f"{self._workflow_type}.{step}", **self._queue)
