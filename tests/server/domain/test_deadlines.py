"""Things end in time, each once, and what is heard of again waits anew."""

from hypothesis import given
from hypothesis import strategies as st

from rtflow.server.domain.deadlines import Deadlines


def test_each_ends_once_in_the_order_in_which_they_were_last_heard_of() -> None:
    deadlines = Deadlines[str](10)
    for now, key in enumerate("abca"):
        deadlines.put(key, now)
    assert deadlines.next == 11
    assert deadlines.due(10.9) == []
    assert deadlines.due(12) == ["b", "c"]
    assert deadlines.next == 13
    assert deadlines.due(100) == ["a"]
    assert deadlines.due(100) == []
    assert deadlines.next is None


def test_what_is_dropped_does_not_end() -> None:
    deadlines = Deadlines[str](10)
    deadlines.put("a", 0)
    assert deadlines.drop("a")
    assert not deadlines.drop("a")
    assert len(deadlines) == 0
    assert deadlines.due(100) == []


STEPS = st.tuples(
    st.sampled_from(["put", "drop", "due"]), st.sampled_from("abc"), st.integers(0, 3)
)


@given(st.lists(STEPS))
def test_it_is_a_plain_table_of_ends(steps: list[tuple[str, str, int]]) -> None:
    deadlines, ends, now = Deadlines[str](5), dict[str, float](), 0
    for what, key, later in steps:
        now += later
        if what == "put":
            deadlines.put(key, now)
            ends[key] = now + 5
        elif what == "drop":
            assert deadlines.drop(key) == (ends.pop(key, None) is not None)
        else:
            over = {key for key, end in ends.items() if end <= now}
            assert set(deadlines.due(now)) == over
            ends = {key: end for key, end in ends.items() if key not in over}
        assert deadlines.next == min(ends.values(), default=None)
        assert len(deadlines) == len(ends)
