"""Ticks: cron in a time zone through both changes of the clocks, intervals, and what is caught up with."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rhythm import MOST_CAUGHT_UP, Rhythm, caught_up, fault_of_cron, fault_of_zone

LONDON = ZoneInfo("Europe/London")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp()


def told(ticks: list[float]) -> list[str]:
    return [datetime.fromtimestamp(tick, LONDON).isoformat() for tick in ticks]


def test_a_tick_of_the_missing_hour_comes_at_the_end_of_it_and_once() -> None:
    """On 29 March 2026 there is no 01:30 in London."""
    ticks = Rhythm("30 1 * * *", timezone="Europe/London").following(at("2026-03-28T12:00"), 0, 2)
    assert told(ticks) == ["2026-03-29T02:00:00+01:00", "2026-03-30T01:30:00+01:00"]


def test_a_tick_of_the_doubled_hour_comes_once_at_a_fixed_time_and_twice_where_it_comes_every_hour() -> None:
    """On 25 October 2026 there are two 01:30 in London."""
    fixed = Rhythm("30 1 * * *", timezone="Europe/London")
    assert told(fixed.following(at("2026-10-24T12:00"), 0, 2)) == [
        "2026-10-25T01:30:00+01:00",
        "2026-10-26T01:30:00+00:00",
    ]
    hourly = Rhythm("30 * * * *", timezone="Europe/London").following(at("2026-10-25T00:00"), 0, 4)
    assert told(hourly) == [
        "2026-10-25T00:30:00+01:00",
        "2026-10-25T01:30:00+01:00",
        "2026-10-25T01:30:00+00:00",
        "2026-10-25T02:30:00+00:00",
    ]


@pytest.mark.parametrize("cron", ["30 1 * * *", "*/20 * * * *", "0 2 * * *", "15 0-3 * * sun"])
@pytest.mark.parametrize("day", ["2026-03-28T00:00", "2026-10-24T00:00"])
def test_one_tick_after_another_gives_every_tick_once_through_a_change_of_the_clocks(cron: str, day: str) -> None:
    """Whoever asks for the next one from each, as workers do, sees what whoever reads them in a row sees."""
    rhythm = Rhythm(cron, timezone="Europe/London")
    row = rhythm.following(at(day), 0, 30)
    one_by_one = [rhythm.after(before, 0) for before in row[:-1]]
    assert one_by_one == row[1:]
    assert all(earlier < later for earlier, later in pairwise(row))
    assert rhythm.until(row[0], row[-1], 0) == row


@given(
    every=st.integers(1, 100_000).map(float),
    anchor=st.floats(0, 1e9, allow_nan=False),
    gap=st.floats(0, 1e7, allow_nan=False),
)
def test_intervals_are_counted_from_their_anchor(every: float, anchor: float, gap: float) -> None:
    """However late one looks, the next tick is to come, and on the same grid."""
    tick = Rhythm(every=every).after(anchor + gap, anchor)
    assert anchor + gap < tick <= anchor + gap + every + 1e-6
    assert round((tick - anchor) / every) * every == pytest.approx(tick - anchor)


@pytest.mark.parametrize("rhythm", [Rhythm("* * * * *"), Rhythm(every=60)])
def test_after_a_years_outage_no_more_than_the_last_hundred_are_caught_up_with(rhythm: Rhythm) -> None:
    """And they are found without counting all the others."""
    first = rhythm.after(1_700_000_000, 0)
    ticks = rhythm.until(first, first + 366 * 86_400, 0)
    assert len(ticks) == MOST_CAUGHT_UP
    assert ticks[-1] == first + 366 * 86_400


def test_what_was_missed_is_skipped_or_started_once_or_all_of_it() -> None:
    """As the schedule says; a tick of this minute was not missed."""
    ticks = [100.0, 200.0, 300.0]
    assert caught_up("all", ticks, 310) == ticks
    assert caught_up("one", ticks, 9_999) == [300.0]
    assert caught_up("skip", ticks, 310) == [300.0]
    assert caught_up("skip", ticks, 361) == []


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "@daily", None, 5, "x " * 5]
)
def test_what_is_no_cron_is_refused(cron: object) -> None:
    """With what would be right."""
    assert fault_of_cron(cron) is not None


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\0b", None, 5, "x" * 5_000])
def test_what_is_no_zone_is_refused(zone: object) -> None:
    """And never opens a file."""
    assert fault_of_zone(zone) is not None
    assert fault_of_zone("Europe/London") is None
