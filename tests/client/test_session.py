"""Sessions: windows that grow, reads without `expand`, failures inside, and how it all looks."""

import asyncio
from typing import Any

import pytest

import rtflow
from rtflow.model.entities import Page
from rtflow.testing import Link, Recorder
from rtflow.testing.plugin import OpenSession
from rtflow.testing.server import RunningServer
from rtflow.wire import endpoints as wire
from tests.client.scripted import SILENCE, ScriptedServer
from tests.client.world import a_conversation, a_message, a_user


@pytest.fixture
async def alice(open_session: OpenSession) -> rtflow.Session:
    alice = await open_session("alice")
    await alice.current_user.create_if_not_exists(name="Alice")
    lunch = alice.conversation("lunch")
    await lunch.create_if_not_exists(subject="Lunch")
    for number in range(10):
        await lunch.send(str(number))
    return alice


def texts(window: rtflow.Window[rtflow.MessageSnapshot] | None) -> str:
    assert window is not None
    return "".join(message.plaintext for message in window.items)


async def test_each_window_has_its_own_length(alice: rtflow.Session) -> None:
    messages = alice.conversation("lunch").messages
    short, long = messages.window(2), messages.window(4)
    seen_short, seen_long = (
        Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]() for _ in range(2)
    )
    short.observe().subscribe(seen_short)
    long.observe().subscribe(seen_long)
    await seen_short.until(lambda values: texts(values[-1]) == "98")
    await seen_long.until(lambda values: texts(values[-1]) == "9876")
    await long.load_more(3)
    assert (long.length, short.length) == (7, 2)
    assert [texts(it) for it in seen_long.values] == ["9876", "9876543"]
    assert [texts(it) for it in seen_short.values] == ["98"]
    await long.load_more(30)
    assert texts(seen_long.last) == "9876543210"
    assert seen_long.last is not None
    assert seen_long.last.loaded_all
    await long.load_more(30)
    assert len(seen_long.values) == 3


async def test_a_window_that_nobody_watches_grows_without_asking(alice: rtflow.Session) -> None:
    window = alice.conversation("lunch").messages.window(2)
    assert texts(await window.get()) == "98"
    await window.load_more(1)
    assert texts(await window.get()) == "987"
    for wrong, error in ((0, ValueError), ("1", TypeError), (True, TypeError)):
        with pytest.raises(error):
            await window.load_more(wrong)  # type: ignore[arg-type]  # the point


async def test_filtered_windows_follow_what_enters_and_leaves(alice: rtflow.Session) -> None:
    red = rtflow.ConversationFilter(custom={"team": ("==", "red")})
    seen = Recorder[rtflow.Window[rtflow.ConversationSnapshot]]()
    alice.conversations.window(5, filter=red).observe().subscribe(seen)
    await seen.until(lambda values: values == [rtflow.Window((), True)])
    await alice.conversation("lunch").set(custom={"team": "red"})
    await seen.until(lambda values: [it.id for it in values[-1].items] == ["lunch"])
    await alice.conversation("lunch").set(custom={"team": "blue"})
    await seen.until(lambda values: values[-1].items == ())
    plain = {"custom": {"team": ["==", "blue"]}}
    assert len((await alice.conversations.window(5, filter=plain).get()).items) == 1


async def test_the_total_counts_everything(
    alice: rtflow.Session, open_session: OpenSession
) -> None:
    bob = await open_session("bob")
    await bob.current_user.create_if_not_exists(name="Bob")
    for name in ("lunch", "dinner"):
        await alice.conversation(name).create_if_not_exists()
        await alice.conversation(name).participant("bob").create_if_not_exists()
    total = Recorder[int]()
    bob.conversations.unread.observe().subscribe(total)
    await total.until(lambda values: bool(values))
    start = total.last
    await alice.conversation("lunch").send("one")
    await alice.conversation("dinner").send("two")
    await total.until(lambda values: values[-1] == start + 2)
    await bob.conversation("dinner").mark_as_read()
    assert total.last == await bob.conversations.unread.get() == start + 1


async def test_a_server_without_expand_is_understood(scripted: ScriptedServer) -> None:
    """The hosted service: no last message in the answer, no sender in the message."""
    scripted.answers[wire.GET_CONVERSATION] = a_conversation("lunch")
    scripted.answers[wire.GET_CONVERSATIONS] = Page((a_conversation("lunch"),))
    scripted.answers[wire.GET_MESSAGES] = Page((a_message("m1", 5, "bob"),))
    scripted.answers[wire.GET_USERS] = {"bob": a_user("bob", "Bob")}
    async with rtflow.Session(scripted.url, app_id="demo", user_id="me", token="t") as session:
        snapshot = await session.conversation("lunch").get()
        assert snapshot is not None
        assert snapshot.last_message is not None
        assert snapshot.last_message.sender == await session.user("bob").get()
        assert (await session.conversations.get()).items == (snapshot,)
        seen = Recorder[rtflow.ConversationSnapshot | None]()
        session.conversation("lunch").observe().subscribe(seen)
        await seen.until(lambda values: values == [snapshot])


async def test_more_of_a_window_that_does_not_come_in_time(scripted: ScriptedServer) -> None:
    scripted.answers[wire.GET_MESSAGES] = Page((a_message("m1", 5, None),), "more")
    async with rtflow.Session(
        scripted.url, app_id="demo", user_id="me", token="t", request_timeout=0.05
    ) as session:
        window = session.conversation("lunch").messages.window(1)
        seen = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
        window.observe().subscribe(seen)
        await seen.until(lambda values: bool(values))
        scripted.answers[wire.GET_MESSAGES] = SILENCE
        with pytest.raises(rtflow.RequestTimedOut, match="window"):
            await window.load_more(1)


async def test_after_the_end_there_is_no_more_of_a_window(scripted: ScriptedServer) -> None:
    scripted.answers[wire.GET_MESSAGES] = Page((a_message("m1", 5, None),), "more")
    async with rtflow.Session(scripted.url, app_id="demo", user_id="me", token="t") as session:
        watched, other = (session.conversation("lunch").messages.window(1) for _ in range(2))
        seen = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
        watched.observe().subscribe(seen)
        await seen.until(lambda values: bool(values))
        scripted.answers[wire.GET_MESSAGES] = SILENCE

        async def wait_for_more() -> None:
            with pytest.raises(rtflow.SessionClosed):
                await watched.load_more(1)

        async with asyncio.TaskGroup() as group:
            group.create_task(wait_for_more())
            await scripted.until(lambda: len(scripted.last.asked(wire.GET_MESSAGES)) == 2)
            await session.close()
    for window in (watched, other):
        with pytest.raises(rtflow.SessionClosed):
            await window.load_more(1)


async def test_an_iterator_can_be_waited_for_once_at_a_time(alice: rtflow.Session) -> None:
    values = aiter(alice.conversation("lunch").unread)
    await anext(values)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(anext(values))
        await alice.current_user.get()
        with pytest.raises(RuntimeError, match="waited for already"):
            await anext(values)
        first.cancel()


async def test_the_runner_may_be_cancelled_from_outside(server: RunningServer) -> None:
    async with rtflow.Session(server.url, app_id="demo", user_id="alice") as session:
        seen = Recorder[rtflow.UserSnapshot | None]()
        session.current_user.observe().subscribe(seen)
        await seen.until(lambda values: values == [None])
        (runner,) = [it for it in asyncio.all_tasks() if "Session" in it.get_name()]
        runner.cancel()
        with pytest.raises(AssertionError, match="ended too early"):
            await seen.until(lambda values: False)
        assert seen.completed
        with pytest.raises(rtflow.SessionClosed):
            await session.current_user.get()


async def test_how_a_session_looks(alice: rtflow.Session) -> None:
    assert repr(alice) == "<Session of 'alice', live>"
    assert alice.user_id == "alice"


async def test_snapshots_are_frozen_all_the_way(alice: rtflow.Session) -> None:
    await alice.conversation("lunch").set(custom={"k": "v"})
    snapshot = await alice.conversation("lunch").get()
    assert snapshot is not None
    assert hash(snapshot) == hash(await alice.conversation("lunch").get())
    with pytest.raises(TypeError):
        snapshot.custom["k"] = "w"
    with pytest.raises(AttributeError):
        snapshot.subject = "Dinner"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    empty = alice.conversation("empty")
    await empty.create_if_not_exists()
    snapshot = await empty.get()
    assert snapshot is not None
    assert snapshot.last_message_at == snapshot.created_at


async def test_what_nobody_watches_is_let_go_of_after_the_linger(
    open_session: OpenSession, link: Link
) -> None:
    session = await open_session("alice", server=link.url, linger=0.02)
    seen = Recorder[int]()
    with session.conversation("lunch").unread.observe().subscribe(seen):
        await seen.until(lambda values: values == [0])
        before = link.bytes_up
    assert link.bytes_up == before
    await link.until(lambda it: it.bytes_up > before)  # UNSUBSCRIBE


async def test_the_connection_can_be_asked_for_but_not_watched_after_the_end(
    alice: rtflow.Session,
) -> None:
    await alice.close()
    seen = Recorder[rtflow.ConnectionState]()
    alice.connection.observe().subscribe(seen)
    assert isinstance(seen.error, rtflow.SessionClosed)
    assert (await alice.connection.get()).status == "closed"


async def test_a_fault_of_ours_ends_the_session_with_its_own_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = rtflow.Session("http://127.0.0.1:1", app_id="demo", user_id="alice", token="t")
    link = session._link  # pyright: ignore[reportPrivateUsage] - a link runs once: this is a fault
    await link.close()
    await link.run()
    seen = Recorder[rtflow.UserSnapshot | None]()
    async with session:
        session.current_user.observe().subscribe(seen)
        with pytest.raises(AssertionError, match="it has failed: AssertionError"):
            await seen.until(lambda values: False)
        with pytest.raises(rtflow.SessionClosed, match="it has failed"):
            await session.current_user.get()
    assert "has failed" in caplog.text


@pytest.mark.parametrize("user_id", [".", "..", "...", "a/.."])
async def test_an_id_may_be_made_of_dots(open_session: OpenSession, user_id: str) -> None:
    session = await open_session(user_id)
    await session.current_user.create_if_not_exists(name="Dot")
    snapshot = await session.current_user.get()
    assert snapshot is not None
    assert (snapshot.id, snapshot.name) == (user_id, "Dot")


@pytest.mark.parametrize("wrong", [3, None, "1 s"])
def test_what_is_no_backoff_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"reconnect is an rtflow\.Backoff"):
        rtflow.Session("http://localhost", app_id="demo", user_id="me", reconnect=wrong)
