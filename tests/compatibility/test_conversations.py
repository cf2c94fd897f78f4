"""Conversations: all that can be set of one, what has been said and read there, and the list."""

import rtflow
from rtflow.model.frozen import FrozenDict
from tests.compatibility.conftest import Lunch


async def test_a_conversation_is_what_was_created(session: rtflow.Session) -> None:
    await session.current_user.create_if_not_exists(name="Alice")
    ref = session.conversation("work")
    assert await ref.get() is None
    await ref.create_if_not_exists(
        subject="Work",
        photo_url="https://example.com/w.png",
        welcome_messages=["Be nice", "Be quick"],
        custom={"team": "red"},
        access="ReadWrite",
        notify="MentionsOnly",
    )
    it = await ref.get()
    assert it is not None
    assert 0 < it.created_at <= it.joined_at  # two requests
    assert it == rtflow.ConversationSnapshot(
        id="work",
        subject="Work",
        photo_url="https://example.com/w.png",
        welcome_messages=("Be nice", "Be quick"),
        custom=FrozenDict({"team": "red"}),
        created_at=it.created_at,
        joined_at=it.joined_at,
        last_message_at=it.created_at,
        last_message=None,
        unread_message_count=0,
        is_unread=False,
        read_until=it.read_until,
        everyone_read_until=it.read_until,
        access="ReadWrite",
        notify="MentionsOnly",
    )
    await ref.create_if_not_exists(subject="Play")
    assert await ref.get() == it


async def test_a_conversation_becomes_what_is_set_and_none_resets(lunch: Lunch) -> None:
    await lunch.hers.set(
        subject="Dinner",
        photo_url="https://example.com/d.png",
        welcome_messages=["Late"],
        custom={"table": "7"},
        notify=False,
    )
    it = await lunch.hers.get()
    assert it is not None
    assert (it.subject, it.photo_url) == ("Dinner", "https://example.com/d.png")
    assert (it.welcome_messages, it.custom) == (("Late",), {"table": "7"})
    assert (it.access, it.notify) == ("ReadWrite", False)
    await lunch.hers.set(subject=None, photo_url=None, welcome_messages=None, custom=None)
    it = await lunch.hers.get()
    assert it is not None
    assert (it.subject, it.photo_url, it.welcome_messages, it.custom) == (None, None, (), {})
    await lunch.hers.set(access="Read")
    it = await lunch.hers.get()
    assert it is not None
    assert it.access == "Read"


async def test_a_conversation_tells_what_was_said_and_read(lunch: Lunch) -> None:
    said = await lunch.says("Pizza?")
    seen, sent = await lunch.his.get(), await lunch.hers.get()
    assert seen is not None
    assert sent is not None
    assert seen.last_message is not None
    assert (seen.last_message.id, seen.last_message.plaintext) == (said, "Pizza?")
    assert seen.last_message_at == seen.last_message.created_at
    assert (seen.unread_message_count, seen.is_unread) == (1, True)
    assert (sent.unread_message_count, sent.is_unread) == (0, False)
    assert seen.everyone_read_until == sent.everyone_read_until == seen.read_until
    await lunch.his.mark_as_read()
    read = await lunch.his.get()
    assert read is not None
    assert (read.unread_message_count, read.is_unread) == (0, False)
    assert read.read_until >= read.last_message_at
    assert read.everyone_read_until >= read.last_message_at
    await lunch.his.mark_as_unread()
    unread = await lunch.his.get()
    assert unread is not None
    assert (unread.unread_message_count, unread.is_unread) == (0, True)


async def test_the_list_is_most_recently_active_first_and_says_whether_it_is_all(
    lunch: Lunch,
) -> None:
    await lunch.alice.conversation("work").create_if_not_exists()
    await lunch.alice.conversation("work").send("done?")
    await lunch.says("Pizza?")
    window = lunch.alice.conversations.window(1)
    first = await window.get()
    assert ([it.id for it in first.items], first.loaded_all) == (["lunch"], False)
    await window.load_more(1)
    whole = await window.get()
    assert ([it.id for it in whole.items], whole.loaded_all) == (["lunch", "work"], True)
