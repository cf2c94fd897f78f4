"""10. Bounded: a slow consumer sees the newest snapshot; an abandoned iterator lets go."""

import asyncio
import gc

import pytest

import rtflow
from rtflow.testing import Link, Recorder, until
from rtflow.testing.plugin import OpenSession
from tests.guarantees.conftest import Company


async def test_a_slow_consumer_sees_the_newest_value(company: Company) -> None:
    values = aiter(company.lunch.unread)
    assert await anext(values) == 0
    seen = Recorder[int]()
    company.lunch.unread.observe().subscribe(seen)
    for _ in range(5):
        await company.bobs_lunch.send("hungry?")
    await seen.until(lambda values: values[-1] == 5)
    assert await anext(values) == 5
    await company.bobs_lunch.send("hungry?")
    assert await anext(values) == 6


async def test_what_has_changed_back_is_not_seen_twice(company: Company) -> None:
    values = aiter(company.lunch.unread)
    assert await anext(values) == 0
    seen = Recorder[int]()
    company.lunch.unread.observe().subscribe(seen)
    await company.bobs_lunch.send("hungry?")
    await seen.until(lambda values: values[-1] == 1)
    await company.lunch.mark_as_read()
    assert seen.values == [0, 1, 0]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await anext(values)
    await company.bobs_lunch.send("hungry?")
    assert await anext(values) == 1


async def test_an_abandoned_iterator_lets_go(open_session: OpenSession, link: Link) -> None:
    session = await open_session("alice", server=link.url, linger=0)
    before = 0
    async for unread in session.conversation("lunch").unread:
        assert unread == 0
        before = link.bytes_up
        break
    await link.until(lambda it: it.bytes_up > before)  # UNSUBSCRIBE


async def test_an_iterator_that_is_found_by_the_garbage_collector_disturbs_nobody(
    open_session: OpenSession,
) -> None:
    """The collector runs in the middle of anything, of our own doings too."""
    session = await open_session("alice", linger=0)
    values = aiter(session.conversation("lunch").unread)
    assert await anext(values) == 0
    circle: list[object] = [values]
    circle.append(circle)
    held = session.stats().resources
    del values, circle
    gc.collect()
    assert session.stats().resources == held > 0, "not now"
    await until(lambda: session.stats().resources == 0)


async def test_a_closed_iterator_lets_go_and_ends(open_session: OpenSession, link: Link) -> None:
    session = await open_session("alice", server=link.url, linger=0)
    values = aiter(session.conversation("lunch").unread)
    assert await anext(values) == 0
    before = link.bytes_up
    await values.aclose()
    await link.until(lambda it: it.bytes_up > before)
    with pytest.raises(StopAsyncIteration):
        await anext(values)


async def test_iterating_ends_with_the_session(company: Company) -> None:
    seen = list[int]()

    async def consume() -> None:
        async for unread in company.lunch.unread:
            seen.append(unread)

    async with asyncio.TaskGroup() as tasks:
        consumer = tasks.create_task(consume())
        ready = Recorder[int]()
        company.lunch.unread.observe().subscribe(ready)
        await ready.until(lambda values: values == [0])
        await company.alice.close()
    assert consumer.done()
    assert seen == [0]


async def test_a_window_does_not_grow_with_the_conversation(company: Company) -> None:
    said = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
    company.lunch.messages.window(3).observe().subscribe(said)
    await said.until(lambda values: bool(values))
    for number in range(20):
        await company.lunch.send(str(number))
    assert said.last is not None
    assert [message.plaintext for message in said.last.items] == ["19", "18", "17"]
    assert not said.last.loaded_all
