"""What must be true of a workflow after every move, at every call and at the end, told from rows and books alone.

Nothing here asks the moves: how many prerequisites are open, what may start, what must be undone and in which order
is worked out anew from the definition and the statuses. Numbers in brackets are those of the design's invariants.
"""

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.definition import Definition
from orchestrator.states import (
    FINAL,
    SETTLED,
    STEP_MOVES,
    WORKFLOW_MOVES,
    Compensation,
    Effect,
    StepStatus,
    Waiting,
    WorkflowStatus,
)
from orchestrator.testkit.rows import Rows
from orchestrator.workflow import Event, Head, Kind, StepState, step_of, undo_of, undone_by
from tests.world.books import Books

COMPLETED, SKIPPED, FAILED = StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.FAILED

_TOLD = {
    StepStatus.RUNNING: "step.started",
    COMPLETED: "step.completed",
    SKIPPED: "step.skipped",
    FAILED: "step.failed",
}


class Broken(AssertionError):
    """An invariant does not hold."""


def check(holds: bool, invariant: str) -> None:
    """Raise `Broken` with the sentence that was false."""
    if not holds:
        raise Broken(invariant)


class Invariants:
    """The checks of one workflow. `retrying` says that a person's `retry` is being applied just now."""

    def __init__(self, definition: Definition, rows: Rows, books: Books) -> None:
        self.definition = definition
        self.rows = rows
        self.books = books
        self.retrying = False

    @property
    def head(self) -> Head:
        """The workflow's own row."""
        return self.rows.head

    @property
    def steps(self) -> Mapping[str, StepState]:
        """All rows by name."""
        return self.rows.steps

    def of(self, kind: Kind) -> list[StepState]:
        """The rows of the definition's steps, or of their undoing."""
        return [step for step in self.steps.values() if step.kind is kind]

    # After every move

    def moved(self, head: Head, steps: Mapping[str, StepState], events: Sequence[Event]) -> None:
        """A move went from these rows to the present ones, along the arrows and on record, and left them consistent."""
        self._moved_legally(head, steps)
        told = {(event.type, event.step) for event in events}
        for name, step in self.steps.items():
            asking = step.status is StepStatus.RUNNING and step.waiting_for in (
                Waiting.POLL,
                Waiting.TASK,
                Waiting.CHILD,
            )
            if step.status in _TOLD and not asking and (name not in steps or steps[name].status is not step.status):
                left = step.status is StepStatus.RUNNING and ("step.outwaited", name) in told
                check(
                    left or (_TOLD[step.status], name) in told, f"(2) {name} became {step.status}, and no event says so"
                )
        if self.head.final and self.head.status is not head.status:
            check((f"workflow.{self.head.status}", None) in told, f"(2) {self.head.status}, and no event says so")
        self.hold()

    def hold(self) -> None:
        """What is true of every state at rest."""
        self._counts_are_right()
        self._something_will_happen()
        for step in self.steps.values():
            times = sum(event.type == "step.completed" and event.step == step.name for _, event in self.rows.events)
            check(times <= 1, f"(4) {step.name} completes once, not {times} times")
        if self.head.final:
            self.at_end()

    def _moved_legally(self, head: Head, steps: Mapping[str, StepState]) -> None:
        now = self.head.status
        if head.status in FINAL and not self.retrying:
            check(head.status is now, f"(2) {head.status} is final, but became {now}")
        check(now in _reachable(head.status, WORKFLOW_MOVES), f"(2) a workflow does not go from {head.status} to {now}")
        for name, was in steps.items():
            became = self.steps[name].status
            if was.status in SETTLED and not self.retrying:
                check(became is was.status, f"(2) {name} was {was.status}, but became {became}")
            check(became in _reachable(was.status, STEP_MOVES), f"(2) {name} does not go from {was.status} to {became}")

    def _counts_are_right(self) -> None:
        head, calls = self.head, self.of(Kind.CALL)
        undoing = [undo for undo in self.of(Kind.UNDO) if not undo.settled]
        running = [step for step in self.steps.values() if step.under_way]
        if head.status is WorkflowStatus.COMPENSATING and not head.draining:
            check(head.unsettled == len(undoing), f"unsettled is {head.unsettled}, but {len(undoing)} undos are not")
            check(all(step.kind.undoes for step in running), "(7) nothing is in flight while undoing")
            check(bool(undoing), "an undoing with nothing left to undo has ended")
        elif not head.final:
            left = sum(not step.settled for step in calls) + len(undoing)
            check(head.unsettled == left, f"unsettled is {head.unsettled}, but {left} steps are not settled")
            if head.status is WorkflowStatus.RUNNING:
                check(left > 0, "a running workflow with no step left has completed")
        if head.status is WorkflowStatus.COMPENSATING and head.draining:
            check(head.draining == len(running), f"draining is {head.draining}, but {len(running)} are in flight")
        else:
            check(head.draining == 0, f"draining is {head.draining} while {head.status}")
        if head.ending is None:
            for step in calls:
                self._counts_of(step)

        for step in self.steps.values():
            if step.waiting_for == Waiting.ITEMS:
                self._items_are_counted(step)

    def _items_are_counted(self, step: StepState) -> None:
        counts, own = step.items, self.definition.steps[step_of(step.name)].for_each
        check(counts is not None and own is not None, f"{step.name} waits for its items, and has none")
        if counts is None or own is None:
            return
        ending = self.head.status is WorkflowStatus.COMPENSATING and step.kind is Kind.CALL
        rows = [row for row in self.items_of(step.name) if row.kind.undoes or step.kind is Kind.CALL]
        busy = [row for row in rows if (row.under_way if ending else self._has_its_turn(row))]
        # An undo on the way that waits for its next attempt is counted until the whole workflow is undone.
        right = counts.under_way >= len(busy) if ending else counts.under_way == len(busy)
        check(right, f"{step.name} counts {counts.under_way} under way, not {len(busy)}")
        paused = self.head.status is WorkflowStatus.PAUSED and self.head.ending is not None
        check(bool(busy) or paused or ending, f"(1) {step.name} waits for items, and none is under way")
        calls = [row for row in busy if row.kind is Kind.ITEM or step.kind is Kind.UNDO]
        check(len(calls) <= own.max_parallel, f"{step.name} has {len(calls)} items under way at a time")
        counted = [row for row in rows if row.kind is (Kind.ITEM if step.kind is Kind.CALL else Kind.ITEM_UNDO)]
        for status, number in ((COMPLETED, counts.completed), (FAILED, counts.failed)):
            there = sum(row.status is status for row in counted)
            check(there == number, f"{step.name} counts {number} {status} items, not {there}")

    def items_of(self, name: str) -> list[StepState]:
        """The rows of the items of a step, and of their undoing."""
        return [row for row in self.steps.values() if row.kind.of_item and step_of(row.name) == step_of(name)]

    def _has_its_turn(self, row: StepState) -> bool:
        return not row.settled and (row.status is not StepStatus.PENDING or row.waits_for == 0)

    def _counts_of(self, step: StepState) -> None:
        if step.name in self.definition.stands_in_for:
            return
        ends = [self.resolution(name) for name in self.definition.steps[step.name].after]
        left = sum(end is None for end in ends)
        check(step.waits_for == left, f"{step.name} waits for {step.waits_for}, but {left} are open")
        join = self.definition.steps[step.name].join
        let_go = sum(end is COMPLETED if join is not None else end not in (None, SKIPPED) for end in ends)
        check(step.arrived == let_go, f"{step.name} has {step.arrived} arrived, but {let_go} let it go on")

    def _something_will_happen(self) -> None:
        """(1) (9) Whoever may move has a time at which the reconciler looks, though no message ever arrive."""
        head = self.head
        if head.final:
            late = [step.name for step in self.steps.values() if step.wake_at is not None]
            check(not late and head.wake_at is None, f"(1) a final workflow has nothing due, not {late or 'itself'}")
            return
        if head.ending is None:
            check(head.wake_at == head.deadline_at, f"(1) the deadline is at {head.deadline_at}, not {head.wake_at}")
        for step in self.steps.values():
            if step.waiting_for == Waiting.ITEMS:
                deadline = self.definition.steps[step_of(step.name)].deadline
                ends_at = None if deadline is None else (step.trying_since or 0.0) + deadline
                check(step.wake_at in (None, ends_at), f"(1) {step.name} waits for its items, and for nothing else")
            elif step.status in (StepStatus.RUNNING, StepStatus.WAITING):
                check(step.wake_at is not None, f"(1) {step.name} is {step.status} without a time to look at it")
            elif step.status is StepStatus.PENDING and (step.under_way or self._may_start(step)):
                check(step.wake_at is not None, f"(1) {step.name} may start, but nobody will look at it")
            else:
                check(step.wake_at is None, f"(1) {step.name} cannot start, but is looked at")
        if head.status is not WorkflowStatus.PAUSED:
            moving = any(step.wake_at is not None for step in self.steps.values())
            check(moving, f"(1) a workflow that is {head.status} has a row that is looked at some time")

    def _may_start(self, step: StepState) -> bool:
        status = self.head.status
        if step.kind is Kind.ITEM:
            return status is WorkflowStatus.RUNNING and self.head.ending is None and step.waits_for == 0
        if step.kind is Kind.CALL:
            return status is WorkflowStatus.RUNNING and self.is_ready(step)
        undoing = status is WorkflowStatus.COMPENSATING and not self.head.draining
        return (undoing or status is WorkflowStatus.RUNNING) and step.waits_for == 0

    # What steps wait for

    def resolution(self, name: str) -> StepStatus | None:
        """How the step, or whoever stood in for it, let its successors go; None as long as it does not."""
        step = self.steps[name]
        while step.status is FAILED and step.tolerated:
            fallback = self.definition.steps[step.name].fallback
            if fallback is None or not self._was_called(fallback):
                if (undo := self.steps.get(undo_of(step.name))) is not None and not undo.settled:
                    return None
                return FAILED if self.definition.steps[step.name].optional else None
            step = self.steps[fallback]
        return step.status if step.status in (COMPLETED, SKIPPED) else None

    def _was_called(self, fallback: str) -> bool:
        """A fallback that was never tried and is skipped was not needed: the step itself was let go."""
        step = self.steps[fallback]
        return not (step.status is SKIPPED and step.attempts == 0)

    def is_ready(self, step: StepState) -> bool:
        """(3) Whether all that the step waits for has settled."""
        stood_for = self.definition.stands_in_for.get(step.name)
        if stood_for is not None:
            return self._gave_up_place(self.steps[stood_for])
        own = self.definition.steps[step.name]
        ends = [self.resolution(name) for name in own.after]
        if own.join is not None:
            return ends.count(COMPLETED) >= own.join
        return None not in ends and (not ends or any(end is not SKIPPED for end in ends))

    def _gave_up_place(self, step: StepState) -> bool:
        """Whether the step has failed, and what it may have done is taken back."""
        if step.status is not FAILED or not step.tolerated:
            return False
        if not self.must_be_undone(step):
            return True
        undo = self.steps.get(undo_of(step.name))
        return undo is not None and undo.status is COMPLETED

    def must_be_undone(self, step: StepState) -> bool:
        """(8) Whether the step took effect, or may have, and can be taken back."""
        return step.effect is not Effect.NONE and self.definition.steps[step_of(step.name)].compensate is not None

    # At every call

    def call_starts(self, step: StepState) -> None:
        """A step's service is being called."""
        head = self.head
        check(head.status is WorkflowStatus.RUNNING, f"(6) {step.name} is called while {head.status}")
        check(head.ending is None, f"(6) {step.name} is called after the workflow began to fail")
        if step.kind is Kind.ITEM:
            self._item_starts(step)
            return
        check(self.is_ready(step), f"(3) {step.name} is called before what it waits for has settled")
        stood_for = self.definition.stands_in_for.get(step.name)
        if stood_for is not None and self.definition.steps[stood_for].compensate is not None:
            check(
                not self.books.left_of(stood_for),
                f"(8) {step.name} is called in place of {stood_for}, whose effect is not undone",
            )

    def _item_starts(self, item: StepState) -> None:
        step = self.steps[step_of(item.name)]
        check(step.waiting_for == Waiting.ITEMS, f"{item.name} is called while {step.name} is {step.status}")
        stopped = step.items is None or step.items.stopped
        check(not stopped, f"(6) {item.name} is called although {step.name} has failed: {stopped}")

    def _item_undo_starts(self, undo: StepState) -> None:
        item, gate = self.steps[undone_by(undo.name)], self.steps.get(undo_of(step_of(undo.name)))
        check(item.effect is not Effect.NONE, f"(8) {item.name} is undone, but took no effect")
        if gate is None or gate.waiting_for != Waiting.ITEMS:
            check(item.status is FAILED and item.tolerated, f"(8) {item.name} is undone, and has not failed")
            check(self.head.status is WorkflowStatus.RUNNING, f"(6) {item.name} is undone while {self.head.status}")
            return
        if self.definition.compensation == "sequential" and self.head.status is WorkflowStatus.COMPENSATING:
            others = [row for row in self.items_of(item.name) if row.kind is Kind.ITEM]
            for other in others:
                ended, before = other.completed_at, item.completed_at
                later = other.effect is not Effect.NONE and ended and before and ended > before
                row = self.steps.get(undo_of(other.name))
                check(not later or (row is not None and row.settled), f"(8) {item.name} is undone before {other.name}")
            busy = [row.name for row in self.steps.values() if row.kind.undoes and row.status is StepStatus.RUNNING]
            check(busy == [undo.name], f"(8) one by one means one by one, not {busy}")

    def undo_starts(self, undo: StepState) -> None:
        """The service that undoes a step is being called."""
        if undo.kind is Kind.ITEM_UNDO:
            self._item_undo_starts(undo)
            return
        step, head = self.steps[undone_by(undo.name)], self.head
        check(step.effect is not Effect.NONE, f"(8) {step.name} is undone, but took no effect")
        replaced = step.tolerated
        # A retry gathers the undos of items that had failed on the way, of a step that was not to be undone.
        check(
            head.compensate or replaced or undo.items is not None,
            f"(8) {step.name} is undone, though nothing was to be",
        )
        if head.status is WorkflowStatus.RUNNING:
            check(replaced, f"(7) {step.name} is undone while the workflow runs, and it has not failed")
            return
        check(head.status is WorkflowStatus.COMPENSATING, f"(6) {step.name} is undone while {head.status}")
        in_flight = [row.name for row in self.steps.values() if row.under_way and not row.kind.undoes]
        check(not in_flight and not head.draining, f"(7) {step.name} is undone while {in_flight} is in flight")
        for other in self._undone_before(step):
            row = self.steps.get(undo_of(other.name))
            settled = row.settled if row is not None else not head.compensate
            check(settled, f"(8) {step.name} is undone before {other.name}, which came after it")

    def _undone_before(self, step: StepState) -> list[StepState]:
        others = [row for row in self.of(Kind.CALL) if row.name != step.name and self.must_be_undone(row)]
        later = [other for other in others if self.definition.graph.precedes(step.name, other.name)]
        if self.definition.compensation == "sequential":
            ended = step.completed_at
            later = [other for other in others if ended and other.completed_at and other.completed_at > ended] + [
                other
                for other in others
                if other.completed_at == ended and self.definition.graph.precedes(step.name, other.name)
            ]
            also = [
                row.name
                for row in self.steps.values()
                if row.kind.undoes and (row.status is StepStatus.RUNNING or row.waiting_for == Waiting.ITEMS)
            ]
            check(also == [undo_of(step.name)], f"(8) one by one means one by one, not {also}")
        return later

    # At the end

    def at_end(self) -> None:
        """The workflow has a final status: its rows and the books agree with it."""
        head = self.head
        for step in self.steps.values():
            if not step.kind.undoes:
                self._books_agree(step)
        if head.status is WorkflowStatus.COMPLETED:
            self._completed_well()
        else:
            check(head.ending is head.status, f"it ends as {head.ending}, not as {head.status}")
            self._undone_well()
        for step in self.of(Kind.CALL):
            if step.status is SKIPPED and step.attempts == 0 and step.name not in self.definition.stands_in_for:
                self._skipped_rightly(step)

    def _acts(self, step: StepState) -> bool:
        """Whether it is more than a wait, or a person's word."""
        return self.definition.steps[step.name].awaits not in (Waiting.TIMER, Waiting.APPROVAL)

    def _ended_by_a_step(self) -> bool:
        """Whether a step that says `end` has completed."""
        return any(self.definition.steps[step.name].end for step in self.of(Kind.CALL) if step.status is COMPLETED)

    def _books_agree(self, step: StepState) -> None:
        if step.items is not None:
            effects = {row.effect for row in self.items_of(step.name) if row.kind is Kind.ITEM} | {Effect.NONE}
            strongest = max(effects, key=(Effect.NONE, Effect.UNKNOWN, Effect.DONE).index)
            check(step.effect is strongest, f"{step.name} had the effect {step.effect}, its items {strongest}")
            check(not self.books.charges_of(step.name), f"{step.name} is called for its items only")
            return
        charges = self.books.charges_of(step.name)
        if step.effect is Effect.NONE:
            check(not charges, f"(8) {step.name} is said to have had no effect, but {charges}")
            check(undo_of(step.name) not in self.steps, f"(8) {step.name} had no effect, but is undone")
        if step.effect is Effect.DONE:
            check(bool(charges), f"{step.name} is said to have been done, but the books know nothing of it")
        if step_of(step.name) not in self.books.careless:
            check(len(charges) <= 1, f"(5) {step.name} was done {len(charges)} times by a service that honours keys")
        check(len({charge.key for charge in charges}) <= 1, f"(5) {step.name} was done under several keys: {charges}")

    def _completed_well(self) -> None:
        for step in self.of(Kind.CALL):
            fine = step.status in (COMPLETED, SKIPPED) or (step.status is FAILED and step.tolerated)
            check(fine, f"a completed workflow has no step that is {step.status}: {step.name}")
            if step.status is FAILED and self.must_be_undone(step):
                undo = self.steps.get(undo_of(step.name))
                check(undo is not None and undo.status is COMPLETED, f"(8) {step.name} failed and is not undone")
                check(not self.books.left_of(step.name), f"(8) {step.name} failed, and the books still say it")
            if step.items is not None:
                self._items_completed_well(step)
            elif step.status is COMPLETED and self._acts(step) and step.name not in self.books.careless:
                check(len(self.books.open_charges(step.name)) == 1, f"{step.name} completed, so it was done once")
        for name in self.definition.route.names:
            served = [one for one in self.definition.with_fallbacks(name) if self.steps[one].status is COMPLETED]
            check(len(served) <= 1, f"exactly one of {name} and its fallbacks serves, not {served}")
            check(self._ended_by_a_step() or self.resolution(name) is not None, f"{name} let its successors go")
            for earlier in self.definition.with_fallbacks(name):
                replaced = served and self.definition.graph.precedes(earlier, served[0]) and earlier != served[0]
                if replaced and self.definition.steps[earlier].compensate is not None:
                    check(not self.books.left_of(earlier), f"(8) {earlier} and its fallback {served} were both done")

    def _items_completed_well(self, step: StepState) -> None:
        if step.status is not COMPLETED or step.items is None:
            return
        items = [row for row in self.items_of(step.name) if row.kind is Kind.ITEM]
        own = self.definition.steps[step.name].for_each
        failed = [row for row in items if row.status is FAILED]
        check(len(items) == step.items.total, f"{step.name} has {len(items)} items, not {step.items.total}")
        check(all(row.status in (COMPLETED, FAILED) for row in items), f"{step.name} completed before its items")
        check(own is not None and len(failed) <= own.tolerate.of(len(items)), f"{step.name}: {failed} are too many")
        for row in items:
            left = self.books.open_charges(row.name)
            if row.status is FAILED and self.must_be_undone(row):
                check(not left, f"(8) {row.name} failed, and the books still say {left}")
            if row.status is COMPLETED and step.name not in self.books.careless:
                check(len(left) == 1, f"{row.name} completed, so it was done once")
        result = self.rows.results.get(step.name)
        check(isinstance(result, list) and len(result) == len(items), f"{step.name} gives a list of its results")

    def _undone_well(self) -> None:
        head, undos = self.head, [*self.of(Kind.UNDO), *self.of(Kind.ITEM_UNDO)]
        failed = [undo.name for undo in undos if undo.status is FAILED]
        check((head.compensation is Compensation.FAILED) == bool(failed), f"{head.compensation}, and {failed} failed")
        check(head.compensation is not Compensation.RUNNING, "an undoing that has ended is not running")
        few = not self.of(Kind.ITEM_UNDO)
        told = head.undo_failures == len(failed) if few else bool(head.undo_failures) == bool(failed)
        check(told, f"{head.undo_failures} undos are said to have failed, not {failed}")
        if head.compensation is Compensation.COMPLETED:
            check(all(undo.status is COMPLETED for undo in undos), "a completed undoing has every undo completed")
            check(bool(undos), "an undoing that is completed undid something")
        if not head.compensate:
            return
        for step in self.of(Kind.CALL):
            if not self.must_be_undone(step):
                continue
            undo = self.steps.get(undo_of(step.name))
            check(undo is not None and undo.settled, f"(8) {step.name} took effect and must be undone")
            if undo is not None and undo.status is COMPLETED:
                left = self.books.left_of(step.name)
                check(not left, f"(8) {step.name} is said to be undone, but the books say {left}")

    def _skipped_rightly(self, step: StepState) -> None:
        own = self.definition.steps[step.name]
        ends = [self.resolution(name) for name in own.after]
        right = bool(ends) and (
            all(end is SKIPPED for end in ends) if own.join is None else None not in ends and COMPLETED not in ends
        )
        right = right or self._ended_by_a_step()
        check(right, f"(3) {step.name} is skipped, though what it waits for ended as {ends}")


def prompt(invariants: Invariants) -> None:
    """(3) In a world without faults, every step started in the moment in which the last thing it waits for settled."""
    for step in invariants.of(Kind.CALL):
        if step.started_at is not None:
            ready_at = _ready_at(invariants, step)
            check(
                step.started_at == ready_at, f"(3) {step.name} could start at {ready_at}, but did at {step.started_at}"
            )
    begun = [at for at, event in invariants.rows.events if event.type == "workflow.compensating"]
    for undo in invariants.of(Kind.UNDO):
        if begun and undo.started_at is not None and undo.started_at >= begun[0]:
            ready_at = max([begun[0], *_undone_at(invariants, undo)])
            check(undo.started_at == ready_at, f"(7) {undo.name} could start at {ready_at}, not at {undo.started_at}")


def _ready_at(invariants: Invariants, step: StepState) -> float:
    definition = invariants.definition
    if (stood_for := definition.stands_in_for.get(step.name)) is not None:
        undo = invariants.steps.get(undo_of(stood_for))
        return _at(invariants.steps[stood_for] if undo is None else undo)
    own = definition.steps[step.name]
    if own.join is not None:
        completed = [name for name in own.after if invariants.resolution(name) is COMPLETED]
        return sorted(_resolved_at(invariants, name) for name in completed)[own.join - 1]
    return max((_resolved_at(invariants, name) for name in own.after), default=invariants.head.created_at)


def _resolved_at(invariants: Invariants, name: str) -> float:
    """When the last of a step and those who stood in for it settled."""
    called = [
        invariants.steps[one] for one in invariants.definition.with_fallbacks(name) if _took_part(invariants, one)
    ]
    undone = [invariants.steps.get(undo_of(step.name)) for step in called if step.status is FAILED]
    return max(_at(step) for step in [*called, *undone] if step is not None)


def _took_part(invariants: Invariants, name: str) -> bool:
    step = invariants.steps[name]
    return name not in invariants.definition.stands_in_for or step.attempts > 0


def _undone_at(invariants: Invariants, undo: StepState) -> Iterable[float]:
    """When those ended that are undone before: one by one that is whoever ended before this one started."""
    one_by_one = invariants.definition.compensation == "sequential"
    for row in invariants.of(Kind.UNDO):
        if one_by_one:
            comes_first = row.name != undo.name and _at(row) <= _started(undo)
        else:
            comes_first = invariants.definition.graph.precedes(undone_by(undo.name), undone_by(row.name))
        if comes_first:
            yield _at(row)


def _started(step: StepState) -> float:
    assert step.started_at is not None, f"{step.name} was never called"
    return step.started_at


def _at(step: StepState) -> float:
    assert step.completed_at is not None, f"{step.name} has not settled"
    return step.completed_at


def _reachable(status: StepStatus | WorkflowStatus, moves: Mapping) -> set:  # type: ignore[type-arg]
    """Where one transaction may lead: several moves may be made in it."""
    reached, waiting = {status}, [status]
    while waiting:
        for following in moves[waiting.pop()]:
            if following not in reached:
                reached.add(following)
                waiting.append(following)
    return reached
