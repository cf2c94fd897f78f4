"""Few: what it holds, and in which order, is what a dict would."""

import hypothesis.strategies as st
from hypothesis import given

from rtflow.client.few import Few, adding, removing


@given(st.lists(st.tuples(st.sampled_from([adding, removing]), st.integers(0, 9))))
def test_it_is_an_ordered_set(steps: list[tuple[object, int]]) -> None:
    some: Few[int] = ()
    expected: dict[int, None] = {}
    for step, one in steps:
        if step is adding:
            some = adding(some, one)
            expected[one] = None
        else:
            some = removing(some, one)
            expected.pop(one, None)
        assert list(some) == list(expected)
        assert bool(some) is bool(expected)
        assert (one in some) is (one in expected)


def test_one_takes_little_and_many_are_not_copied() -> None:
    some: Few[int] = adding((), 1)
    assert isinstance(some, tuple)
    for one in range(9):
        some = adding(some, one)
    assert adding(some, 9) is some
    assert removing(some, 0) is some
