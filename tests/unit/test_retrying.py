"""When an attempt is made again."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definition import RetryPolicy
from orchestrator.retrying import LONGEST_WAIT, parse_retry_after, wait_before

NOW = 1_559_559_600.0  # 2019-06-03T11:00:00Z
POLICY = RetryPolicy()
CERTAIN = RetryPolicy(jitter="none")
VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "retry-after-vectors.json"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("007", 7),
        (" \t42 ", 42),
        ("Mon, 03 Jun 2019 11:02:30 GMT", 150),
        ("Mon, 3 Jun 2019 11:02:30 UTC", 150),
        ("Monday, 03-Jun-19 11:02:30 GMT", 150),
        ("Mon Jun  3 11:02:30 2019", 150),
        ("Tue Dec 31 23:59:60 2019", 18_277_200),
        ("Mon, 03 Jun 2019 11:00:00 GMT", None),
        ("Mon, 03 Jun 2019 10:59:59 GMT", None),
        ("Sunday, 06-Nov-94 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_read_in_every_form_http_has(value: str, seconds: float | None) -> None:
    """Whole seconds and the three date formats; a moment that is not in the future asks for nothing."""
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "-1", "+1", "1.0", "1e3", "²", "٣", "1 2", "soon", "inf", "nan", "Mon, 31 Jun 2019 11:00:00 GMT",
     "Mon, 03 Jux 2019 12:00:00 GMT", "Mon, 03 Jun 2019 25:00:00 GMT", "Mon, 03 Jun 2019 12:00:61 GMT",
     "Mon, 03 Jun 0000 12:00:00 GMT", "Mon, 03 Jun 2019 12:00:00 CEST", "2019-06-03T12:00:00Z"],
)  # fmt: skip
def test_a_retry_after_that_is_neither_seconds_nor_a_date_asks_for_nothing(value: str) -> None:
    """Garbage from a service is no reason to fail, and none to wait."""
    assert parse_retry_after(value, NOW) is None


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not beside this clone")
def test_retry_after_agrees_with_the_shared_vectors() -> None:
    """The table of another HTTP client, read the same way."""
    vectors = json.loads(VECTORS.read_text())
    for value, seconds in vectors["parse"] + vectors["dates"]:
        assert parse_retry_after(value, NOW) == seconds, value
    for value in vectors["invalid"]:
        assert parse_retry_after(value, NOW) is None, value


@given(st.text(max_size=60))
def test_no_retry_after_header_raises(value: str) -> None:
    """Whatever a service sends, there is a number or there is none."""
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


def test_an_absurd_number_of_seconds_is_capped_by_the_wait() -> None:
    """Ten thousand digits are a number too; no step sleeps that long."""
    seconds = parse_retry_after("9" * 10_000, NOW)
    assert seconds is not None
    assert wait_before(CERTAIN, 0, seconds, 0.0) == LONGEST_WAIT


def test_without_jitter_the_wait_grows_by_the_factor_up_to_the_longest_delay() -> None:
    """1, 2, 4 … seconds, then `maxDelay`."""
    assert [wait_before(CERTAIN, retry, None, 0.5) for retry in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_full_jitter_is_a_share_of_the_wait() -> None:
    """Any moment between now and the whole backoff."""
    assert wait_before(POLICY, 3, None, 0.0) == 0
    assert wait_before(POLICY, 3, None, 0.5) == 4
    assert wait_before(POLICY, 20, None, 0.999) == pytest.approx(59.94)


def test_jitter_comes_on_top_of_what_the_service_asked_for() -> None:
    """Nobody comes before the moment the service named, and not everybody at it."""
    assert wait_before(POLICY, 0, 30.0, 0.0) == 30
    assert wait_before(POLICY, 0, 30.0, 0.5) == 30.5


def test_without_jitter_the_longer_of_both_waits_holds() -> None:
    """The service's wish is a floor under the policy's delay."""
    assert wait_before(CERTAIN, 2, 3.0, 0.0) == 4
    assert wait_before(CERTAIN, 2, 30.0, 0.0) == 30


@given(
    st.builds(
        RetryPolicy,
        delay=st.floats(0, 1e300),
        factor=st.floats(1, 1e300),
        max_delay=st.floats(0, 1e300),
        jitter=st.sampled_from(["full", "none"]),
    ),
    st.integers(0, 100_000),
    st.none() | st.floats(0, 1e12),
    st.floats(0, 1, exclude_max=True),
)
def test_every_wait_is_finite_and_honours_the_service(
    policy: RetryPolicy, retry: int, retry_after: float | None, share: float
) -> None:
    """For any policy, any number of retries and any wish: from the wish (capped) to a day."""
    assert min(retry_after or 0, LONGEST_WAIT) <= wait_before(policy, retry, retry_after, share) <= LONGEST_WAIT
