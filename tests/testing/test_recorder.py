import asyncio
import threading

import pytest
import reactivex
from reactivex import Observable

from rtflow.testing import Recorder, until


class Broken(Exception):
    pass


def test_a_recorder_keeps_values_and_completion() -> None:
    seen = Recorder[int]()
    reactivex.of(1, 2, 3).subscribe(seen)
    assert (seen.values, seen.last) == ([1, 2, 3], 3)
    assert (seen.completed, seen.error) == (True, None)


def test_a_recorder_keeps_the_error() -> None:
    seen = Recorder[int]()
    broken = Broken()
    failing: Observable[int] = reactivex.throw(broken)
    failing.subscribe(seen)
    assert (seen.values, seen.completed, seen.error) == ([], False, broken)


def test_the_last_of_nothing_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        _ = Recorder[int]().last


def test_the_values_are_a_copy() -> None:
    seen = Recorder[int]()
    seen.values.append(1)
    assert seen.values == []


async def test_until_returns_at_once_what_is_there_already() -> None:
    seen = Recorder[int]()
    reactivex.of(1, 2).subscribe(seen)
    assert await seen.until(lambda values: values[-1] == 2) == [1, 2]


async def test_until_looks_once_and_then_after_each_change() -> None:
    seen, looks = Recorder[str](), list[int]()

    def ada(values: list[str]) -> bool:
        looks.append(len(values))
        return values[-1] == "Ada"

    async with asyncio.TaskGroup() as tasks:
        found = tasks.create_task(seen.until(ada))
        await until(lambda: looks == [0])
        seen.on_next("Bob")
        await until(lambda: looks == [0, 1])
        seen.on_next("Ada")
    assert found.result() == ["Bob", "Ada"]
    assert looks == [0, 1, 2]


async def test_values_may_come_from_other_threads() -> None:
    seen = Recorder[int]()

    def count() -> None:
        for number in range(1000):
            seen.on_next(number)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    values = await seen.until(lambda values: len(values) == 4000)
    for thread in threads:
        thread.join()
    assert sorted(values) == sorted([*range(1000)] * 4)


async def test_until_wakes_for_a_value_from_another_thread() -> None:
    seen, waits = Recorder[int](), threading.Event()

    def emit() -> None:
        waits.wait()
        seen.on_next(7)

    thread = threading.Thread(target=emit)
    thread.start()
    asyncio.get_running_loop().set_debug(True)  # then the loop minds who calls it
    asyncio.get_running_loop().call_soon(waits.set)
    assert await seen.until(lambda values: values == [7]) == [7]
    thread.join()


async def test_a_failure_prints_what_was_seen() -> None:
    seen = Recorder[str]()
    seen.on_next("Bob")
    with pytest.raises(AssertionError, match=r"within 0.01 s: .*saw \['Bob'\], has not ended"):
        await seen.until(lambda values: values[-1] == "Ada", timeout=0.01)


async def test_a_failure_prints_only_the_newest_of_many_values() -> None:
    seen = Recorder[int]()
    reactivex.range(100).concat(reactivex.never()).subscribe(seen)
    with pytest.raises(AssertionError, match=r"saw \[80 older ones, 80, 81, .*, 99\]"):
        await seen.until(lambda values: len(values) > 100, timeout=0.01)


async def test_a_stream_that_ends_too_early_is_not_waited_for() -> None:
    completed, failed = Recorder[int](), Recorder[int]()
    reactivex.of(1).subscribe(completed)
    failed.on_error(Broken())
    with pytest.raises(AssertionError, match=r"too early: .*saw \[1\], completed"):
        await completed.until(lambda values: len(values) == 2)
    with pytest.raises(AssertionError, match=r"too early: .*saw \[\], failed with Broken\(\)"):
        await failed.until(lambda values: len(values) == 1)


async def test_the_end_can_be_waited_for() -> None:
    seen = Recorder[int]()
    asyncio.get_running_loop().call_soon(seen.on_completed)
    assert await seen.until(lambda _: seen.completed) == []
