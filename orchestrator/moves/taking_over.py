"""A fresh copy of a workflow takes over what the original had done, up to the step from which it is run again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from orchestrator.definition import Definition, Step
from orchestrator.errors import Conflict
from orchestrator.moves.advancing import count_down, pass_on
from orchestrator.moves.controlling import go_on
from orchestrator.states import Effect, StepStatus, WorkflowStatus
from orchestrator.workflow import Items, StepState, Workflow, undo_of


@dataclass(frozen=True, slots=True)
class Kept:
    """How a step that is taken over had settled, and what it left in the world; its items, where it has some."""

    status: StepStatus
    effect: Effect
    items: Items | None = None


def kept_for(original: Workflow, start: str) -> Mapping[str, Kept]:
    """What a copy that runs again from `start` takes over, in the order of the graph: whatever had settled before it
    or beside it. `start` is a step of the definition.

    Raises Conflict with the reason where `start` needs a step that is not completed, or where something that had been
    done is undone, or not known.
    """
    definition = original.definition
    if (stood_for := definition.stands_in_for.get(start)) is not None:
        raise Conflict(f"{start} is only called where {stood_for} fails: rerun from {stood_for}")
    rows = {row.name: row for row in original.all()}
    again, needed = definition.graph.descendants(start) | {start}, definition.graph.ancestors(start)
    ended = any(own.end and rows[name].status is StepStatus.COMPLETED for name, own in definition.steps.items())
    kept = {}
    for name in definition.graph.order:
        if name in again:
            continue
        one = _kept(original, rows[name], rows.get(undo_of(name)), ended)
        if one is not None:
            kept[name] = one
        elif name in needed:
            raise Conflict(f"{start} needs {name}, which is {rows[name].status} and not completed: rerun from {name}")
    return kept


def _is_undone_elsewhere(step: Step) -> bool:
    """Whether a copy could not undo it: a child is its parent's, a Celery task is told the key of what it undoes."""
    return step.child is not None or (step.compensate is not None and step.compensate.task is not None)


def _kept(original: Workflow, step: StepState, undo: StepState | None, ended: bool) -> Kept | None:
    """How the step is taken over; None where it has not settled, and is run in the copy."""
    undone = undo is not None and undo.status is StepStatus.COMPLETED
    if step.status is StepStatus.COMPLETED:
        if undo is not None:
            state = "was undone" if undone else "could not be undone for certain"
            raise Conflict(f"{step.name} {state}, so it cannot be taken over: rerun from it, or from what comes before")
        if _is_undone_elsewhere(original.definition.steps[step.name]):
            raise Conflict(f"{step.name} is undone by what only its own workflow knows: rerun from it, or all of it")
        if original.definition.steps[step.name].end is not None:
            raise Conflict(f"{step.name} has ended the workflow, as its definition says: rerun from it")
        return Kept(step.status, step.effect, step.items)
    if step.effect is not Effect.NONE and not undone:
        raise Conflict(f"{step.name} is {step.status}, and what it has done is not known: rerun from it")
    if step.status is StepStatus.SKIPPED and not ended:
        return Kept(step.status, Effect.NONE)
    return Kept(step.status, Effect.NONE) if step.status is StepStatus.FAILED and step.tolerated else None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The first move of a copy: what the workflow `origin` had done counts as done here."""

    workflow_id: str
    origin: str
    kept: Mapping[str, Kept]

    def touches(self, definition: Definition) -> Collection[str]:
        """Nothing ahead: this loads all of the workflow."""
        return ()

    def make(self, workflow: Workflow, now: float) -> None:
        """See `take_over`."""
        take_over(workflow, self.origin, self.kept, now)


def take_over(workflow: Workflow, origin: str, kept: Mapping[str, Kept], now: float) -> None:
    """Settle these steps of a workflow that has just been written, in their order, and send what they let go on.

    Raises Conflict where that alone would make it fail.
    """
    head = workflow.head
    workflow.all()
    head.status = WorkflowStatus.PAUSED  # nothing is sent before all of it is taken over
    for name, one in kept.items():
        step = workflow.change(name)
        if not step.settled:
            _settle(workflow, step, one, now)
        workflow.record("step.takenOver", name, status=one.status.value, **{"from": origin})
    head.status = WorkflowStatus.RUNNING
    if head.ending is not None:
        raise Conflict("a step waits for more steps to complete than had, and those are taken over: rerun all of it")
    go_on(workflow, now)
    head.replanned = False  # that says that somebody has asked for a `retry`


def _settle(workflow: Workflow, step: StepState, kept: Kept, now: float) -> None:
    step.effect = kept.effect
    step.items = kept.items
    if step.status is StepStatus.PENDING and kept.status is StepStatus.COMPLETED:
        step.move(StepStatus.RUNNING)
    workflow.close(step, kept.status, now)
    fallback = workflow.definition.steps[step.name].fallback
    if kept.status is StepStatus.FAILED:
        step.tolerated = True
        if fallback is not None:
            count_down(workflow, fallback, now)
            return
    pass_on(workflow, step, now)
