"""A worker may act on what it claimed as long as nobody can have taken it for dead."""

import pytest

from orchestrator.attempt import within_its_lease
from orchestrator.moves.claiming import LEASE_MARGIN
from orchestrator.standing import Standing


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The worker's clock."""
    return Clock()


@pytest.fixture
def standing(clock: Clock) -> Standing:
    """Of a worker that has just shown that it lives; others wait for 10 s."""
    standing = Standing(10.0, 6.0, clock)
    standing.shown(clock.now, known=False)
    return standing


def test_a_worker_that_never_showed_itself_cannot_be_taken_for_dead(clock: Clock) -> None:
    """Nobody knows it, so nobody misses it: only the lease of the step counts."""
    holds = Standing(10.0, 6.0, clock).from_now()
    clock.now += 1000
    assert holds()


def test_what_was_claimed_is_the_workers_own_while_it_shows_that_it_lives(standing: Standing, clock: Clock) -> None:
    """Sign after sign, for however long the call takes."""
    holds = standing.from_now()
    for _ in range(10):
        clock.now += 9
        assert holds()
        standing.shown(clock.now, known=True)


def test_after_a_silence_nothing_is_its_own_until_it_has_shown_itself(standing: Standing, clock: Clock) -> None:
    """It may have been buried, and does not know yet."""
    holds = standing.from_now()
    clock.now += 10
    assert not holds()
    standing.shown(clock.now, known=True)
    assert holds(), "nobody had looked for it meanwhile"


def test_who_was_taken_for_dead_has_lost_what_it_held_and_keeps_what_it_claims_from_then_on(
    standing: Standing, clock: Clock
) -> None:
    """Its row was gone: others have its steps."""
    before = standing.from_now()
    clock.now += 20
    standing.shown(clock.now, known=False)
    assert not before()
    assert standing.from_now()()


def test_a_sign_of_life_counts_from_its_beginning(standing: Standing, clock: Clock) -> None:
    """It may take long to be recorded; the others count from the record, which is never earlier."""
    holds = standing.from_now()
    standing.shown(clock.now - 8, known=True)
    clock.now += 3
    assert not holds()


def test_a_worker_is_steady_from_its_first_sign_of_life_on(standing: Standing, clock: Clock) -> None:
    """As long as the signs come regularly."""
    assert Standing(10.0, 6.0, clock).steady_for() == 0
    for _ in range(3):
        clock.now += 3
        standing.shown(clock.now, known=True)
    assert standing.steady_for() == 9


def test_a_worker_that_was_held_up_is_not_steady(standing: Standing, clock: Clock) -> None:
    """It and the others may all have waited for the same database: it must not bury them before they can speak."""
    clock.now += 20
    assert standing.steady_for() == 0
    standing.shown(clock.now, known=True)
    clock.now += 2
    assert standing.steady_for() == 2


def test_a_sign_of_life_that_took_long_to_be_recorded_is_a_gap(standing: Standing, clock: Clock) -> None:
    """The database was frozen meanwhile."""
    began = clock.now + 3
    clock.now += 30
    standing.shown(began, known=True)
    clock.now += 1
    assert standing.steady_for() == 1


def test_what_was_claimed_too_long_ago_is_not_called_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease would end before the call does: others would take the step over, and undo it, in the middle of it."""
    now = [100.0]
    monkeypatch.setattr("orchestrator.attempt.time.monotonic", lambda: now[0])
    holds = within_its_lease(lambda: True)
    now[0] += LEASE_MARGIN - 1
    assert holds()
    now[0] += 2
    assert not holds()
