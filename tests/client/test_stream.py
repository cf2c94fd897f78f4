"""Streams: what `subscribe` checks, what stays a stream, what disposing does."""

import functools
import gc
import weakref
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc, just
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.subject import Subject

from rtflow.client.stream import Home, Stream
from rtflow.errors import SessionClosed
from rtflow.testing import Recorder, until


@pytest.fixture
async def home() -> Home:
    home = Home()
    home.settle()
    return home


def stream_of(home: Home, source: Observable[int]) -> Stream[int]:
    return Stream(home, lambda observer, scheduler: source.subscribe(observer, scheduler=scheduler))


async def test_pipes_and_fluent_methods_stay_streams(home: Home) -> None:
    stream = stream_of(home, reactivex.of(1, 2, 3))
    made: list[Any] = [
        stream.pipe(ops.map(str)),
        stream.map(str),
        stream.filter(bool).distinct_until_changed().scan(lambda a, b: a + b),
        stream[0:2],
        stream[0],
        stream + stream,
        stream.sum(),
        stream.map(lambda _: stream).switch_latest(),
        stream.map(lambda _: stream).exclusive(),
        stream.materialize().dematerialize(),
        stream.map(lambda n: {"n": n}).pluck("n"),
        *stream.partition(lambda n: n > 1),
        *stream.partition_indexed(lambda n, i: i > 1),
        stream.debounce(0.1),
        stream.start_with(0),
        stream.merge(stream),
        stream.flat_map(lambda n: just(n)),
        stream.share(),
    ]
    assert [type(one) for one in made] == [Stream] * len(made)


async def test_what_is_no_plain_observable_comes_out_of_a_pipe_as_it_is(home: Home) -> None:
    stream = stream_of(home, reactivex.of(1, 2, 3))
    connectable = stream.publish()
    seen = Recorder[int]()
    connectable.subscribe(seen)
    connectable.connect()
    await seen.until(lambda values: values == [1, 2, 3])
    assert await stream.pipe(ops.to_future()) == 3
    assert await stream == 3


class Async:
    async def __call__(self, _: object) -> None: ...


async def coroutine(_: object, __: object = None) -> None: ...


@pytest.mark.parametrize("callback", [coroutine, functools.partial(coroutine, 1), Async()])
async def test_no_kind_of_coroutine_function_is_taken(home: Home, callback: Any) -> None:
    stream = stream_of(home, reactivex.of(1))
    with pytest.raises(TypeError, match="coroutine function"):
        stream.subscribe(callback)


async def test_what_cannot_be_called_is_refused(home: Home) -> None:
    with pytest.raises(TypeError, match="on_next must be callable, not int"):
        stream_of(home, reactivex.of(1)).subscribe(1)  # type: ignore[arg-type]  # the point


async def test_disposing_disposes_the_source_once_also_from_the_first_callback(home: Home) -> None:
    disposed = list[str]()

    def subscribe(
        observer: abc.ObserverBase[int], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        observer.on_next(1)
        observer.on_next(2)
        return Disposable(lambda: disposed.append("source"))

    def raise_(_: int) -> None:
        raise RuntimeError("at once")

    Stream(home, subscribe).subscribe(raise_)
    assert disposed == ["source"]
    subscription = Stream(home, subscribe).subscribe(lambda _: None)
    subscription.dispose()
    subscription.dispose()
    assert disposed == ["source"] * 2


async def test_an_observer_that_raises_at_the_end_is_logged(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_(*_: object) -> None:
        raise RuntimeError("at the end")

    stream_of(home, just(1)).subscribe(on_completed=raise_)
    stream_of(home, reactivex.throw(ValueError())).subscribe(on_error=raise_)
    await until(lambda: len(caplog.records) == 2)
    assert caplog.text.count("RuntimeError: at the end") == 2


async def test_a_subscribe_function_that_raises_is_an_error_of_the_stream(home: Home) -> None:
    def subscribe(_: object, __: object = None) -> abc.DisposableBase:
        raise ValueError("cannot")

    seen = Recorder[int]()
    Stream[int](home, subscribe).subscribe(seen)
    assert isinstance(seen.error, ValueError)


async def test_values_after_the_end_or_the_disposal_are_not_seen(home: Home) -> None:
    subject, seen = Subject[int](), Recorder[int]()
    subscription = stream_of(home, subject).subscribe(seen)
    subject.on_next(1)
    subscription.dispose()
    subject.on_next(2)
    assert seen.values == [1]


async def test_a_disposed_subscription_holds_nothing(home: Home) -> None:
    class Thing: ...

    thing = Thing()
    alive = weakref.ref(thing)
    subject = Subject[int]()
    subscription = stream_of(home, subject).subscribe(lambda _, thing=thing: None)  # type: ignore[misc]  # keeps it
    del thing
    subscription.dispose()
    del subscription
    gc.collect()
    assert alive() is None


def test_without_a_loop_there_is_nothing_to_subscribe_to() -> None:
    import asyncio

    async def make() -> Stream[int]:
        home = Home()
        home.settle()
        return stream_of(home, just(1))

    with pytest.raises(SessionClosed, match="loop has gone"):
        asyncio.run(make()).subscribe(lambda _: None)
    with pytest.raises(SessionClosed, match="not opened yet"):
        stream_of(Home(), just(1)).subscribe(lambda _: None)
