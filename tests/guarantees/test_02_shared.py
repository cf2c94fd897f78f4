"""2. Shared: one subscription on the wire, released after a linger."""

import asyncio

from reactivex.abc import DisposableBase

import rtflow
from rtflow.testing import Link, Recorder
from rtflow.testing.plugin import OpenSession
from tests.guarantees.conftest import Company


async def cost_of_a_get(company: Company) -> int:
    """How many bytes go up for one get; and a barrier behind all that was sent before."""
    await company.alice.user("stranger").get()
    before = company.link.bytes_up
    await company.alice.user("stranger").get()
    return company.link.bytes_up - before


async def test_an_observer_of_a_live_resource_sends_no_frame(company: Company) -> None:
    first = Recorder[rtflow.ConversationSnapshot | None]()
    company.lunch.observe().subscribe(first)
    await first.until(lambda values: bool(values))
    one_get = await cost_of_a_get(company)
    before = company.link.bytes_up
    others = [Recorder[rtflow.ConversationSnapshot | None]() for _ in range(100)]
    subscriptions = [company.lunch.observe().subscribe(other) for other in others]
    assert all(other.values == first.values for other in others)
    for subscription in subscriptions:
        subscription.dispose()
    await company.alice.user("stranger").get()
    assert company.link.bytes_up - before <= one_get + 1  # its number may have a digit more


async def test_get_of_a_live_resource_is_answered_from_memory(company: Company) -> None:
    seen = Recorder[rtflow.ConversationSnapshot | None]()
    company.lunch.observe().subscribe(seen)
    await seen.until(lambda values: bool(values))
    await cost_of_a_get(company)
    before = company.link.bytes_up
    assert await company.lunch.get() == seen.last
    assert await company.lunch.unread.get() == 0
    assert company.link.bytes_up == before


async def test_whoever_returns_within_the_linger_costs_nothing(company: Company) -> None:
    seen = Recorder[int]()
    company.lunch.unread.observe().subscribe(seen).dispose()
    with company.lunch.unread.observe().subscribe(seen):
        await seen.until(lambda values: values == [0])
    await cost_of_a_get(company)
    before = company.link.bytes_up
    again = Recorder[int]()
    with company.lunch.unread.observe().subscribe(again):
        assert again.values == [0]
    assert company.link.bytes_up == before


async def test_without_linger_the_last_disposal_unsubscribes(
    open_session: OpenSession, link: Link
) -> None:
    session = await open_session("alice", server=link.url, linger=0)
    unread = session.conversation("lunch").unread
    seen = Recorder[int]()
    with unread.observe().subscribe(seen):
        await seen.until(lambda values: values == [0])
        before = link.bytes_up
    await link.until(lambda it: it.bytes_up > before)
    again = Recorder[int]()
    with unread.observe().subscribe(again):
        assert again.values == []
        await again.until(lambda values: values == [0])


async def test_disposing_after_the_session_or_its_loop_has_gone_does_nothing(
    company: Company,
) -> None:
    subscription = company.lunch.observe().subscribe(lambda _: None)
    await company.alice.close()
    subscription.dispose()
    subscription.dispose()


def test_disposing_after_the_loop_has_gone_does_nothing() -> None:
    async def observe() -> DisposableBase:
        async with rtflow.Session("http://127.0.0.1:1", app_id="a", user_id="u") as session:
            return session.user("u").observe().subscribe(lambda _: None)

    asyncio.run(observe()).dispose()
