"""The moves of a workflow as stories, without a database: what is called, what is undone, and how it ends.

The numbers of the workflow patterns are those of the Workflow Patterns Initiative (workflowpatterns.com).
"""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.definition import Definition
from orchestrator.moves.answering import Answered
from orchestrator.moves.claiming import Claimed, Refusal
from orchestrator.moves.looking import MOST_LOSSES
from orchestrator.moves.move import Claim
from orchestrator.moves.settling import Settled
from orchestrator.outcome import Completed, Ending, Failed, StepError
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.testkit.broker import Message
from tests.world.books import Behaviour
from tests.world.drawing import asks_a_person, call, calls_back, definition, polls, undone, waits
from tests.world.scene import Scene
from tests.world.world import Promise, World

OK = Behaviour.OK
REFUSES = Behaviour.REFUSES
TOO_EARLY = Behaviour.TOO_EARLY
TIMEOUT_AFTER = Behaviour.TIMEOUT_AFTER
TIMEOUT_BEFORE = Behaviour.TIMEOUT_BEFORE
UNREACHABLE = Behaviour.UNREACHABLE
NOT_DONE = Failed(StepError("callback", "no"), Effect.NONE, retryable=False)


def diamond(*, sequential: bool = False, **steps: object) -> Definition:
    """The subscription: charge and provision side by side, both with an undo."""
    fields: dict[str, object] = {"charge": {"compensate": undone()}, "provision": {"compensate": undone()}}
    return definition("validate > charge provision > welcome", sequential=sequential, **(fields | steps))  # type: ignore[arg-type]


def two_providers(**fields: object) -> Definition:
    """Ship after pay; where pay fails, another provider is asked."""
    pay = {"fallback": "other", "compensate": undone()} | fields
    return definition("order > pay > ship", pay=pay, other={"compensate": undone()})


# The patterns


def test_pattern_1_sequence() -> None:
    """Each step is called when the one before has completed."""
    scene = Scene(definition("a > b > c"))
    scene.begin("a")
    assert scene.messages == set()
    scene.end("a")
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b", "c"]


def test_pattern_2_parallel_split() -> None:
    """After the split all branches are in flight at once."""
    scene = Scene(definition("a > b c d"))
    scene.do("a")
    scene.begin("d", "b", "c")
    assert {flight.step for flight in scene.flights} == {"b", "c", "d"}


def test_pattern_3_synchronization() -> None:
    """The join is called once, when the last of its branches has completed, whichever that is."""
    scene = Scene(definition("a > b c > d"))
    scene.do("a")
    scene.begin("b", "c")
    scene.end("c")
    assert scene.messages == set()
    scene.end("b")
    assert scene.messages == {"d"}
    assert scene.play() == "completed"
    assert scene.calls.count("d") == 1


def test_pattern_4_exclusive_choice() -> None:
    """Of two branches with opposite conditions only one is called."""
    scene = Scene(definition("a > b c"), not_taken={"b"})
    assert scene.play() == "completed"
    assert scene.calls == ["a", "c"]
    assert scene.status_of("b") is StepStatus.SKIPPED


def test_pattern_5_simple_merge() -> None:
    """The step after a choice follows the branch that was taken; the other does not block it."""
    scene = Scene(definition("a > b c > d"), not_taken={"c"})
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b", "d"]


def test_pattern_6_multi_choice() -> None:
    """Every branch whose condition holds is called."""
    scene = Scene(definition("a > b c d"), not_taken={"c"})
    assert scene.play() == "completed"
    assert scene.calls[0] == "a"
    assert set(scene.calls[1:]) == {"b", "d"}


def test_pattern_7_structured_synchronizing_merge() -> None:
    """The join waits for the branches that were taken, all of them and only them."""
    scene = Scene(definition("a > b c d > e"), not_taken={"c"})
    scene.do("a", "c")
    scene.begin("b", "d")
    scene.end("d")
    assert scene.messages == set()
    scene.end("b")
    scene.do("e")
    assert scene.status == "completed"


def test_pattern_9_structured_discriminator() -> None:
    """With `join: any` the first branch to complete lets the join go; the others end for themselves."""
    scene = Scene(definition("a > b c > d", d={"join": 1}))
    scene.do("a")
    scene.begin("b", "c")
    scene.end("c")
    scene.do("d")
    assert scene.status == "running"
    scene.end("b")
    assert scene.status == "completed"
    assert scene.calls.count("d") == 1


def test_pattern_11_implicit_termination() -> None:
    """The workflow has completed when nothing is left to run, without a step that says so."""
    scene = Scene(definition("a > b; c"))
    scene.do("a", "c")
    assert scene.status == "running"
    scene.do("b")
    assert scene.status == "completed"


def test_pattern_13_several_instances_known_beforehand() -> None:
    """As many branches as the definition has, and a join after the last."""
    branches = [f"call{number}" for number in range(20)]
    scene = Scene(definition(f"a > {' '.join(branches)} > z"))
    scene.do("a")
    scene.begin(*branches)
    scene.end(*reversed(branches))
    assert scene.messages == {"z"}
    assert scene.play() == "completed"


def test_pattern_19_cancel_task() -> None:
    """What is in flight when the workflow is cancelled cannot be called back: it is waited for, then undone."""
    scene = Scene(diamond())
    scene.do("validate")
    scene.begin("charge")
    scene.order("cancel")
    assert scene.status == "compensating"
    scene.end("charge")
    assert scene.play() == "cancelled, compensation completed"
    assert scene.calls == ["validate", "charge", "charge:undo"]


def test_pattern_20_cancel_case() -> None:
    """Cancelled, the workflow starts nothing more, and undoes what was done."""
    scene = Scene(diamond())
    scene.do("validate", "charge", "provision")
    scene.order("cancel")
    assert scene.play() == "cancelled, compensation completed"
    assert set(scene.calls[3:]) == {"charge:undo", "provision:undo"}
    assert scene.status_of("welcome") is StepStatus.PENDING


def test_pattern_30_structured_partial_join() -> None:
    """Two of three are enough for the join."""
    scene = Scene(definition("a > b c d > e", e={"join": 2}))
    scene.do("a", "b")
    assert "e" not in scene.messages
    scene.do("d", "e")
    assert scene.status == "running"
    scene.do("c")
    assert scene.status == "completed"


def test_pattern_37_acyclic_synchronizing_merge() -> None:
    """A branch that was not taken is skipped to its end, and the join goes on with whatever was taken."""
    scene = Scene(definition("a > b > c > f; a > d > e > f; c > g"), not_taken={"b"})
    assert scene.play() == "completed"
    assert scene.calls == ["a", "d", "e", "f"]
    assert {name for name, status in scene.statuses().items() if status == "skipped"} == {"b", "c", "g"}


def test_pattern_37_where_no_branch_was_taken() -> None:
    """A join of which every branch was skipped is skipped itself, and so is what follows it alone."""
    scene = Scene(definition("a > b c > d > e"), not_taken={"b", "c"})
    assert scene.play() == "completed"
    assert scene.calls == ["a"]


# Failing and undoing


def test_provision_fails_while_charge_is_in_flight() -> None:
    """The charge is waited for, then refunded: nobody stays charged for nothing."""
    scene = Scene(diamond()).behaves("provision", REFUSES)
    scene.do("validate")
    scene.begin("charge", "provision")
    assert scene.end("provision") is Settled.FAILED
    assert scene.status == "compensating"
    assert scene.messages == set()
    scene.end("charge")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["validate", "charge", "provision", "charge:undo"]
    assert not scene.books.open_charges("charge")


@pytest.mark.parametrize("timeout", [TIMEOUT_AFTER, TIMEOUT_BEFORE])
def test_an_unknown_outcome_is_undone(timeout: Behaviour) -> None:
    """A charge that timed out may have been made: it is undone like one that was."""
    scene = Scene(diamond()).behaves("charge", timeout)
    assert scene.play() == "failed, compensation completed"
    assert "charge:undo" in scene.calls
    assert not scene.books.open_charges("charge")


def test_a_refusal_is_not_undone() -> None:
    """A service that said no did nothing."""
    scene = Scene(diamond()).behaves("charge", REFUSES)
    scene.do("validate", "charge")
    assert scene.play() == "failed"
    assert scene.calls == ["validate", "charge"]


def test_a_refusal_after_a_time_out_leaves_the_outcome_unknown() -> None:
    """That the second attempt was refused says nothing about the first, which timed out."""
    scene = Scene(definition("charge", charge={"call": call(1), "compensate": undone()}), careless={"charge"})
    scene.behaves("charge", TIMEOUT_AFTER, REFUSES)
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["charge", "charge", "charge:undo"]


def test_undoing_runs_against_the_graph_and_side_by_side() -> None:
    """What came later is undone earlier; what the graph does not order is undone at the same time."""
    steps = {name: {"compensate": undone()} for name in "abcd"}
    scene = Scene(definition("a > b c > d > e", **steps)).behaves("e", REFUSES)
    scene.do("a", "b", "c", "d", "e")
    assert scene.messages == {"d:undo"}
    scene.do("d:undo")
    scene.begin("b:undo", "c:undo")
    scene.end("b:undo")
    assert scene.messages == set()
    scene.end("c:undo")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[-1] == "a:undo"


def test_sequential_undoing_runs_one_by_one_what_ended_last_first() -> None:
    """`compensation: sequential` undoes side branches in the reverse order in which they ended."""
    scene = Scene(diamond(sequential=True)).behaves("welcome", REFUSES)
    scene.do("validate")
    scene.begin("charge", "provision")
    scene.end("provision")
    scene.now += 1
    scene.end("charge")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[-2:] == ["charge:undo", "provision:undo"]


def test_sequential_undoing_follows_the_graph_where_two_steps_ended_at_once() -> None:
    """A clock that is too coarse to tell what ended last does not turn the order round."""
    scene = Scene(definition("b > a > c", sequential=True, a={"compensate": undone()}, b={"compensate": undone()}))
    scene.behaves("c", REFUSES)
    scene.do("b", "a", "c")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[-2:] == ["a:undo", "b:undo"]


def test_an_undo_that_fails_does_not_stop_the_others_and_can_be_retried() -> None:
    """The workflow says that a person must look; `retry` sends that undo again, and only that."""
    scene = Scene(definition("a > b > c", a={"compensate": undone(0)}, b={"compensate": undone(0)}))
    scene.behaves("c", REFUSES).behaves("b:undo", REFUSES)
    assert scene.play() == "failed, compensation failed"
    assert scene.calls[3:] == ["b:undo", "a:undo"]
    assert scene.order("retry") is None
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[5:] == ["b:undo"]


def test_undos_that_are_retried_keep_their_order() -> None:
    """Sent again, what came later is still undone earlier."""
    scene = Scene(definition("a > b > c", a={"compensate": undone(0)}, b={"compensate": undone(0)}))
    scene.behaves("c", REFUSES).behaves("b:undo", REFUSES).behaves("a:undo", REFUSES)
    scene.play()
    scene.order("retry")
    assert scene.messages == {"b:undo"}
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[-2:] == ["b:undo", "a:undo"]


def test_an_undo_with_unknown_outcome_is_sent_again_under_the_same_key() -> None:
    """A refund that timed out is retried, and booked once."""
    scene = Scene(diamond()).behaves("provision", REFUSES).behaves("charge:undo", TIMEOUT_AFTER)
    scene.do("validate", "charge", "provision")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls.count("charge:undo") == 2
    assert len(scene.books.refunds["charge"]) == 1


def test_a_step_that_waits_for_a_retry_does_not_get_it_once_the_workflow_fails() -> None:
    """It is given up, and undone where it may have acted."""
    scene = Scene(diamond(charge={"call": call(3), "compensate": undone()}))
    scene.behaves("charge", TIMEOUT_AFTER).behaves("provision", REFUSES)
    scene.do("validate", "charge")
    assert scene.status_of("charge") is StepStatus.WAITING
    scene.do("provision")
    assert scene.status_of("charge") is StepStatus.FAILED
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["validate", "charge", "provision", "charge:undo"]


def test_the_first_reason_stays() -> None:
    """A second failure in flight does not change why the workflow failed."""
    scene = Scene(diamond()).behaves("charge", REFUSES).behaves("provision", TOO_EARLY)
    scene.do("validate")
    scene.begin("charge", "provision")
    scene.end("provision", "charge")
    assert scene.status == "failed"
    assert scene.rows.head.error["step"] == "provision"


def test_the_deadline_of_a_workflow_fails_it_and_undoes_what_was_done() -> None:
    """Passing the deadline is a failure like any other."""
    fields = {"a": {"compensate": undone()}, "b": {"call": call(timeout=300.0)}}
    scene = Scene(definition("a > b", deadline=60.0, **fields))
    scene.do("a")
    scene.begin("b")
    scene.later(60.0)
    assert scene.status == "compensating"
    scene.end("b")
    assert scene.play() == "failed, compensation completed"
    assert scene.rows.head.error["kind"] == "deadline"


# Routes


def test_an_optional_step_fails_and_the_workflow_goes_on() -> None:
    """Nobody's order is undone because an e-mail did not go out."""
    scene = Scene(definition("a > b > c", b={"optional": True})).behaves("b", REFUSES)
    scene.begin("a")
    scene.end("a")
    scene.begin("b")
    assert scene.end("b") is Settled.TOLERATED
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b", "c"]


def test_an_optional_step_that_may_have_acted_is_undone_before_the_workflow_goes_on() -> None:
    """Tolerated is not the same as not done: whatever becomes of the workflow, the customer does not pay for it."""
    scene = Scene(definition("b > c", b={"optional": True, "compensate": undone()}))
    scene.behaves("b", TIMEOUT_AFTER)
    assert scene.play() == "completed"
    assert scene.calls == ["b", "b:undo", "c"]


def test_a_workflow_is_not_completed_before_its_last_step_is_undone() -> None:
    """The optional step was the last to settle; its undo counts as one more."""
    scene = Scene(definition("a > c; b", b={"optional": True, "compensate": undone()})).behaves("b", TIMEOUT_AFTER)
    scene.do("b", "a", "c")
    assert scene.status == "running"
    assert scene.play() == "completed"
    assert scene.calls[-1] == "b:undo"


def test_an_optional_step_that_cannot_be_undone_fails_the_workflow() -> None:
    """A person must look: money may be gone."""
    undo = {"compensate": undone(retries=0)}
    scene = Scene(definition("b > c", b={"optional": True, **undo}))
    scene.behaves("b", TIMEOUT_AFTER).behaves("b:undo", REFUSES)
    assert scene.play() == "failed, compensation failed"
    assert scene.calls == ["b", "b:undo"]


def test_a_fallback_is_called_where_the_first_provider_refuses() -> None:
    """What follows goes on with whoever served."""
    scene = Scene(two_providers()).behaves("pay", REFUSES)
    assert scene.play() == "completed"
    assert scene.calls == ["order", "pay", "other", "ship"]


def test_a_fallback_is_called_only_after_an_unknown_outcome_is_undone() -> None:
    """The customer pays once, though the first provider may have taken the money."""
    scene = Scene(two_providers()).behaves("pay", TIMEOUT_AFTER)
    scene.do("order", "pay")
    assert scene.messages == {"pay:undo"}
    scene.do("pay:undo")
    assert scene.play() == "completed"
    assert scene.calls == ["order", "pay", "pay:undo", "other", "ship"]
    assert not scene.books.open_charges("pay")
    assert len(scene.books.open_charges("other")) == 1


def test_a_fallback_is_not_called_where_the_first_provider_cannot_be_undone() -> None:
    """Rather no payment than two: the workflow fails, and a person must look."""
    scene = Scene(two_providers(compensate=undone(0))).behaves("pay", TIMEOUT_AFTER).behaves("pay:undo", REFUSES)
    assert scene.play() == "failed, compensation failed"
    assert "other" not in scene.calls
    scene.order("retry")
    assert scene.play() == "failed, compensation completed"
    assert "other" not in scene.calls


def test_a_fallback_that_is_not_needed_is_skipped() -> None:
    """One result, by whoever served."""
    scene = Scene(two_providers())
    assert scene.play() == "completed"
    assert scene.status_of("other") is StepStatus.SKIPPED


def test_the_undo_before_a_fallback_waits_where_the_workflow_fails_meanwhile() -> None:
    """Nothing is undone while a call is in flight, not even what a fallback waited for; it has its turn then."""
    scene = Scene(definition("pay; reserve; check", pay={"fallback": "other", "compensate": undone()}, other={}))
    scene.behaves("pay", TIMEOUT_AFTER).behaves("check", REFUSES)
    scene.begin("pay", "reserve", "check")
    scene.end("pay", "check")
    [message] = scene.broker.bag
    assert scene.deliver(message) is None
    assert scene.refusals[-1] == ("pay:undo", Refusal.CLOSED)
    scene.end("reserve")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[3:] == ["pay:undo"]


def test_a_failed_fallback_can_be_retried_after_the_first_provider_was_undone() -> None:
    """That undo was no undoing of the workflow: what completed is kept."""
    scene = Scene(two_providers()).behaves("pay", TIMEOUT_AFTER).behaves("other", REFUSES)
    assert scene.play() == "failed"
    assert scene.order("retry") is None
    assert scene.play() == "completed"
    assert scene.calls == ["order", "pay", "pay:undo", "other", "other", "ship"]


def test_cancelled_without_undoing_nothing_is_said_to_be_undone() -> None:
    """An undo that a fallback waited for is left alone too, and a retry goes on with it."""
    scene = Scene(two_providers()).behaves("pay", TIMEOUT_AFTER)
    scene.do("order", "pay")
    scene.order("cancel", compensate=False)
    assert scene.status == "cancelled"
    assert scene.next_due() is None
    scene.order("retry")
    assert scene.play() == "completed"
    assert scene.calls == ["order", "pay", "pay:undo", "other", "ship"]


def test_an_undo_that_waits_for_its_next_attempt_is_left_alone_by_a_cancel_without_undoing() -> None:
    """Nobody looks at a workflow that has ended."""
    scene = Scene(two_providers()).behaves("pay", TIMEOUT_AFTER).behaves("pay:undo", TOO_EARLY)
    scene.do("order", "pay", "pay:undo")
    assert scene.status_of("pay:undo") is StepStatus.WAITING
    scene.order("cancel", compensate=False)
    assert scene.status == "cancelled"
    assert scene.next_due() is None


def test_a_partial_join_that_cannot_be_reached_fails_the_workflow() -> None:
    """Two of three were wanted, one completed: the step fails, what was done is undone, and a retry is refused."""
    steps: dict[str, dict[str, object]] = {"b": {"optional": True}, "c": {"optional": True}, "e": {"join": 2}}
    scene = Scene(definition("a > b c d > e; a > f", a={"compensate": undone()}, **steps))
    scene.behaves("b", REFUSES).behaves("c", REFUSES)
    scene.do("a", "f", "b", "c", "d")
    assert scene.play() == "failed, compensation completed"
    assert scene.rows.head.error["step"] == "e"
    assert scene.rows.head.error["kind"] == "join"


def test_a_join_that_can_never_be_reached_is_not_retried() -> None:
    """A retry would wait for ever: it is refused, with what to do instead."""
    scene = Scene(definition("a b > c", b={"optional": True}, c={"join": 2})).behaves("b", REFUSES)
    assert scene.play() == "failed"
    conflict = scene.order("retry")
    assert conflict is not None
    assert "rerun" in str(conflict)


def test_a_join_that_fails_beside_a_branch_that_is_skipped_leaves_the_counts_right() -> None:
    """Both are decided by the same settle; the undoing begins after both."""
    steps: dict[str, dict[str, object]] = {"b": {"optional": True}, "c": {"join": 2}, "d": {"join": 1}}
    scene = Scene(definition("a b > c; b > d > e", a={"compensate": undone()}, **steps)).behaves("b", REFUSES)
    scene.do("a", "b")
    assert scene.status_of("e") is StepStatus.SKIPPED
    assert scene.play() == "failed, compensation completed"


@pytest.mark.parametrize(
    ("route", "calls"), [({"optional": True}, ["a", "b", "d"]), ({"fallback": "other"}, ["a", "b", "other", "d"])]
)
def test_a_partial_join_that_cannot_be_reached_is_routed_like_any_failure(
    route: dict[str, object], calls: list[str]
) -> None:
    """`optional` and `fallback` count for it too."""
    others: dict[str, dict[str, object]] = {"other": {}} if "fallback" in route else {}
    scene = Scene(definition("a b > c > d", b={"optional": True}, c={"join": 2, **route}, **others))
    scene.behaves("b", REFUSES)
    assert scene.play() == "completed"
    assert scene.calls == calls


def test_what_a_skipped_head_should_have_carried_is_brought_by_the_ledger() -> None:
    """A step behind a branch that was skipped waits for another one too: its message does not come with the branch."""
    scene = Scene(definition("a > x > c; x y > head > carried; a > carried"), not_taken={"x", "y"})
    assert "chain(head, carried)" in map(str, scene.definition.plan.fragments)
    scene.do("a", "x", "y")
    assert scene.status_of("head") is StepStatus.SKIPPED
    assert "carried" in scene.messages


# Messages and workers


def test_a_duplicate_of_a_step_that_is_running_has_no_effect() -> None:
    """The second copy finds the step held."""
    scene = Scene(definition("a > b"))
    [message] = scene.broker.bag
    scene.deliver(message, keep=True)
    assert scene.deliver(message) is None
    assert scene.refusals == [("a", Refusal.HELD)]
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b"]


def test_a_duplicate_of_a_completed_step_lets_its_chain_go_on() -> None:
    """What follows is brought again, and called once."""
    scene = Scene(definition("a > b"))
    [message] = scene.broker.bag
    scene.deliver(message, keep=True)
    scene.end("a")
    assert scene.deliver(message) is None
    assert scene.refusals == [("a", Refusal.PASSED)]
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b"]


def test_a_message_that_comes_too_early_has_no_effect() -> None:
    """A step is not called before what it waits for, whoever sends its message."""
    scene = Scene(definition("a > b"))
    assert scene.deliver(Message("b"), keep=True) is None
    assert scene.deliver(Message("no such step"), keep=True) is None
    assert scene.refusals == [("b", Refusal.EARLY), ("no such step", Refusal.UNKNOWN)]


def test_a_lost_message_is_sent_again() -> None:
    """Redis is emptied: the reconciler finds what was ready."""
    scene = Scene(definition("a > b c > d"))
    scene.do("a")
    scene.flush()
    scene.later(6.0)
    assert scene.messages == {"b", "c"}
    assert scene.events("step.resent") == ["b", "c"]
    assert scene.play() == "completed"


def test_a_step_whose_worker_was_lost_is_called_again_with_the_same_key() -> None:
    """A service that honours keys does it once."""
    scene = Scene(definition("charge", charge={"compensate": undone()}))
    scene.begin("charge")
    scene.crash(scene.in_flight("charge"), again=False)
    scene.later(0.0)
    assert scene.play() == "completed"
    assert scene.calls == ["charge", "charge"]
    assert len(scene.books.charges_of("charge")) == 1


def test_a_step_that_is_not_idempotent_is_not_called_again_after_its_worker_was_lost() -> None:
    """Whether it was done is unknown: it failed, and is undone."""
    fields = {"call": call(3, idempotent=False), "compensate": undone()}
    scene = Scene(definition("charge", charge=fields), careless={"charge"})
    scene.begin("charge")
    scene.crash(scene.in_flight("charge"), again=True)
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["charge", "charge:undo"]


def test_a_call_that_kills_workers_is_given_up() -> None:
    """After some losses the step has failed, outcome unknown."""
    scene = Scene(definition("a", a={"compensate": undone()}))
    for _ in range(MOST_LOSSES + 1):
        scene.begin("a")
        scene.crash(scene.in_flight("a"), again=False)
        scene.later(0.0)
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["a"] * (MOST_LOSSES + 1) + ["a:undo"]


def test_a_worker_that_was_only_slow_comes_too_late() -> None:
    """Its step was taken over: its answer changes nothing but the audit log."""
    scene = Scene(definition("a > b"))
    scene.begin("a")
    slow = scene.in_flight("a")
    scene.later(86.0)
    scene.begin("a")
    assert scene.settle(slow) is Settled.LATE
    assert scene.events("step.late") == ["a"]
    assert scene.play() == "completed"


def test_a_lease_that_ends_while_the_workflow_drains_lets_the_undoing_begin() -> None:
    """The worker in flight died: its step counts as unknown, and is undone."""
    scene = Scene(diamond()).behaves("provision", REFUSES)
    scene.do("validate")
    scene.begin("charge", "provision")
    scene.end("provision")
    scene.flights.clear()
    scene.later(86.0)
    assert scene.rows.steps["charge"].effect is Effect.UNKNOWN
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[-1] == "charge:undo"


def test_what_a_lost_call_may_still_do_is_outwaited_before_anything_is_undone() -> None:
    """The worker is gone, the service may be at work until the call's time-out: an undo must not overtake it."""
    scene = Scene(diamond()).behaves("provision", REFUSES)
    scene.do("validate")
    scene.begin("charge", "provision")
    scene.end("provision")
    scene.crash(scene.in_flight("charge"), again=False)
    scene.later(0.0)
    assert scene.messages == set(), "the charge may still be made"
    scene.later(10.1)
    assert scene.messages == {"charge:undo"}
    assert scene.play() == "failed, compensation completed"


@pytest.mark.parametrize("waits_for", [None, "retry"])
def test_a_lost_call_is_outwaited_though_it_was_to_be_made_again_when_the_workflow_began_to_fail(
    waits_for: str | None,
) -> None:
    """It was taken over, and not called since: the first call may still be under way."""
    scene = Scene(diamond(charge={"call": call(3), "compensate": undone()}))
    scene.behaves("provision", REFUSES).behaves("charge", OK, Behaviour.BUSY)
    scene.do("validate")
    scene.begin("charge", "provision")
    scene.crash(scene.in_flight("charge"), again=False)
    scene.later(0.0)
    if waits_for is not None:
        scene.do("charge")
    assert scene.rows.steps["charge"].waiting_for == waits_for
    scene.end("provision")
    assert (scene.status, scene.messages - {"charge"}) == ("compensating", set())
    scene.later(10.1)
    assert "charge:undo" in scene.messages
    assert scene.play() == "failed, compensation completed"


@pytest.mark.parametrize("later", [calls_back(20.0), polls(timeout=20.0)], ids=["callback", "poll"])
def test_what_may_have_accepted_a_lost_call_is_outwaited_too(later: dict[str, Any]) -> None:
    """The service may have taken the order just before the worker died: then it acts whenever it comes to it."""
    scene = Scene(diamond(charge={"compensate": undone(), **later})).behaves("provision", REFUSES)
    scene.do("validate")
    scene.begin("charge", "provision")
    scene.end("provision")
    scene.crash(scene.in_flight("charge"), again=False)
    for seconds in (0.0, 10.1):
        scene.later(seconds)
        assert scene.messages == set(), "the charge may still be made"
    scene.later(20.0)
    assert scene.messages == {"charge:undo"}


def test_the_answer_to_a_lost_call_counts_while_it_is_outwaited() -> None:
    """The undoing need not wait any longer, and it undoes what was done."""
    scene = Scene(diamond(charge={"compensate": undone(), **calls_back(20.0)})).behaves("provision", REFUSES)
    scene.do("validate")
    scene.begin("charge", "provision")
    scene.end("provision")
    scene.crash(scene.in_flight("charge"), again=False)
    scene.later(0.0)
    assert scene.answer(scene.promises[0]) is Answered.RECORDED
    assert scene.messages == {"charge:undo"}


def test_a_worker_that_is_lost_while_it_asks_is_no_reason_to_give_up_what_was_accepted() -> None:
    """Not even where the call itself may not be made again: a question does no harm."""
    scene = Scene(definition("a > b", a={"call": call(idempotent=False), "compensate": undone(), **polls()}))
    scene.do("a")
    scene.later(2.1)
    scene.begin("a")
    scene.crash(scene.in_flight("a"), again=False)
    scene.later(0.0)
    assert scene.messages == {"a"}
    assert scene.play() == "completed"


def test_a_refusal_as_already_under_way_is_waited_out_where_the_outcome_is_unknown() -> None:
    """409 under the key of a call that was lost: the first one is not over, and an undo would overtake it."""
    scene = Scene(definition("a > b", a={"compensate": undone(), "call": call(2)}))
    scene.behaves("a", TIMEOUT_AFTER, Behaviour.UNDER_WAY)
    assert scene.play() == "completed"
    assert scene.calls == ["a", "a", "a", "b"]


def test_a_409_to_a_first_attempt_is_a_plain_refusal() -> None:
    """Nothing is under way that could be waited for."""
    scene = Scene(definition("a > b", a={"call": call(2)})).behaves("a", Behaviour.UNDER_WAY)
    assert scene.play() == "failed"
    assert scene.calls == ["a"]


def test_a_service_that_breaks_after_its_work_is_undone_and_retried_under_the_same_key() -> None:
    """500 says nothing about the money."""
    scene = Scene(definition("a > b")).behaves("a", Behaviour.ERROR_AFTER)
    assert scene.play() == "failed"
    assert scene.order("retry") is None
    assert scene.play() == "completed"
    assert len(scene.books.charges_of("a")) == 1


def test_a_claim_whose_answer_was_lost_is_the_workers_own_when_it_asks_again() -> None:
    """Nobody else has it, and the attempt is the same."""
    scene = Scene(definition("a"))
    [first] = scene.rows.make([Claim("w", "a", "ada")], scene.now)
    [other] = scene.rows.make([Claim("w", "a", "bob", again=True)], scene.now)
    [again] = scene.rows.make([Claim("w", "a", "ada", again=True)], scene.now + 1)
    assert isinstance(first[0], Claimed)
    assert other[0] is Refusal.HELD
    assert isinstance(again[0], Claimed)
    assert again[0].attempt == 1
    assert again[0].lease_until == first[0].lease_until + 1


def test_a_step_in_another_threads_hands_is_not_given_out_again() -> None:
    """Both were kept by one worker; the answer to the first one's commit is lost, and it is made once more."""
    world = World(definition("a > b c > d"))
    world.start()
    flight = world.deliver(world.broker.bag[0])
    assert flight is not None
    world.proceed(flight)
    first, other = world.flights
    world.proceed(first, again=True)
    assert world.flights == [other]


def test_an_outcome_that_is_recorded_again_sends_what_follows_again() -> None:
    """The answer to the first commit was lost, and with it what was to be sent."""
    scene = Scene(definition("a > c d; b > d"))
    scene.do("b")
    scene.begin("a")
    flight = scene.in_flight("a")
    scene.settle(flight, publish=False)
    scene.broker.bag.clear()
    scene.repeat(flight, Settled.COMPLETED)
    assert scene.messages == {"d"}, "the canvas brings c"
    assert scene.events("step.late") == []


# Orders


def test_paused_nothing_starts_and_what_runs_ends() -> None:
    """Resumed, the workflow goes on where it was."""
    scene = Scene(definition("a > b > c"))
    scene.begin("a")
    assert scene.order("pause") is None
    scene.end("a")
    scene.later(60.0)
    scene.deliver(Message("b"), keep=True)
    assert scene.refusals[-1] == ("b", Refusal.CLOSED)
    assert scene.order("resume") is None
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b", "c"]


def test_a_failure_while_paused_is_undone_after_the_resume() -> None:
    """Pausing holds the undoing too."""
    scene = Scene(diamond()).behaves("provision", REFUSES)
    scene.do("validate", "charge")
    scene.begin("provision")
    scene.order("pause")
    scene.end("provision")
    scene.later(600.0)
    assert scene.status == "paused"
    assert scene.messages == set()
    scene.order("resume")
    assert scene.play() == "failed, compensation completed"


def test_a_deadline_that_passes_while_the_workflow_is_paused_and_failing_is_looked_at_once() -> None:
    """The reconciler does not find the same row for ever."""
    scene = Scene(definition("a b", deadline=60.0)).behaves("a", REFUSES)
    scene.begin("a")
    scene.order("pause")
    scene.end("a")
    scene.later(61.0)
    assert scene.due() == []


def test_a_paused_workflow_can_be_cancelled() -> None:
    """And is undone without having been resumed."""
    scene = Scene(diamond())
    scene.do("validate", "charge")
    scene.order("pause")
    scene.order("cancel")
    assert scene.play() == "cancelled, compensation completed"


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "retry"])
def test_a_completed_workflow_takes_no_orders(verb: str) -> None:
    """They are refused with the reason; `resume` of what runs is no fault, but this does not run any more."""
    scene = Scene(definition("a"))
    scene.play()
    conflict = scene.order(verb)
    assert conflict is not None
    assert "completed" in str(conflict)


def test_orders_given_twice_change_nothing_more() -> None:
    """The second one is no fault."""
    scene = Scene(diamond())
    for verb in ("pause", "pause", "resume", "resume", "cancel", "cancel"):
        assert scene.order(verb) is None
    assert scene.play() == "cancelled"


def test_retry_keeps_what_is_completed() -> None:
    """Only what failed is called again, under a new key where nothing was done under the old one."""
    scene = Scene(definition("a > b c > d")).behaves("b", REFUSES)
    scene.do("a")
    scene.begin("b", "c")
    scene.end("b", "c")
    assert scene.status == "failed"
    assert scene.order("retry") is None
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b", "c", "b", "d"]
    assert scene.rows.steps["b"].key_round == 1


def test_retry_is_refused_once_anything_was_undone() -> None:
    """What had been kept is gone: only a fresh copy can start over."""
    scene = Scene(diamond()).behaves("welcome", REFUSES)
    scene.play()
    conflict = scene.order("retry")
    assert conflict is not None
    assert "rerun" in str(conflict)


def test_retry_after_a_cancel_without_undoing_goes_on() -> None:
    """Everything that was done is still there."""
    scene = Scene(diamond())
    scene.do("validate", "charge")
    scene.order("cancel", compensate=False)
    assert scene.status == "cancelled"
    scene.order("retry")
    assert scene.play() == "completed"
    assert scene.calls == ["validate", "charge", "provision", "welcome"]


def test_an_attempt_that_failed_is_made_again_after_a_while() -> None:
    """It is parked meanwhile, holding no worker and no message, and comes with the same key."""
    scene = Scene(definition("a > b", a={"call": call(1)})).behaves("a", UNREACHABLE)
    scene.begin("a")
    assert scene.end("a") is Settled.PARKED
    assert scene.messages == set()
    scene.later(0.9)
    assert scene.messages == set()
    scene.later(0.2)
    assert scene.messages == {"a"}
    assert scene.play() == "completed"
    assert len(scene.books.charges_of("a")) == 1


# Parked


def test_pattern_24_persistent_trigger() -> None:
    """The service says that it is done before it has answered the request: that is kept."""
    scene = Scene(definition("a > b", a=calls_back()))
    scene.begin("a")
    [promise] = scene.promises
    assert scene.answer(promise) is Answered.RECORDED
    assert scene.messages == {"b"}, "no canvas goes on after a step that is parked"
    assert scene.end("a") is Settled.PARKED
    assert scene.events("step.late") == []
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b"]


def test_pattern_16_deferred_choice() -> None:
    """The answer or the time-out, whichever comes first; the other one is too late."""
    scene = Scene(definition("a > b", a={**calls_back(20.0), "compensate": undone()}))
    scene.do("a")
    scene.later(20.1)
    [promise] = scene.promises
    assert scene.answer(promise) is Answered.LATE
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["a", "a:undo"]


def test_a_cancelled_workflow_waits_for_what_a_service_has_accepted() -> None:
    """An undo that overtook it would undo nothing."""
    scene = Scene(definition("a", a={**calls_back(), "compensate": undone()}))
    scene.do("a")
    scene.order("cancel")
    assert (scene.status, scene.messages) == ("compensating", set())
    assert scene.answer(scene.promises[0]) is Answered.RECORDED
    assert scene.play() == "cancelled, compensation completed"
    assert scene.calls == ["a", "a:undo"]


def test_the_answer_to_an_attempt_whose_worker_was_lost_counts() -> None:
    """A service that honours keys does it once, and calls back once: perhaps where the first attempt told it to."""
    scene = Scene(definition("a > b", a=calls_back()))
    scene.begin("a")
    scene.crash(scene.in_flight("a"), again=False)
    scene.later(0.0)
    first = scene.promises[0]
    scene.books.charge("a", "a/0", OK)
    first.acts = False
    assert scene.answer(first) is Answered.RECORDED
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b"]


def callback_of(attempt: int, key_round: int, outcome: Ending) -> Promise:
    """What the service of a says of one of its attempts."""
    return Promise("a", Waiting.CALLBACK, outcome, attempt, key_round)


def test_that_an_earlier_attempt_failed_says_nothing_about_the_present_one() -> None:
    """Another attempt is under way, and may succeed."""
    scene = Scene(definition("a > b", a={"call": call(1), **calls_back(20.0)}))
    scene.do("a")
    scene.later(20.1)
    scene.later(1.1)
    scene.do("a")
    assert scene.answer(callback_of(1, 0, NOT_DONE), keep=True) is Answered.REPLACED
    assert scene.play() == "completed"


def test_a_call_that_may_not_be_repeated_is_answered_by_its_own_attempt_alone() -> None:
    """Its attempts are different orders to its service: the first was not carried out, the second is under way."""
    scene = Scene(definition("a > b", a={"call": call(1, idempotent=False), **calls_back(20.0)}))
    scene.do("a")
    assert scene.answer(callback_of(1, 0, replace(NOT_DONE, retryable=True)), keep=True) is Answered.RECORDED
    scene.later(1.1)
    scene.do("a")
    assert scene.answer(callback_of(1, 0, Completed(None)), keep=True) is Answered.REPLACED
    assert scene.status_of("a") is StepStatus.WAITING


def test_an_answer_to_the_round_before_a_retry_says_nothing_about_the_next_one() -> None:
    """A person had it run again, under a new key: that is another order."""
    scene = Scene(definition("a > b", a=calls_back(20.0)))
    scene.do("a")
    assert scene.answer(callback_of(1, 0, NOT_DONE), keep=True) is Answered.RECORDED
    scene.order("retry")
    scene.do("a")
    assert scene.answer(callback_of(1, 0, Completed(None)), keep=True) is Answered.REPLACED
    assert scene.status_of("a") is StepStatus.WAITING


def test_what_may_not_be_repeated_is_undone_where_nobody_answers() -> None:
    """Whether it was done is unknown."""
    fields = {"call": call(2, idempotent=False), "compensate": undone(), **calls_back(20.0)}
    scene = Scene(definition("a", a=fields), careless={"a"})
    scene.do("a")
    scene.promises.clear()
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["a", "a:undo"]


def test_a_service_that_is_not_done_in_time_is_asked_no_more_and_undone() -> None:
    """It accepted the order: nobody knows how far it came."""
    scene = Scene(definition("a > b", a={"compensate": undone(), **polls(every=2.0, timeout=3.0)}))
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["a", "a:undo"]


def test_an_answer_after_a_failure_that_was_tolerated_changes_nothing() -> None:
    """The workflow has gone on without the step."""
    scene = Scene(definition("a > b", a={"optional": True, **calls_back(20.0)}))
    scene.do("a")
    scene.later(20.1)
    assert scene.answer(callback_of(1, 0, Completed(None)), keep=True) is Answered.LATE
    assert scene.status_of("a") is StepStatus.FAILED
    assert scene.play() == "completed"


def test_a_timer_and_an_approval_are_given_up_where_the_workflow_is_cancelled() -> None:
    """Nobody has done anything that could be undone."""
    scene = Scene(definition("a b", a=waits(1000.0), b=asks_a_person()))
    scene.do("a", "b")
    scene.order("cancel")
    assert scene.status == "cancelled"
    assert scene.answer(scene.promises[0]) is Answered.LATE


def test_a_timer_that_ends_while_the_workflow_is_paused_lets_it_go_on_after_the_resume() -> None:
    """Times go on in a pause; nothing is started."""
    scene = Scene(definition("a > b", a=waits(5.0)))
    scene.do("a")
    scene.order("pause")
    scene.later(6.0)
    assert (scene.status_of("a"), scene.messages) == (StepStatus.COMPLETED, set())
    scene.order("resume")
    assert scene.play() == "completed"


def test_a_service_may_be_asked_again_how_it_stands_though_the_call_may_not_be_repeated() -> None:
    """It has the order, and is at work on it: a question that fails is no reason to undo that."""
    scene = Scene(definition("a > b", a={"call": call(2, idempotent=False), "compensate": undone(), **polls()}))
    scene.behaves("a", OK, OK, Behaviour.BUSY, TIMEOUT_BEFORE)
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b"]


def test_a_poll_sends_its_request_once_however_often_it_asks() -> None:
    """Also where a question fails, and where a worker is lost in the midst of one."""
    scene = Scene(definition("a > b", a=polls())).behaves("a", OK, UNREACHABLE, OK)
    scene.begin("a")
    scene.end("a")
    scene.later(2.1)
    scene.begin("a")
    scene.crash(scene.in_flight("a"), again=False)
    scene.later(0.0)
    assert scene.play() == "completed"
    assert scene.calls == ["a", "b"]
    assert scene.rows.steps["a"].attempts == 1
