"""The judge of the soak, on series whose truth is known."""

import math
import random

import pytest

from tests.endurance.soak import grows
from tests.endurance.trend import Looks, can_be_judged, second_half, slope

HOUR = [5.0 * number for number in range(720)]


def noisy(value: float, seed: int) -> float:
    """What a process shows that has allocated and freed just then."""
    return value + random.Random(seed).gauss(0, 0.7)


def leaks(looks: Looks) -> bool:
    """What the soak says of a process's memory."""
    assert can_be_judged(looks)
    return grows("rss", looks)


@pytest.mark.parametrize("an_hour", [8.0, 20.0, 200.0])
def test_a_leak_is_found_however_small_beside_the_noise_and_the_warming_up(an_hour: float) -> None:
    """40 MiB of pools and arenas in the first minutes hide nothing."""
    looks = [
        (at, noisy(110 + 40 * (1 - math.exp(-at / 300)) + an_hour * at / 3600, number))
        for number, at in enumerate(HOUR)
    ]
    assert leaks(looks)
    assert slope(second_half(looks)) == pytest.approx(an_hour, abs=1.5)


def test_what_only_warms_up_is_no_leak() -> None:
    """It rises for long, and ever less."""
    looks = [(at, noisy(110 + 45 * (1 - math.exp(-at / 480)), number)) for number, at in enumerate(HOUR)]
    assert not leaks(looks)


def test_one_late_peak_and_one_step_are_no_leak() -> None:
    """A burst took an arena more, and gave most of it back: a least-squares line would say 12 MiB an hour."""
    looks = [(at, noisy(150 + (20 if 3_400 < at < 3_500 else 0) + (2 if at > 3_000 else 0), 1)) for at in HOUR]
    assert not leaks(looks)


@pytest.mark.parametrize(("step", "every"), [(1.0, 300), (4.0, 1_200)])
def test_steps_that_keep_coming_are_a_leak(step: float, every: int) -> None:
    """Memory comes from the system in pieces; few large ones show in no slope between most looks."""
    assert leaks([(at, 150.0 + step * (at // every)) for at in HOUR])


def test_a_pool_that_fills_late_is_no_leak_but_one_without_a_bound_is() -> None:
    """Threads and connections are kept once they were needed."""
    assert not grows("threads", [(at, 20.0 + 7 * (at > 2_700)) for at in HOUR])
    assert grows("threads", [(at, 20.0 + at / 120) for at in HOUR])


def test_a_short_run_is_not_judged() -> None:
    """A quarter of an hour shows how a process warms up."""
    assert not can_be_judged([(at, 150.0) for at in HOUR[:180]])
