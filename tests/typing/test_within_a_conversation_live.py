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
