"""A span against a whole list that it knows the first part of."""

from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import UNSET

from rtflow.client.state.span import Span

ids = st.sampled_from("abcdefghij")
times = st.integers(0, 6)


class Listing(RuleBasedStateMachine):
    """The whole list is a dict; pages are cut from it in order."""

    oldest_first = False

    def __init__(self) -> None:
        super().__init__()
        self.whole = dict[str, int]()
        self.span = Span(oldest_first=self.oldest_first)
        self.cursors = list[tuple[int, str]]()

    def ordered(self) -> list[tuple[int, str]]:
        sign = 1 if self.oldest_first else -1
        return sorted((sign * time, id) for id, time in self.whole.items())

    def page(self, places: Sequence[tuple[int, str]], n: int) -> None:
        part, rest = places[:n], places[n:]
        cursor = None
        if rest:
            self.cursors.append(part[-1])
            cursor = str(len(self.cursors) - 1)
        self.span.extend([(id, self.whole[id]) for _, id in part], cursor)

    @rule(n=st.integers(1, 4))
    def read_from_the_start(self, n: int) -> None:
        self.span = Span(oldest_first=self.oldest_first)
        self.page(self.ordered(), n)

    @precondition(lambda self: isinstance(self.span.cursor, str))
    @rule(n=st.integers(1, 4))
    def read_on(self, n: int) -> None:
        assert isinstance(self.span.cursor, str)
        after = self.cursors[int(self.span.cursor)]
        self.page([place for place in self.ordered() if place > after], n)

    @rule(id=ids, time=times)
    def put(self, id: str, time: int) -> None:
        self.whole[id] = time
        is_in = self.span.put(id, time)
        assert is_in == (id in self.span) == self.span.reaches(time, id)
        assert self.span.put(id, time) == is_in

    @rule(id=ids)
    def remove(self, id: str) -> None:
        self.whole.pop(id, None)
        was_in = id in self.span
        assert self.span.remove(id) == was_in
        assert not self.span.remove(id)

    @rule(n=st.integers(1, 4))
    def trim(self, n: int) -> None:
        before = list(self.span.ids)
        assert list(self.span.trim(n)) == before[n:]
        if before[n:]:
            assert self.span.cursor is UNSET

    @invariant()
    def it_is_the_first_part_of_the_whole(self) -> None:
        whole = [id for _, id in self.ordered()]
        known = list(self.span.ids)
        assert known == whole[: len(known)]
        assert self.span.first == (known[0] if known else None)
        if self.span.is_whole:
            assert known == whole


class OldestFirst(Listing):
    oldest_first = True


TestListing = Listing.TestCase
TestListing.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestOldestFirst = OldestFirst.TestCase
TestOldestFirst.settings = TestListing.settings


@pytest.mark.parametrize("n", [1, 2, 5])
def test_head(n: int) -> None:
    span = Span([("a", 1), ("b", 3), ("c", 2)])
    assert list(span.head(n)) == ["b", "c", "a"][:n]


def test_an_empty_page_is_the_last_one() -> None:
    span = Span([("a", 1)], "more")
    span.extend([], "more")
    assert span.is_whole
