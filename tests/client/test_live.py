"""The cell: who is called, with what, in which order, whatever observers do in their callbacks."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec import UNSET

from rtflow.client.live import Cell, Place

T = TypeVar("T")


class Noting(Generic[T]):
    """An observer that notes what it is told, and may do something about it."""

    def __init__(self, act: Callable[[T], None] = lambda _: None) -> None:
        self.told = list[object]()
        self.act = act

    def on_next(self, value: T) -> None:
        self.told.append(value)
        self.act(value)

    def on_error(self, error: Exception) -> None:
        self.told.append(error)

    def on_completed(self) -> None:
        self.told.append("completed")


@given(st.lists(st.integers(0, 3)))
def test_no_two_equal_values_in_a_row(values: list[int]) -> None:
    cell, seen = Cell[int](), Noting[int]()
    cell.join(seen, UNSET)
    for value in values:
        cell.show(value)
    expected = [v for v, before in zip(values, [None, *values], strict=False) if v != before]
    assert seen.told == expected


def test_equal_values_need_not_be_identical() -> None:
    cell, seen = Cell[list[int]](), Noting[list[int]]()
    cell.join(seen, UNSET)
    for _ in range(3):
        cell.show([1, 2])
    assert seen.told == [[1, 2]]


def test_whoever_joins_is_told_the_current_value_at_once_and_only_once() -> None:
    cell, first, second, waiting = Cell[int](), Noting[int](), Noting[int](), Noting[int]()
    cell.join(first, 1)
    cell.join(second, 1)
    cell.join(waiting, UNSET)
    assert (first.told, second.told, waiting.told) == ([1], [1], [])
    cell.show(1)
    assert (first.told, second.told, waiting.told) == ([1], [1], [1])
    cell.show(2)
    assert (first.told, second.told, waiting.told) == ([1, 2], [1, 2], [1, 2])


def test_a_newer_value_that_comes_with_a_newcomer_is_for_all() -> None:
    cell, first, second = Cell[int](), Noting[int](), Noting[int]()
    cell.join(first, 1)
    cell.join(second, 2)
    assert (first.told, second.told) == ([1, 2], [2])


def test_values_that_an_observer_causes_come_in_order_to_all() -> None:
    cell, late = Cell[int](), Noting[int]()
    early = Noting[int](lambda value: cell.show(value + 1) if value < 3 else None)
    cell.join(early, UNSET)
    cell.join(late, UNSET)
    cell.show(1)
    assert early.told == late.told == [1, 2, 3]


def test_whoever_joins_in_a_callback_misses_nothing_and_sees_nothing_old() -> None:
    cell, inner = Cell[int](), Noting[int]()

    def act(value: int) -> None:
        if value == 1:
            cell.show(2)
            cell.join(inner, 2)
            assert inner.told == [2]

    early, late = Noting(act), Noting[int]()
    cell.join(early, UNSET)
    cell.join(late, UNSET)
    cell.show(1)
    cell.show(3)
    assert (early.told, late.told, inner.told) == ([1, 2, 3], [1, 2, 3], [2, 3])


def test_whoever_leaves_in_a_callback_is_not_called_again() -> None:
    cell = Cell[int]()
    places = list[Place[int]]()

    def all_leave(_: int) -> None:
        for place in places:
            cell.leave(place)

    first, second = Noting(all_leave), Noting[int]()
    places += [cell.join(first, UNSET), cell.join(second, UNSET)]
    cell.show(1)
    cell.show(2)
    assert (first.told, second.told) == ([1], [])
    assert not cell.is_watched


def test_one_that_raises_is_detached_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    cell, fine = Cell[int](), Noting[int]()

    def raise_(_: int) -> None:
        raise RuntimeError("no")

    broken = Noting(raise_)
    cell.join(broken, UNSET)
    cell.join(fine, UNSET)
    cell.show(1)
    cell.show(2)
    assert (broken.told, fine.told) == ([1], [1, 2])
    assert len(caplog.records) == 1


def test_the_end_comes_after_what_was_shown_before_and_is_final() -> None:
    cell, late = Cell[int](), Noting[int]()
    early = Noting[int](lambda value: cell.end())
    cell.join(early, UNSET)
    cell.join(late, UNSET)
    cell.show(1)
    cell.show(2)
    assert early.told == late.told == [1, "completed"]
    error = RuntimeError("over")
    last = Noting[int]()
    cell.join(last, UNSET)
    cell.end(error)
    assert last.told == [error]


def test_whoever_raises_is_detached_also_with_a_cancellation_but_not_an_interrupt() -> None:
    def cancel(_: int) -> None:
        raise asyncio.CancelledError

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    cell, first, second = Cell[int](), Noting[int](cancel), Noting[int]()
    cell.join(first, UNSET)
    cell.join(second, UNSET)
    cell.show(1)
    cell.show(2)
    assert (first.told, second.told) == ([1], [1, 2])
    cell.join(Noting[int](interrupt), UNSET)
    with pytest.raises(KeyboardInterrupt):
        cell.show(3)


def test_what_a_newcomer_causes_comes_after_what_he_brought() -> None:
    cell, first = Cell[int](), Noting[int]()
    newcomer = Noting[int](lambda value: cell.show(3) if value == 2 else None)
    cell.join(first, 1)
    cell.join(newcomer, 2)
    assert (first.told, newcomer.told) == ([1, 2, 3], [2, 3])


def test_whoever_joined_without_a_value_and_left_is_not_told() -> None:
    cell, first, second = Cell[int](), Noting[int](), Noting[int]()
    cell.join(first, 1)
    cell.leave(cell.join(second, UNSET))
    cell.show(1)
    assert (first.told, second.told) == ([1], [])


@given(
    st.lists(
        st.tuples(st.sampled_from(["join", "wait", "leave", "show", "both"]), st.integers(0, 2)),
        max_size=12,
    )
)
def test_whoever_comes_and_goes_each_sees_all_in_order(steps: list[tuple[str, int]]) -> None:
    cell, now = Cell[int](), 0
    there: list[tuple[Place[int], Noting[int], int | None]] = []  # since which value, if told

    def newer(value: int) -> None:
        if value % 3 == 2 and value == now:  # an observer causes a newer value, once
            show()

    def show() -> None:
        nonlocal now
        now += 1
        cell.show(now)

    for step, pick in steps:
        match step:
            case "join" | "both":
                now += step == "both"  # he brings a newer one
                seen, first = Noting[int](newer), now
                there.append((cell.join(seen, now), seen, first))
            case "wait":
                seen = Noting[int](newer)
                there.append((cell.join(seen, UNSET), seen, None))
            case "leave" if there:
                place, _, _ = there.pop(pick % len(there))
                cell.leave(place)
            case "show":
                show()
            case _:
                cell.show(now)  # an equal one
        for _, seen, since in there:
            told = [value for value in seen.told if isinstance(value, int)]
            assert told == sorted(set(told)), "in order, and none twice in a row"
            if since is not None:
                assert told == list(range(since, now + 1)), "the current one first, then each"
            elif told:
                assert told[-1] == now


def test_joining_and_leaving_among_many_costs_what_it_costs_among_few() -> None:
    def took(observers: int) -> float:
        cell = Cell[int]()
        for _ in range(observers):
            cell.join(Noting[int](), 1)

        def once() -> float:
            start = time.process_time()
            for _ in range(20):
                cell.leave(cell.join(Noting[int](), 1))
            return time.process_time() - start

        return min(once() for _ in range(7))

    assert took(20_000) < 20 * took(10)  # looking at each of them would make it a thousand
