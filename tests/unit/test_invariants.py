"""Random graphs, random answers, deliveries in any order, twice, never, also in the middle of a call; then the design's
invariants, told from the ledger's rows and the services' books alone (`tests.world`).

`ORCHESTRATOR_TEST_RANDOM=1` has it see new worlds, `-m slow` many more of them. A failure tells the whole story and
its seed: `live(random.Random(seed), disturbed)` repeats it.
"""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.states import Compensation, StepStatus, WorkflowStatus
from tests.world.fate import Fate, disturbed, live, undisturbed
from tests.world.seeds import FIXED, dices

any_dice = st.randoms(use_true_random=False)
searching = settings(
    derandomize=FIXED,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@searching
@given(any_dice)
def test_whatever_happens_a_workflow_ends_and_ends_right(dice: random.Random) -> None:
    """Messages twice, late or never, workers killed, Redis emptied, orders at any moment: every invariant holds."""
    live(dice, disturbed)


@searching
@given(any_dice)
def test_where_only_services_fail_nothing_waits_for_what_it_does_not_depend_on(dice: random.Random) -> None:
    """With an undisturbed broker each step starts in the moment in which its last prerequisite settles."""
    live(dice, undisturbed)


def see(fate: Fate, how_many: int) -> dict[str, int]:
    """Live through that many worlds; how often they ended how."""
    ends: dict[str, int] = {}
    for seed, dice in dices(how_many):
        try:
            head = live(dice, fate).rows.head
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        end = f"{head.status}, compensation {head.compensation}"
        ends[end] = ends.get(end, 0) + 1
    return ends


def test_a_thousand_disturbed_workflows_end_right_in_every_way_there_is() -> None:
    """And the worlds are wild enough: they end in every way in which a workflow can."""
    ends = see(disturbed, 1000)
    assert {f"{WorkflowStatus.FAILED}, compensation {how}" for how in ("none", "completed", "failed")} <= ends.keys()
    assert {f"{WorkflowStatus.CANCELLED}, compensation {how}" for how in ("none", "completed")} <= ends.keys()
    assert ends[f"{WorkflowStatus.COMPLETED}, compensation {Compensation.NONE}"] > 250


def test_a_thousand_undisturbed_workflows_start_every_step_promptly() -> None:
    """The same, where the broker does what it should."""
    ends = see(undisturbed, 1000)
    assert len(ends) == 7  # every way there is: a step may end it as cancelled


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_forty_thousand_workflows_end_right() -> None:
    """The long search."""
    see(undisturbed, 10_000)
    see(disturbed, 30_000)


def test_the_worlds_are_wild_enough() -> None:
    """What the invariants speak of does happen: every status, retries, losses, fallbacks, undos that fail."""
    seen: set[str] = set()
    for _, dice in dices(300):
        world = live(dice, disturbed)
        seen |= {event.type for _, event in world.rows.events}
        seen |= {f"refused: {refusal}" for _, refusal in world.refusals}
        steps = world.rows.steps.values()
        seen |= {f"{step.kind} {step.status}" for step in steps}
        seen |= {"tolerated" for step in steps if step.tolerated}
        seen |= {"new key" for step in steps if step.key_round}
    settled = {StepStatus.COMPLETED, StepStatus.FAILED}
    assert seen >= {f"{kind} {status}" for kind in ("call", "undo") for status in settled}
    assert seen >= {f"refused: {word}" for word in ("passed", "held", "early", "closed", "unknown", "parked")}
    assert seen >= {"tolerated", "new key", "step.late", "step.lost", "step.resent", "step.retrying"}
    assert seen >= {f"workflow.{word}" for word in ("paused", "resumed", "cancelRequested", "retried", "compensating")}
