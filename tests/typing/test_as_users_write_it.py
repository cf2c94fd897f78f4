"""What users write has to pass `mypy --strict` and pyright's strict mode; and it has to run.

The types are checked by the two checkers, which read this file as they read all tests.
"""

from typing import assert_type

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rtflow


async def test_streams(session: rtflow.Session) -> None:
    lunch = session.conversation("lunch")
    assert_type(lunch.observe(), rtflow.Stream[rtflow.ConversationSnapshot | None])

    unread = lunch.observe().map(lambda c: c.unread_message_count if c else 0)
    assert_type(unread, Observable[int])
    counts = unread.pipe(ops.distinct_until_changed())
    assert_type(counts, Observable[int])

    seen = list[int]()
    counts.subscribe(lambda n: seen.append(n)).dispose()
    counts.subscribe(seen.append, print, lambda: None).dispose()
    names = session.current_user.observe().map(lambda user: user.name if user else "?")
    both = reactivex.combine_latest(names, session.conversations.unread.observe())
    assert_type(both, Observable[tuple[str, int]])
    with both.subscribe(lambda pair: print(pair[0], pair[1] + 1), scheduler=session.scheduler):
        pass


async def test_callbacks(session: rtflow.Session) -> None:
    shown = list[int]()

    async def show(snapshot: rtflow.ConversationSnapshot | None) -> None:
        if snapshot is not None:
            shown.append(snapshot.unread_message_count)

    async def count(unread: int) -> str:
        return str(unread)

    lunch = session.conversation("lunch")
    assert_type(lunch.on(show), rtflow.Watching)
    async with lunch.unread.on(count) as watching, lunch.messages.on(print):
        assert_type(watching, rtflow.Watching)
    lunch.unread.on(shown.append).dispose()
    session.connection.on(lambda state: print(state.status)).dispose()
    lunch.on(count)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no int
    assert_type(session.stats(), rtflow.Stats)


async def test_reads(session: rtflow.Session) -> None:
    lunch = session.conversation("lunch")
    assert_type(await lunch.get(), rtflow.ConversationSnapshot | None)
    assert_type(await lunch.unread.get(), int)
    assert_type(await lunch.messages.get(), rtflow.Window[rtflow.MessageSnapshot] | None)
    assert_type(await session.user("bob").get(), rtflow.UserSnapshot | None)
    assert_type(await session.conversations.get(), rtflow.Window[rtflow.ConversationSnapshot])
    assert_type(await session.conversations.unread.get(), int)
    assert_type(await session.connection.get(), rtflow.ConnectionState)

    async for snapshot in lunch:
        assert_type(snapshot, rtflow.ConversationSnapshot | None)
        break

    window = session.conversations.window(5, filter=rtflow.ConversationFilter(is_unread=True))
    assert_type(await window.get(), rtflow.Window[rtflow.ConversationSnapshot])
    await window.load_more(5)
    for conversation in (await session.conversations.window(5, {"isUnread": True}).get()).items:
        assert_type(conversation.last_message, rtflow.MessageSnapshot | None)


async def test_writes(session: rtflow.Session) -> None:
    me, lunch = session.current_user, session.conversation("lunch")
    await me.create_if_not_exists(name="Alice", custom={"team": "red"}, email="a@example.com")
    await me.set(locale=None, custom={"team": None}, phone=["+1"])
    await lunch.create_if_not_exists(subject="Lunch", welcome_messages=["hi"], access="ReadWrite")
    await lunch.set(subject=None, notify="MentionsOnly")
    assert_type(await lunch.send("hello", custom={"k": "v"}), rtflow.MessageRef)
    await lunch.participant(me).set(access="ReadWrite")
    await lunch.participant("alice").edit(notify=False)


async def never_run(session: rtflow.Session) -> None:
    """Mistakes that the checkers find."""
    await session.current_user.set(nmae="Alice")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await session.current_user.create_if_not_exists()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await session.conversation("lunch").set(access="None")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await session.conversation("lunch").send(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await session.conversation("lunch").message("m1").edit(cutsom={})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    session.conversation("lunch").id = "dinner"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
