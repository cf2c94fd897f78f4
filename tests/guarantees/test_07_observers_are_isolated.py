"""7. Observers are isolated: one that raises is detached and logged once; the others go on."""

import asyncio
import logging
from typing import Any

import pytest
import reactivex.operators as ops

import rtflow
from rtflow.testing import Recorder, until
from tests.guarantees.conftest import Company


def raise_on_one(unread: int) -> None:
    if unread == 1:
        raise RuntimeError("one!")


async def test_the_others_go_on_and_it_is_logged_once(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    calls, seen = list[int](), Recorder[int]()

    def on_next(unread: int) -> None:
        calls.append(unread)
        raise_on_one(unread)

    company.lunch.unread.observe().subscribe(on_next)
    company.lunch.unread.observe().subscribe(seen)
    await seen.until(lambda values: values == [0])
    for _ in range(3):
        await company.bobs_lunch.send("hungry?")
    await seen.until(lambda values: values == [0, 1, 2, 3])
    assert calls == [0, 1]
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "one!" in caplog.text


async def test_also_behind_a_scheduler_hop(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    calls, seen = list[int](), Recorder[int]()

    def on_next(unread: int) -> None:
        calls.append(unread)
        raise RuntimeError("after the hop")

    company.lunch.unread.observe().pipe(ops.debounce(0.001)).subscribe(on_next)
    company.lunch.unread.observe().pipe(ops.debounce(0.001)).subscribe(seen)
    await seen.until(lambda values: values == [0])
    await company.bobs_lunch.send("hungry?")
    await seen.until(lambda values: values == [0, 1])
    assert calls == [0]
    assert caplog.text.count("RuntimeError: after the hop") == 1


async def test_an_operator_that_raises_fails_its_own_pipeline(company: Company) -> None:
    broken, seen = Recorder[float](), Recorder[int]()
    company.lunch.unread.observe().map(lambda unread: 1 / unread).subscribe(broken)
    company.lunch.unread.observe().subscribe(seen)
    await seen.until(lambda values: values == [0])
    await company.bobs_lunch.send("hungry?")
    await seen.until(lambda values: values == [0, 1])
    assert isinstance(broken.error, ZeroDivisionError)
    assert broken.values == []


async def test_a_coroutine_function_is_refused_at_subscribe(company: Company) -> None:
    async def on_next(_: object) -> None: ...

    class Observer:
        async def on_next(self, value: object) -> None: ...
        def on_error(self, error: Exception) -> None: ...
        def on_completed(self) -> None: ...

    stream = company.lunch.observe()
    with pytest.raises(TypeError, match=r"on_next is a coroutine function.*async for"):
        stream.subscribe(on_next)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(TypeError, match="on_error is a coroutine function"):
        stream.pipe(ops.debounce(1.0)).subscribe(print, on_next)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="on_next is a coroutine function"):
        stream.map(str).subscribe(Observer())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "hop", [None, ops.debounce(0.001), ops.map(str)], ids=("none", "timer", "map")
)
async def test_one_that_raises_what_a_cancelled_future_raises_is_detached_too(
    company: Company, caplog: pytest.LogCaptureFixture, hop: Any
) -> None:
    cancelled = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    calls, seen, states = list[object](), Recorder[int](), Recorder[rtflow.ConnectionState]()

    def on_next(unread: object) -> None:
        calls.append(unread)
        cancelled.result()

    await company.lunch.unread.get()  # it is live
    company.alice.connection.observe().subscribe(states)
    stream = company.lunch.unread.observe()
    (stream if hop is None else stream.pipe(hop)).subscribe(on_next)
    stream.subscribe(seen)
    await seen.until(lambda values: values == [0])
    for unread in (1, 2):
        await company.bobs_lunch.send("hungry?")
        await seen.until(lambda values, unread=unread: values[-1] == unread)  # type: ignore[misc]  # of int
    await until(lambda: len(calls) == 1)
    assert [state.status for state in states.values] == ["live"]
    assert caplog.text.count("an observer raised") == 1


async def test_also_one_that_raises_it_at_the_end(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_(*_: object) -> None:
        raise asyncio.CancelledError

    seen = Recorder[int]()
    company.lunch.unread.observe().subscribe(on_completed=raise_)
    company.lunch.unread.observe().subscribe(seen)
    await seen.until(lambda values: values == [0])
    await company.alice.close()
    assert seen.completed
    assert caplog.text.count("an observer raised in on_completed") == 1


async def test_observers_of_what_is_published_are_isolated(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    calls, seen = list[int](), Recorder[int]()

    def on_next(unread: int) -> None:
        calls.append(unread)
        raise_on_one(unread)

    shared = company.lunch.unread.observe().publish().ref_count()
    shared.subscribe(on_next)
    shared.subscribe(seen)
    for unread in (1, 2):
        await company.bobs_lunch.send("hungry?")
        await seen.until(lambda values, unread=unread: values[-1:] == [unread])  # type: ignore[misc]  # of int
    assert calls[-1] == 1
    assert caplog.text.count("RuntimeError: one!") == 1
