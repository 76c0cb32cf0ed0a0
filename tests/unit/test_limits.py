"""The arithmetic of limits: slots, rates, circuits."""

import itertools
import random

import pytest

from orchestrator.limits import Allowance, Circuit, Gauge, closed, free_at, learn, let_in, opened, speaks_for
from orchestrator.outcome import Completed, Failed, Skipped, StepError
from orchestrator.states import Effect

CIRCUIT = Circuit(failures=3, share=0.5, calls=10, pause=30)


def told(marks: str, allowance: Allowance, gauge: Gauge | None = None, now: float = 100.0) -> Gauge:
    """The gauge after calls that ended so: `.` well, `x` badly, `?` saying nothing."""
    gauge = gauge or Gauge()
    for mark in marks:
        gauge = learn(allowance, gauge, {".": True, "x": False, "?": None}[mark], now)
    return gauge


def test_a_slot_is_free_until_all_are_held() -> None:
    """And without a bound always."""
    two = Allowance(concurrency=2)
    assert [free_at(two, Gauge(), held, 5.0) for held in (0, 1, 2, 3)] == [5.0, 5.0, None, None]
    assert free_at(Allowance(), Gauge(), 10_000, 5.0) == 5.0


def test_a_rate_spaces_calls_and_saves_nothing_up() -> None:
    """Whenever they come: never two within less than its interval."""
    ten = Allowance(rate=10.0)
    gauge, now, begun = Gauge(), 1000.0, []
    dice = random.Random(7)
    for _ in range(300):
        now += dice.choice([0.0, 0.0, 0.01, 0.3])
        at = free_at(ten, gauge, 0, now)
        assert at is not None
        assert at >= now
        gauge = let_in(ten, gauge, at)
        begun.append(at)
    assert min(later - earlier for earlier, later in itertools.pairwise(begun)) >= 0.1 - 1e-6


@pytest.mark.parametrize(
    ("marks", "state"),
    [
        ("xx", "closed"),
        ("xxx", "open"),
        ("xx.xx.", "closed"),
        ("xx?x", "open"),
        (".x.x.x.x.x", "open"),  # half of the last ten
        (".x.x.x.x..", "closed"),
        ("x" * 2 + "." * 50 + "xx", "closed"),
    ],
)
def test_a_circuit_opens_by_failures_in_a_row_or_by_their_share(marks: str, state: str) -> None:
    """What says nothing about the service does not count."""
    assert told(marks, Allowance(circuit=CIRCUIT)).state(100.0) == state


def test_an_open_circuit_is_probed_by_one_call_and_closed_by_its_success() -> None:
    """What was sent before it opened tells nothing new."""
    allowance = Allowance(concurrency=10, circuit=CIRCUIT)
    gauge = told("xxx", allowance)
    assert free_at(allowance, gauge, 0, 100.0) == 130.0
    assert told("...", allowance, gauge) == gauge
    assert free_at(allowance, gauge, 1, 131.0) is None
    assert told(".", allowance, gauge, 131.0) == Gauge()


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    """An hour of an outage costs few calls."""
    gauge, allowance, now, probes = told("xxx", Allowance(circuit=CIRCUIT)), Allowance(circuit=CIRCUIT), 130.0, 0
    while now < 3700:
        assert gauge.state(now) == "half-open"
        gauge, probes = told("x", allowance, gauge, now), probes + 1
        assert gauge.open_until is not None
        now = gauge.open_until
    assert probes < 12


def test_a_circuit_that_a_person_opened_closes_by_a_probe_too() -> None:
    """Though its limit has no circuit of its own."""
    gauge = opened(Gauge(), Circuit(pause=60), 0.0)
    assert gauge.state(59.0) == "open"
    assert told(".", Allowance(), gauge, 60.0) == closed(gauge)


def test_what_an_outcome_says_of_its_service() -> None:
    """A 4xx is the answer of a service that works."""

    def failed(kind: str, status: int | None = None) -> bool | None:
        return speaks_for(Failed(StepError(kind, "", status), Effect.NONE, retryable=True))

    assert speaks_for(Completed(None, 200)) is True
    assert [failed("http", 503), failed("timeout"), failed("refused")] == [False, False, False]
    assert failed("http", 404) is True
    assert [failed("expression"), failed("blocked"), speaks_for(Skipped("no"))] == [None, None, None]
