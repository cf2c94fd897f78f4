"""What users write within a conversation, checked and run as in test_as_users_write_it.py."""

from typing import assert_type

from reactivex import Observable

import rtflow


async def test_reads_within_a_conversation_live(session: rtflow.Session) -> None:
    lunch = session.conversation("lunch")
    assert_type(await session.user("bob").online.get(), rtflow.UserOnlineSnapshot | None)
    assert_type(await lunch.typing.get(), rtflow.TypingSnapshot | None)
    assert_type(await lunch.participant("bob").get(), rtflow.ParticipantSnapshot | None)
    people = lunch.participants
    assert_type(await people.get(), rtflow.Window[rtflow.ParticipantSnapshot] | None)
    assert_type(await people.window(3).get(), rtflow.Window[rtflow.ParticipantSnapshot] | None)
    message = lunch.message("m1")
    shown = await message.get()
    assert_type(shown, rtflow.MessageSnapshot | None)
    if shown is not None:
        assert_type(shown.referenced_message, rtflow.ReferencedMessageSnapshot | None)
        assert_type(shown.reactions, tuple[rtflow.ReactionSummarySnapshot, ...])
    reactions = message.reactions("+")
    assert_type(await reactions.get(), rtflow.Window[rtflow.ReactionSnapshot] | None)
    assert_type(
        reactions.window(5).observe(), rtflow.Stream[rtflow.Window[rtflow.ReactionSnapshot] | None]
    )
    counts = message.observe().map(lambda it: len(it.reactions) if it else 0)
    assert_type(counts, Observable[int])


async def test_writes_within_a_conversation_live(session: rtflow.Session) -> None:
    lunch = session.conversation("lunch")
    await session.current_user.create_if_not_exists(name="Alice")
    await lunch.create_if_not_exists()
    sent = await lunch.send([rtflow.TextBlock(("a",)), rtflow.LocationBlock(52.4, 4.9)])
    await lunch.send(rtflow.LocationBlock(52.4, 4.9), referenced_message=sent)
    await lunch.send(rtflow.TextBlock(("hello",)), referenced_message=sent.id)
    await sent.edit("changed", custom={"k": None})
    await sent.edit(custom=None)
    await sent.edit(rtflow.TextBlock((rtflow.Bold(("changed",)),)))
    await sent.reactions("👍").add()
    await sent.reactions("👍").remove()
    await sent.delete()
    await lunch.mark_as_typing()


async def test_what_a_snapshot_shows_can_be_set_elsewhere(session: rtflow.Session) -> None:
    await session.current_user.create_if_not_exists(name="Alice")
    old = session.conversation("lunch")
    await old.create_if_not_exists(welcome_messages=["hi", "ho"], custom={"k": "v"})
    shown = await old.get()
    assert shown is not None
    new = session.conversation("dinner")
    await new.set(welcome_messages=shown.welcome_messages, custom=shown.custom)
    sent = await new.send("hello", custom=shown.custom)
    await sent.edit(custom=shown.custom)
    await session.current_user.set(custom=shown.custom, email=("a@example.com",))
    copy = await new.get()
    assert copy is not None
    assert (copy.welcome_messages, copy.custom) == (("hi", "ho"), {"k": "v"})
