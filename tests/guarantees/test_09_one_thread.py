"""9. One thread: emissions happen on the session's loop, timed operators included."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
import reactivex.operators as ops
from reactivex import Observable
from reactivex.subject import Subject

import rtflow
from rtflow.testing import Recorder, until
from tests.guarantees.conftest import Company


def noting(threads: set[threading.Thread]) -> Callable[[object], None]:
    return lambda _: threads.add(threading.current_thread())


async def test_timed_operators_run_on_the_loop(company: Company) -> None:
    here, threads = threading.current_thread(), set[threading.Thread]()
    stream = company.lunch.unread.observe()
    piped: list[Observable[Any]] = [
        stream.pipe(ops.debounce(0.001)),
        stream.pipe(ops.delay(0.001)),
        stream.pipe(ops.map(str), ops.throttle_first(0.001)),
        stream.map(str).pipe(ops.debounce(0.001)),
        stream.map(str).debounce(0.001).delay(0.001),
        stream.pipe(ops.combine_latest(company.alice.user("bob").observe()), ops.delay(0.001)),
        stream.pipe(ops.sample(0.005)),
        stream.pipe(ops.timeout(5.0)),
        stream.map(lambda n: company.lunch.unread.observe()).switch_latest().delay(0.001),
        stream[0:3].delay(0.001),
        (stream + stream).delay(0.001),
        stream.pipe(ops.buffer_with_time(0.01)),
    ]
    for number, each in enumerate(piped):
        done = Recorder[object]()
        with each.do_action(noting(threads)).subscribe(done):
            await done.until(lambda values: len(values) > 0)
        assert threads == {here}, number


SHARED: dict[str, Callable[[Any], Observable[Any]]] = {  # Any: a Connectable is declared plain
    "publish.ref_count": lambda it: it.publish().ref_count(),
    "replay.ref_count": lambda it: it.replay(1).ref_count(),
    "publish.auto_connect": lambda it: it.publish().auto_connect(),
    "publish, piped": lambda it: it.pipe(ops.publish()).pipe(ops.ref_count()),
    "publish, in one pipe": lambda it: it.pipe(ops.publish(), ops.ref_count()),
    "publish_value": lambda it: it.publish_value(-1).ref_count(),
    "publish with a mapper": lambda it: it.publish(ops.delay(0.001)),
    "multicast": lambda it: it.pipe(ops.multicast(subject=Subject[int]())).pipe(ops.ref_count()),
    "share": lambda it: it.share(),
}


@pytest.mark.parametrize("share", SHARED.values(), ids=SHARED)
async def test_timed_operators_run_on_the_loop_behind_what_is_shared(
    company: Company, share: Callable[[Any], Observable[Any]]
) -> None:
    threads, seen = set[threading.Thread](), Recorder[int]()
    stream = share(company.lunch.unread.observe()).debounce(0.01).do_action(noting(threads))
    subscription = stream.subscribe(seen)
    await seen.until(lambda values: values[-1] == 0)  # after the -1, if the 0 takes its time
    subscription.dispose()
    assert threads == {threading.current_thread()}


async def test_connecting_on_another_thread_moves_to_the_loop(company: Company) -> None:
    registry = company.alice._mirror.registry  # pyright: ignore[reportPrivateUsage] - what is left
    threads, seen = set[threading.Thread](), Recorder[int]()
    stream: Any = company.lunch.unread.observe().do_action(noting(threads)).publish()
    stream.delay(0.001).do_action(noting(threads)).subscribe(seen)
    connection = await asyncio.to_thread(stream.connect)
    await seen.until(lambda values: values == [0])
    await asyncio.to_thread(connection.dispose)
    await until(lambda: registry.deadline is not None)
    assert threads == {threading.current_thread()}


async def test_asking_on_another_loop_is_refused_at_once(company: Company) -> None:
    async def ask(what: str) -> None:
        match what:
            case "get":
                await company.lunch.get()
            case "set":
                await company.lunch.set(subject="on another loop")
            case _:
                async for _ in company.lunch:
                    pass

    seen = Recorder[rtflow.ConversationSnapshot | None]()
    for _ in range(2):  # also when it is in memory
        for what in ("get", "set", "iterate"):
            with pytest.raises(rtflow.RtflowError, match="lives on another event loop"):
                await asyncio.to_thread(lambda what=what: asyncio.run(ask(what)))  # type: ignore[misc]  # of str
        company.lunch.observe().subscribe(seen)
        await seen.until(lambda values: len(values) > 0)


async def test_free_functions_take_the_sessions_scheduler(company: Company) -> None:
    threads, seen = set[threading.Thread](), Recorder[object]()
    both = reactivex.combine_latest(
        company.lunch.unread.observe(), company.alice.user("bob").observe()
    )
    delayed = both.pipe(ops.delay(0.001, scheduler=company.alice.scheduler))
    with delayed.pipe(ops.do_action(noting(threads))).subscribe(seen):
        await seen.until(lambda values: len(values) > 0)
    assert threads == {threading.current_thread()}


async def test_subscribing_and_disposing_on_another_thread_moves_to_the_loop(
    company: Company,
) -> None:
    here, threads, seen = threading.current_thread(), set[threading.Thread](), Recorder[object]()
    stream = company.lunch.unread.observe().pipe(ops.sample(0.002), ops.do_action(noting(threads)))
    subscription = await asyncio.to_thread(lambda: stream.subscribe(seen))
    await seen.until(lambda values: values == [0])
    await company.bobs_lunch.send("hungry?")
    await seen.until(lambda values: values == [0, 1])
    await asyncio.to_thread(subscription.dispose)
    witness = Recorder[int]()
    company.lunch.unread.observe().subscribe(witness)
    await company.bobs_lunch.send("hungry?")
    await witness.until(lambda values: values[-1] == 2)
    assert seen.values == [0, 1]
    assert threads == {here}


async def test_a_subscription_disposed_before_it_began_never_begins(company: Company) -> None:
    seen = Recorder[int]()
    stream = company.lunch.unread.observe()
    elsewhere = threading.Thread(target=lambda: stream.subscribe(seen).dispose())
    elsewhere.start()
    elsewhere.join()  # meanwhile the loop stands still
    await company.lunch.unread.get()
    assert seen.values == []


async def test_a_coroutine_function_is_refused_on_the_thread_that_subscribes(
    company: Company,
) -> None:
    async def on_next(_: object) -> None: ...

    with pytest.raises(TypeError, match="coroutine function"):
        await asyncio.to_thread(
            lambda: company.lunch.observe().subscribe(on_next)  # type: ignore[arg-type]
        )


async def test_disposing_on_another_thread_lets_go_of_the_resource(company: Company) -> None:
    registry = company.alice._mirror.registry  # pyright: ignore[reportPrivateUsage] - what is left
    subscription = await asyncio.to_thread(
        lambda: company.lunch.unread.observe().subscribe(lambda _: None)
    )
    await until(lambda: registry.deadline is None)
    await asyncio.to_thread(subscription.dispose)
    await until(lambda: registry.deadline is not None)
