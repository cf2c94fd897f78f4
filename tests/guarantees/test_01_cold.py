"""1. Cold: building refs and `observe()` send nothing, subscribing does. Disposing stops."""

from reactivex import operators as ops
from reactivex.abc import DisposableBase

import rtflow
from rtflow.testing import Link, Recorder
from rtflow.testing.plugin import OpenSession
from tests.guarantees.conftest import Company


async def test_building_refs_and_streams_sends_nothing(
    open_session: OpenSession, link: Link
) -> None:
    session = await open_session("alice", server=link.url)
    lunch = session.conversation("lunch")
    lunch.observe().map(lambda it: it and it.subject)
    lunch.messages.window(5).observe()
    session.conversations.unread.observe()
    lunch.participant(session.user("bob"))
    assert (await session.connection.get()).status == "idle"
    assert link.opened == 0

    seen = Recorder[rtflow.ConversationSnapshot | None]()
    with lunch.observe().subscribe(seen):
        await seen.until(lambda values: values == [None])
    assert link.opened > 0


async def test_disposing_in_the_callback_stops_emissions_at_once(company: Company) -> None:
    seen = list[int]()
    subscription: DisposableBase | None = None

    def on_next(unread: int) -> None:
        seen.append(unread)
        if unread == 2 and subscription is not None:
            subscription.dispose()

    witness = Recorder[int]()
    subscription = company.lunch.unread.observe().subscribe(on_next)
    company.lunch.unread.observe().subscribe(witness)
    await witness.until(lambda values: values == [0])
    for _ in range(4):
        await company.bobs_lunch.send("hungry?")
    await witness.until(lambda values: values[-1] == 4)
    assert seen[-1] == 2


async def test_one_observer_may_dispose_another_which_then_sees_nothing(company: Company) -> None:
    late = Recorder[int]()
    subscriptions = list[DisposableBase]()

    def on_next(unread: int) -> None:
        if unread:
            subscriptions[1].dispose()

    witness = Recorder[int]()
    subscriptions.append(company.lunch.unread.observe().subscribe(on_next))
    subscriptions.append(company.lunch.unread.observe().subscribe(late))
    company.lunch.unread.observe().subscribe(witness)
    await witness.until(lambda values: values == [0])
    await company.bobs_lunch.send("hungry?")
    await witness.until(lambda values: values == [0, 1])
    assert late.values == [0]


async def test_whoever_has_seen_enough_lets_go_at_once(
    open_session: OpenSession, link: Link
) -> None:
    session = await open_session("alice", server=link.url, linger=0)
    unread = session.conversation("lunch").unread
    ready = Recorder[int]()
    with unread.observe().subscribe(ready):
        await ready.until(lambda values: values == [0])
        first = Recorder[int]()
        unread.observe().pipe(ops.take(1)).subscribe(first)  # disposed before it is subscribed
        assert (first.values, first.completed) == ([0], True)
        before = link.bytes_up
    await link.until(lambda it: it.bytes_up > before)  # UNSUBSCRIBE
    assert await unread.observe().pipe(ops.first()) == 0
