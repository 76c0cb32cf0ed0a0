"""A step that starts another workflow: once, waited for, cancelled and undone with its parent.

Everything here can be done again: the child is found by a start key that only its parent's step can have, and each
order to it is one that asking twice does not change. The step is parked; the transaction that ends the child wakes it,
and should that be missed (the child was faster than the parking), it looks by itself, seldomer each time.
"""

from collections.abc import Callable, Mapping

from orchestrator.admission import Wish, admit
from orchestrator.definition import NO_REQUEST, Child, Definition
from orchestrator.errors import Conflict, ContextError, DefinitionError, Unavailable
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.children import Standing, child_key, child_of
from orchestrator.ledger.materials import Materials
from orchestrator.ledger.starting import start_child
from orchestrator.moves.move import Control
from orchestrator.outcome import Completed, Failed, Outcome, Parked, StepError
from orchestrator.request import Surroundings, scope_of
from orchestrator.sealing import without
from orchestrator.states import FINAL, Compensation, Effect, Waiting, WorkflowStatus
from orchestrator.workflow import Parent, Publication

MOST_DEPTH = 8
"""Workflows above one another."""

LONGEST = 30.0
"""Seconds between two looks at a child of which nothing is heard."""


class Children:
    """Starts, watches, cancels and undoes the children of the steps that a worker brings."""

    def __init__(
        self,
        ledger: Ledger,
        definitions: Callable[[], Mapping[str, Definition]],
        publish: Callable[[Publication], None],
    ) -> None:
        self._ledger = ledger
        self._definitions = definitions
        self._publish = publish

    def outcome(self, materials: Materials, around: Surroundings) -> Outcome | None:
        """How the step's child stands, started where it is not; None for a step that has none."""
        child = materials.own.child
        if child is None:
            return None
        try:
            if materials.undone is not None:
                return self._undone(materials, child)
            return self._begun(materials, child, around)
        except Unavailable:
            return _later(materials)  # what was begun, if it was, is found by its key

    def _begun(self, materials: Materials, child: Child, around: Surroundings) -> Outcome:
        key = child_key(materials.workflow_id, materials.step.name, materials.step.key_round)
        found = child_of(self._ledger, child.type, key)
        if found is None:
            return self._start(materials, child, around, key)
        if found.status in FINAL:
            return _came(found)
        if materials.failing and found.status in (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED):
            self._order(found, "cancel", materials, compensate=materials.compensate)
        return _later(materials)

    def _start(self, materials: Materials, child: Child, around: Surroundings, key: str) -> Outcome:
        definition, wrong = self._startable(materials, child)
        if definition is None:
            return _never(wrong)
        scope = scope_of(materials, around)
        context = without(materials.context, materials.definition.sensitive)
        if child.context is not None:
            context = child.context.render(scope)
        above = [] if materials.parent is None else materials.parent.types
        parent = Parent(materials.workflow_id, materials.step.name, [*above, materials.definition.type])
        try:
            wish = Wish(context, _actor(materials), traceparent=materials.traceparent, priority=materials.priority)
            wanted = admit(definition, wish, around.sealer)
        except ContextError as error:
            return _never(f"the context does not fit {child.type}: {error}")
        self._publish(start_child(self._ledger, definition, wanted, parent, key).publication)
        return _later(materials)

    def _startable(self, materials: Materials, child: Child) -> tuple[Definition | None, str]:
        """The child's definition; where it may not be started, None and why."""
        if materials.failing:
            return None, "the workflow began to fail before it was started"
        above = [] if materials.parent is None else materials.parent.types
        if child.type in (*above, materials.definition.type):
            return None, f"{child.type} is among the workflows that started this one: it would go on for ever"
        if len(above) + 1 >= MOST_DEPTH:
            return None, f"there are {MOST_DEPTH} workflows above it, which is the most"
        try:
            known = self._definitions()
        except DefinitionError as error:
            return None, f"the definitions have faults: {error}"
        if child.type not in known:
            return None, f"there is no definition of type {child.type}; there are {', '.join(sorted(known)) or 'none'}"
        return known[child.type], ""

    def _undone(self, materials: Materials, child: Child) -> Outcome | None:
        """The child first, then what the step's own `compensate` calls (None: go on to that)."""
        undone = materials.undone
        assert undone is not None, "only a compensation undoes a step"
        key = child_key(materials.workflow_id, undone.name, undone.key_round)
        found = child_of(self._ledger, child.type, key)
        match None if found is None else found.status:
            case WorkflowStatus.COMPLETED:
                self._order(found, "undo", materials)
            case WorkflowStatus.RUNNING | WorkflowStatus.PAUSED:
                self._order(found, "cancel", materials)
            case None if undone.effect is Effect.DONE:
                return Failed(
                    StepError("child", "the workflow that it had started is not there"), Effect.NONE, retryable=False
                )
            case None | WorkflowStatus.FAILED | WorkflowStatus.CANCELLED:
                return _undoing_came(materials, found)
        return _later(materials)

    def _order(self, child: Standing | None, verb: str, materials: Materials, *, compensate: bool = True) -> None:
        assert child is not None, "nobody orders what is not there"
        try:
            [made] = self._ledger.make([Control(child.workflow_id, verb, _actor(materials), compensate)])
        except Conflict:
            return  # it has moved on meanwhile: the next look sees how it stands
        self._publish(made.publication)


def _actor(materials: Materials) -> str:
    return f"workflow {materials.workflow_id}"


def _later(materials: Materials) -> Parked:
    """Look again, seldomer each time."""
    memo = materials.step.memo
    looks = memo.get("looks", 0) if isinstance(memo, dict) else 0
    return Parked(Waiting.CHILD, seconds=min(2.0**looks, LONGEST), memo={"looks": min(looks + 1, 10)})


def _never(why: str) -> Failed:
    return Failed(StepError("request", f"no child was started: {why}"), Effect.NONE, retryable=False)


def _came(child: Standing) -> Outcome:
    """The child's end as its step's. One that failed has undone itself, unless that failed too."""
    if child.status is WorkflowStatus.COMPLETED:
        return Completed(child.output)
    effect = Effect.UNKNOWN if child.compensation is Compensation.FAILED else Effect.NONE
    message = f"workflow {child.workflow_id} ended {child.status.value}: {_told(child.error)}"
    return Failed(StepError("child", message), effect, retryable=False)


def _undoing_came(materials: Materials, child: Standing | None) -> Outcome | None:
    if child is not None and child.compensation is Compensation.FAILED:
        message = f"workflow {child.workflow_id} could not be undone: retry it, then this one"
        return Failed(StepError("child", message), Effect.NONE, retryable=False)
    more = materials.call.target_url is not NO_REQUEST or materials.call.task is not None
    return None if more else Completed(None)


def _told(error: Json) -> str:
    return str(error.get("message", error.get("kind", ""))) if isinstance(error, dict) else "no error was recorded"
