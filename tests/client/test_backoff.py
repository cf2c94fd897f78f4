"""How long to wait before trying again."""

import pytest

from rtflow.client.backoff import Backoff


def test_pauses_are_spread_under_a_ceiling_that_doubles_to_its_limit() -> None:
    highest = Backoff().delays(lambda: 0.999_999)
    ceilings = [round(next(highest), 2) for _ in range(9)]
    assert ceilings == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]
    lowest = Backoff().delays(lambda: 0.0)
    assert [next(lowest) for _ in range(9)] == [0.0] * 9


def test_pauses_never_overflow() -> None:
    delays = Backoff(factor=1e300).delays(lambda: 1.0)
    assert [next(delays) for _ in range(4)] == [0.25, 15, 15, 15]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"first": 0}, ValueError),
        ({"first": -1}, ValueError),
        ({"factor": 0.5}, ValueError),
        ({"most": 0.1}, ValueError),
        ({"most": float("inf")}, ValueError),
        ({"reset_after": float("nan")}, ValueError),
        ({"first": "1"}, TypeError),
        ({"first": True}, TypeError),
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(
    fields: dict[str, float], error: type[Exception]
) -> None:
    with pytest.raises(error, match=next(iter(fields))):
        Backoff(**fields)
