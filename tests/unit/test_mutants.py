"""Bugs put in on purpose, one at a time: the checker of `tests.world` must find each, or it proves nothing.

The guides' own bugs first (the design's section 6), then those that were in these moves when they were written.
"""

import inspect
import itertools
import random
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, TypeVar

import pytest

from orchestrator.moves import (
    advancing,
    claiming,
    controlling,
    failing,
    fanning_out,
    items,
    keeping,
    limiting,
    looking,
    replacing,
    settling,
    timing,
    undoing,
    waiting,
)
from orchestrator.moves.answering import Answer, Heartbeat
from orchestrator.moves.move import Claim, Move, Settle
from orchestrator.testkit.rows import Rows
from orchestrator.workflow import Publication
from tests.unit import test_moves as stories
from tests.world.drawing import calls_back
from tests.world.fate import disturbed, live, undisturbed
from tests.world.world import ClaimSlot

Reply = TypeVar("Reply")

ENOUGH = 3000
"""Worlds within which a bug must be found. Most are within ten."""


@dataclass(frozen=True)
class Bug:
    """A function of the moves, and what a mistaken person would have written in it."""

    function: Callable[..., Any]
    instead_of: str
    written: str
    instead_of_too: str = ""
    written_too: str = ""

    def put_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Wherever the moves call the function, they call the mistaken one."""
        assert isinstance(self.function, FunctionType)
        source = textwrap.dedent(inspect.getsource(self.function))
        for right, wrong in ((self.instead_of, self.written), (self.instead_of_too, self.written_too)):
            assert not right or source.count(right) == 1, f"{right!r} is not in {self.function.__name__} once"
            source = source.replace(right, wrong) if right else source
        made: dict[str, Any] = {}
        exec(compile(source, f"<a bug in {self.function.__name__}>", "exec"), self.function.__globals__, made)
        owner, _, method = self.function.__qualname__.rpartition(".")
        if owner:
            monkeypatch.setattr(self.function.__globals__[owner], method, made[method])
            return
        for name, module in list(sys.modules.items()):
            ours = name.startswith(("orchestrator.moves", "tests.world"))
            if ours and getattr(module, self.function.__name__, None) is self.function:
                monkeypatch.setattr(module, self.function.__name__, made[self.function.__name__])


_NEXT_ONE = "an answer to an attempt that is over counts for the next one"

GUIDES = {
    "late results revive what is settled": Bug(
        settling.settle,
        "step is None or step.status is not StepStatus.RUNNING or step.attempts != ended.attempt",
        "step is None",
    ),
    _NEXT_ONE: Bug(settling.settle, " or step.attempts != ended.attempt", ""),
    "`completed` overwrites `failed`": Bug(
        advancing.complete_if_done,
        "head.status is WorkflowStatus.RUNNING and head.unsettled == 0",
        "head.unsettled == 0",
        "head.move(WorkflowStatus.COMPLETED)",
        "head.status = WorkflowStatus.COMPLETED",
    ),
    "a duplicate message calls the service again": Bug(
        claiming.claim,
        "if step.status is not StepStatus.PENDING:",
        "if False:",
        "step.move(StepStatus.RUNNING)",
        "step.status = StepStatus.RUNNING",
    ),
    "a duplicate message repeats what is completed": Bug(
        claiming.claim,
        "if step.settled:\n        return Refusal.PASSED\n"
        "    if again and step.status is StepStatus.RUNNING and step.worker == worker:\n"
        "        return _given(workflow, step, now)\n"
        "    if step.status is not StepStatus.PENDING:",
        "if step.status is StepStatus.RUNNING or step.status is StepStatus.WAITING:",
        "step.move(StepStatus.RUNNING)",
        "step.status = StepStatus.RUNNING",
    ),
    "result saved, next task sent: a lost message stops the chain silently": Bug(
        advancing.make_ready, "step.wake_at = now + GRACE", "step.wake_at = None"
    ),
    "a lost worker hangs the workflow": Bug(
        claiming._given, "step.wake_at = now + timeout + LEASE_MARGIN", "step.wake_at = None"
    ),
    "no deadline": Bug(
        looking.expire,
        'begin_failing(workflow, WorkflowStatus.FAILED, {"kind": "deadline", "message": message}, now)',
        "assert message",
    ),
    "the failure is never reported": Bug(
        settling.fail_for_good,
        'begin_failing(workflow, WorkflowStatus.FAILED, {"step": step.name, **error.as_json()}, now)',
        "pass",
    ),
    "4xx counts as completed": Bug(
        settling.fail,
        "return fail_for_good(workflow, step, error, now, call)",
        "return complete(workflow, step, Completed(None), call, now)",
    ),
    "every attempt has a key of its own: a retry after a time-out charges twice": Bug(
        claiming._begin, "step.attempts += 1", "step.attempts += 1; step.key_round += 1"
    ),
    "the undoing is not durable": Bug(undoing._send_first, "now + UNDO_GRACE", "None"),
    "the first undo that fails stops the rest": Bug(
        settling._undo_failed, "after_undo(workflow, undo, now)", "head.unsettled = 1; after_undo(workflow, undo, now)"
    ),
    "a call with unknown outcome is never undone": Bug(
        undoing.must_be_undone, "step.effect is not Effect.NONE", "step.effect is Effect.DONE"
    ),
    "the undoing starts while a call is in flight": Bug(
        failing.drain, "head.draining = in_flight\n    if in_flight == 0:", "if True:"
    ),
}

ITEMS = {
    "all items are sent at once": Bug(
        fanning_out._next, "if items.under_way < _width(workflow, step) else None", "if items else None"
    ),
    "an item that settles sends no other": Bug(
        fanning_out.item_settled, "over = _go_on(workflow, step, now)", "over = is_over(step)"
    ),
    "an item that settles is counted twice": Bug(
        fanning_out.item_settled, "under_way=items.under_way - 1", "under_way=items.under_way - 2"
    ),
    "a step forgets what its items did": Bug(
        fanning_out.item_settled, "step.effect = stronger(step.effect, item.effect)", "pass"
    ),
    "one more item may fail than is tolerated": Bug(
        fanning_out._tolerate, "step.items.failed <= _tolerated(workflow, step)", "step.items.failed <= 1"
    ),
    "what a tolerated item may have done is left": Bug(
        fanning_out._tolerate, "if not must_be_undone(workflow.definition, item):", "if item:"
    ),
    "items are undone side by side where one by one was asked for": Bug(
        fanning_out._width, "return 1 if one_by_one else own.max_parallel", "return own.max_parallel"
    ),
    "items are undone in the order of the list": Bug(
        fanning_out._line_up_undos, "reverse=True)\n    else:", "reverse=False)\n    else:"
    ),
    "a step is undone and its items are not": Bug(
        fanning_out._line_up_undos, "left = [one for one in undos if not one.settled]", "left = []"
    ),
    "an item that was sent is sent again although nothing more is": Bug(items.put_back, "row.waits_for = 1", "pass"),
    "an item's undo goes on before its step's turn": Bug(undoing._hold, "undo.waits_for = 1", "pass"),
}

ANSWERS = {
    "what was answered counts as in flight for ever": Bug(Answer._settle, "if under_way:", "if False:"),
    "a service that is still at work is waited for without end": Bug(
        Heartbeat.make,
        "step.wake_at = earliest(now + own.callback.timeout, deadline_at(workflow, step))",
        "step.wake_at = None",
    ),
    "what was not answered counts as in flight for ever": Bug(waiting.waited, "    if under_way:", "    if False:"),
}

OTHERS = (
    ITEMS
    | ANSWERS
    | {
        "a step that is held back is never looked at again": Bug(
            limiting._park, "earliest(wake_at, deadline_at(workflow, step))", "None"
        ),
        "what a step that is held back was to bring is never brought": Bug(
            limiting._park, "leave_canvas(workflow, step)", "assert leave_canvas"
        ),
        "a join goes on with the first to arrive": Bug(
            advancing.is_ready, "return step.waits_for == 0 and (step.arrived > 0 or", "return (step.arrived > 0 or"
        ),
        "a join after a skipped branch hangs": Bug(
            advancing._count, "successor.waits_for -= 1", "successor.waits_for -= arrives"
        ),
        "a fallback is called before the first provider is undone": Bug(
            replacing.call_fallback, "if must_be_undone(workflow.definition, step):", "if False:"
        ),
        "what an optional step may have done stays": Bug(
            replacing.go_on_without, "if must_be_undone(workflow.definition, step):", "if False:"
        ),
        "a fallback that is not needed is waited for": Bug(
            advancing._skip_fallbacks, "if fallback.status is StepStatus.PENDING:", "if False:"
        ),
        "steps start although the workflow is paused": Bug(
            advancing.may_start, "head.status is WorkflowStatus.RUNNING and", "not head.final and"
        ),
        "a write is forgotten": Bug(advancing.pass_on, "workflow.change(name)", "workflow.step(name)"),
        "a write is forgotten by the reconciler": Bug(looking.look, "workflow.change(name)", "pass"),
        "what was in flight is forgotten": Bug(settling.settle, "drained(workflow, now)", "pass"),
        "a lost call counts as not made": Bug(
            looking.lose, "step.effect = Effect.UNKNOWN", "step.effect = Effect.NONE"
        ),
        "a refusal makes an earlier time-out forgotten": Bug(
            items.stronger, "return max(one, other, key=order.index)", "return other if order else one"
        ),
        "undone in the order in which it was done": Bug(
            undoing.undo_order, "order.successors[name]]", "order.predecessors[name]]"
        ),
        "undone one by one, what ended first first": Bug(undoing.undo_order, "reverse=True", "reverse=False"),
        "a step that leaves its canvas takes the rest with it": Bug(
            advancing.leave_canvas, "if step.carrier is Carrier.ALONE:", "if True:"
        ),
        "what follows a step that was kept is brought by nobody": Bug(
            advancing.pass_on, "if step.carrier is Carrier.KEPT and _together(workflow, step, successor):", "if False:"
        ),
        "a step that was kept is lost with the answer to its commit": Bug(
            keeping.kept_before, "step.worker == worker", "step.worker is None"
        ),
        "a resumed workflow is not sent again": Bug(controlling.go_on, "and is_ready(workflow, step):", "and False:"),
        "retry does the completed ones again": Bug(
            controlling._reset,
            "if step.effect is Effect.NONE:",
            "if True:",
        ),
        "cancel undoes although it was told not to": Bug(undoing.begin_undo, "if due and head.compensate:", "if due:"),
    }
)

ONCE_HERE = {
    "a step that was kept without a message is given to two threads": (
        Bug(keeping.kept_before, "and step.name not in held", "", "and (step.attempt_at or 0.0) >= since", ""),
        stories.test_a_step_in_another_threads_hands_is_not_given_out_again,
    ),
    "an undo for a fallback starts while the workflow waits for what is in flight": (
        Bug(advancing.may_start, "kind.undoes and head.draining == 0", "kind.undoes"),
        stories.test_the_undo_before_a_fallback_waits_where_the_workflow_fails_meanwhile,
    ),
    "a join that fails begins the undoing among counts that are not right yet": (
        Bug(
            advancing._fail_join,
            'doom(workflow, WorkflowStatus.FAILED, {"step": step.name, **error.as_json()})',
            "doom(workflow, WorkflowStatus.FAILED, None); drain(workflow, now)",
        ),
        stories.test_a_join_that_fails_beside_a_branch_that_is_skipped_leaves_the_counts_right,
    ),
    "a join that fails is not routed": (
        Bug(advancing._fail_join, "step.tolerated = own.optional", "pass", "if not own.optional:", "if True:"),
        lambda: stories.test_a_partial_join_that_cannot_be_reached_is_routed_like_any_failure(
            {"optional": True}, ["a", "b", "d"]
        ),
    ),
    "what a skipped head should have carried is brought by nobody": (
        Bug(advancing._decide, "if step.carrier is Carrier.FRAGMENT:", "if False:"),
        stories.test_what_a_skipped_head_should_have_carried_is_brought_by_the_ledger,
    ),
    "retry forgets the undo that a fallback waits for": (
        Bug(controlling._reopen, "not step.settled for", "step.kind is Kind.CALL and not step.settled for"),
        stories.test_cancelled_without_undoing_nothing_is_said_to_be_undone,
    ),
    "retry of a join that can never be reached hangs": (
        Bug(controlling._reopen, "if not is_ready(workflow, step):", "if False:"),
        stories.test_a_join_that_can_never_be_reached_is_not_retried,
    ),
    "failed undos are sent again side by side": (
        Bug(
            controlling._retry_undo,
            "undo_these(workflow, [workflow.step(undone_by(undo.name)) for undo in again], now)",
            "head.compensation = Compensation.RUNNING; head.unsettled = len(again)\n"
            "    for undo in again: make_ready(workflow, undo, now)",
        ),
        stories.test_undos_that_are_retried_keep_their_order,
    ),
    "one by one forgets the graph where two ended at the same time": (
        Bug(undoing.undo_order, "(_ended_at(step), place[step.name])", "(_ended_at(step), step.name)"),
        stories.test_sequential_undoing_follows_the_graph_where_two_steps_ended_at_once,
    ),
    "cancelled without undoing, it is said to be undone": (
        Bug(
            undoing.finish,
            "elif head.compensation is Compensation.RUNNING:",
            "elif any(row.kind is Kind.UNDO for row in workflow.all()):",
        ),
        stories.test_cancelled_without_undoing_nothing_is_said_to_be_undone,
    ),
    "an answer revives what has settled": (
        Bug(Answer._verdict, "step.settled or", ""),
        stories.test_an_answer_after_a_failure_that_was_tolerated_changes_nothing,
    ),
    "a timer that is over is waited for again": (
        Bug(waiting.waited, "complete(workflow, step, Completed(None), NO_CALL, now)", "step.wake_at = now + 1"),
        stories.test_a_timer_that_ends_while_the_workflow_is_paused_lets_it_go_on_after_the_resume,
    ),
    "an answer to the round before a retry counts": (
        Bug(Answer._verdict, "self.key_round not in (None, step.key_round)", "False"),
        stories.test_an_answer_to_the_round_before_a_retry_says_nothing_about_the_next_one,
    ),
    "that an earlier attempt failed counts for the present one": (
        Bug(Answer._verdict, "if present and (", "if ("),
        stories.test_that_an_earlier_attempt_failed_says_nothing_about_the_present_one,
    ),
    "an earlier attempt's answer counts though the call may not be repeated": (
        Bug(Answer._verdict, "present or workflow.call_of(step).idempotent", "True"),
        stories.test_a_call_that_may_not_be_repeated_is_answered_by_its_own_attempt_alone,
    ),
    "what an answered step was to bring is brought by nobody": (
        Bug(Answer._settle, "leave_canvas(workflow, step)", "assert leave_canvas"),
        stories.test_pattern_24_persistent_trigger,
    ),
    "a service is asked for ever": (
        Bug(waiting.waited, "and now < polls_until(workflow, step)", ""),
        stories.test_a_service_that_is_not_done_in_time_is_asked_no_more_and_undone,
    ),
    "what was asked about in vain was not done": (
        Bug(
            waiting._unanswered,
            "return Failed(error, Effect.UNKNOWN, retryable=False)",
            "return Failed(error, Effect.NONE, retryable=False)",
        ),
        stories.test_a_service_that_is_not_done_in_time_is_asked_no_more_and_undone,
    ),
    "what was not answered was not done": (
        Bug(waiting._unanswered, "Effect.UNKNOWN, retryable=own.call", "Effect.NONE, retryable=own.call"),
        stories.test_pattern_16_deferred_choice,
    ),
    "what may not be repeated is, because nobody answered": (
        Bug(waiting._unanswered, "retryable=own.call.idempotent", "retryable=True"),
        stories.test_what_may_not_be_repeated_is_undone_where_nobody_answers,
    ),
    "what accepted a lost call is not outwaited": (
        Bug(timing.may_act_until, "if later is None or step.kind.undoes:", "if True:"),
        lambda: stories.test_what_may_have_accepted_a_lost_call_is_outwaited_too(calls_back(20.0)),
    ),
    "a lost call that was to be made again is not outwaited": (
        Bug(failing._lost_until, "step.losses == 0", "True"),
        lambda: stories.test_a_lost_call_is_outwaited_though_it_was_to_be_made_again_when_the_workflow_began_to_fail(
            None
        ),
    ),
    "an undo that was given up is looked at for ever": (
        Bug(undoing._hold, "undo.wake_at = None", "pass"),
        stories.test_an_undo_that_waits_for_its_next_attempt_is_left_alone_by_a_cancel_without_undoing,
    ),
}
"""Rare ones: with each the story that shows it without chance."""


class ReadModifyWrite(Rows):
    """No lock: two steps that settle at the same time each read what was there before the other wrote."""

    def make(self, moves: Sequence[Move[Reply]], now: float) -> list[tuple[Reply, Publication]]:
        before = getattr(self, "_before", None)
        settles = isinstance(moves[0], Settle)
        self._before = (self.head, dict(self.steps), moves[0].step) if settles else None  # type: ignore[attr-defined]
        if settles and before is not None and before[2] != moves[0].step:  # type: ignore[attr-defined]
            own = moves[0].step  # type: ignore[attr-defined]
            self.head, self.steps = replace(before[0]), {**before[1], own: self.steps[own]}
        return super().make(moves, now)


class SentBeforeWritten(Rows):
    """The next task is sent, and runs, before the result is written."""

    def make(self, moves: Sequence[Move[Reply]], now: float) -> list[tuple[Reply, Publication]]:
        if isinstance(moves[0], Claim | ClaimSlot) and (before := getattr(self, "_before", None)) is not None:
            after, self.steps = self.steps, before
            try:
                made = super().make(moves, now)
            finally:
                self.steps = {**self.steps, **after}
            self._before = None
            return made
        self._before = dict(self.steps) if isinstance(moves[0], Settle) else None
        return super().make(moves, now)


class OnlySent(Rows):
    """The row is saved, the task is sent, and nobody looks whether it came."""

    def start(self, now: float) -> Publication:
        publication = super().start(now)
        self.steps = {name: replace(step, wake_at=None) for name, step in self.steps.items()}
        return publication


LEDGERS = {
    "two branches that end together read, modify and write": ReadModifyWrite,
    "`running` is written after the task was sent": SentBeforeWritten,
    "row saved, task sent: a crash between loses the workflow": OnlySent,
}


def find(rows: type[Rows] = Rows, *, strict: bool = True) -> str | None:
    """The sentence that was false in the first world that shows the bug, None where there is no such world."""
    for seed, fate in itertools.product(range(ENOUGH // 2), (disturbed, undisturbed)):
        try:
            live(random.Random(seed), fate, rows, strict=strict)
        except (AssertionError, ValueError, LookupError) as error:
            return f"seed {seed}: {error}"
    return None


@pytest.mark.parametrize("bug", [pytest.param(bug, id=name) for name, bug in (GUIDES | OTHERS).items()])
def test_a_bug_in_the_moves_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """The random worlds show it."""
    bug.put_in(monkeypatch)
    assert find() is not None


@pytest.mark.parametrize("name", sorted(GUIDES.keys() - {"no deadline", _NEXT_ONE}))
def test_the_guides_bugs_show_in_the_services_books_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No look into the ledger is needed: what was said to be done is not what was done, or it never ends."""
    GUIDES[name].put_in(monkeypatch)
    assert find(strict=False) is not None


@pytest.mark.parametrize(("bug", "story"), [pytest.param(*one, id=name) for name, one in ONCE_HERE.items()])
def test_a_bug_that_was_here_is_shown_by_its_story(
    bug: Bug, story: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The story is true without the bug, and not with it."""
    story()
    bug.put_in(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        story()


@pytest.mark.parametrize("ledger", [pytest.param(ledger, id=name) for name, ledger in LEDGERS.items()])
def test_a_bug_in_the_ledger_is_found(ledger: type[Rows]) -> None:
    """The random worlds show it, though the moves are right."""
    assert find(ledger) is not None
