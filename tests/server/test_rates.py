"""Token buckets, with the time in the test's hand."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtflow.server import rates
from rtflow.server.rates import PAUSE, Bucket, Buckets, Rate


def test_a_burst_goes_through_and_then_the_rate() -> None:
    bucket = Bucket(Rate(per_second=10, burst=3))
    assert [bucket.take(1.0) == 0 for _ in range(5)] == [True, True, True, False, False]
    assert bucket.take(1.09) > 0
    assert bucket.take(1.11) == 0
    assert bucket.take(1.12) > 0
    assert [bucket.take(9.0) == 0 for _ in range(4)] == [True, True, True, False]


def test_nothing_slips_through_behind_what_was_refused() -> None:
    """Of a thousand per second the next is due in a moment: it would overtake the refused one."""
    bucket = Bucket(Rate(per_second=1000, burst=1))
    assert bucket.take(1.0) == 0
    assert bucket.take(1.0001) > 0
    assert all(bucket.take(1.0002 + step * PAUSE / 100) > 0 for step in range(100))
    assert bucket.take(1.0001 + PAUSE) == 0


def test_who_is_refused_is_told_a_time_of_his_own() -> None:
    bucket = Bucket(Rate(per_second=100, burst=100))
    waits = [bucket.take(1.0) for _ in range(1000)]
    assert waits[:100] == [0.0] * 100
    told = waits[100:]
    assert all(later - sooner == pytest.approx(0.01) for sooner, later in pairwise(told))
    assert max(Counter(int(wait) for wait in told).values()) <= 101, "they come at the rate"


def test_nobody_is_sent_away_for_ever() -> None:
    bucket = Bucket(Rate(per_second=1, burst=1))
    waits = [bucket.take(1.0) for _ in range(1000)]
    assert max(waits) <= rates.LONGEST
    assert len(set(map(round, waits))) > 50, "and they are spread"


@given(
    st.floats(0.1, 1000),
    st.floats(1, 100),
    st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=200),
)
def test_in_no_time_more_than_the_rate_and_the_burst(
    per_second: float, burst: float, pauses: list[float]
) -> None:
    bucket, now, taken = Bucket(Rate(per_second, burst)), 1.0, list[float]()
    for pause in pauses:
        now += pause / per_second
        if bucket.take(now) == 0:
            taken.append(now)
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            count = last - first + 1
            assert count <= burst + (taken[last] - begin) * per_second + 1e-3


@given(st.floats(0.1, 1000), st.floats(1, 100), st.integers(101, 300))
def test_after_the_time_that_was_told_there_is_one(
    per_second: float, burst: float, times: int
) -> None:
    bucket = Bucket(Rate(per_second, burst))
    wait = max(bucket.take(1.0) for _ in range(times))
    assert bucket.take(1.0 + wait + 1e-6) == 0


def test_each_key_has_its_own() -> None:
    buckets = Buckets(Rate(per_second=1, burst=1))
    assert buckets.take("ada", 1.0) == 0
    assert buckets.take("ada", 1.0) > 0
    assert buckets.take("bob", 1.0) == 0


def test_without_a_rate_everything_goes_and_nothing_is_kept() -> None:
    buckets = Buckets(None)
    assert all(buckets.take("ada", 1.0) == 0 for _ in range(100))
    assert len(buckets) == 0


def test_only_who_has_asked_lately_is_remembered() -> None:
    buckets = Buckets(Rate(per_second=1, burst=2))
    for number in range(100_000):
        buckets.take(str(number), 1 + number / 1000)
    assert len(buckets) <= 2 * max(rates.FEW, 1000 * 2)
    assert buckets.take("99999", 101) == 0
    assert buckets.take("99999", 101) > 0, "it was not forgotten"


def test_there_are_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_KEYS", 2_000)
    buckets = Buckets(Rate(per_second=0.001, burst=1))
    for number in range(10_000):
        buckets.take(str(number), 1.0)
    assert len(buckets) <= 2_000
    assert buckets.take("9999", 1.0) > 0, "the newest are kept"
