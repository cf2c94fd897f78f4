"""What can be read, watched and written within a conversation, against the real server."""

from typing import Final

import pytest
import pytest_asyncio

import rtflow
from rtflow.testing import Recorder
from rtflow.testing.plugin import OpenSession

THUMB: Final = "👍"
Messages = rtflow.Window[rtflow.MessageSnapshot] | None


@pytest_asyncio.fixture
async def alice(open_session: OpenSession) -> rtflow.Session:
    alice = await open_session("alice")
    await alice.current_user.create_if_not_exists(name="Alice")
    await alice.conversation("lunch").create_if_not_exists(subject="Lunch")
    return alice


@pytest_asyncio.fixture
async def bob(alice: rtflow.Session, open_session: OpenSession) -> rtflow.Session:
    bob = await open_session("bob")
    await bob.current_user.create_if_not_exists(name="Bob")
    await alice.conversation("lunch").participant("bob").create_if_not_exists()
    return bob


@pytest.fixture
def lunch(alice: rtflow.Session) -> rtflow.ConversationRef:
    return alice.conversation("lunch")


@pytest.fixture
def bobs_lunch(bob: rtflow.Session) -> rtflow.ConversationRef:
    return bob.conversation("lunch")


def texts(window: Messages) -> list[str]:
    assert window is not None
    return [it.plaintext for it in window.items]


def names(window: rtflow.Window[rtflow.ParticipantSnapshot] | None) -> list[str]:
    assert window is not None
    return [it.user.name if it.user else "?" for it in window.items]


# Messages


async def test_what_is_sent_is_what_is_read(
    lunch: rtflow.ConversationRef, bobs_lunch: rtflow.ConversationRef
) -> None:
    first = await lunch.send("soup?", custom={"k": "v"})
    place = rtflow.LocationBlock(52.5, 4.75)
    second = await bobs_lunch.send(
        [rtflow.TextBlock((rtflow.Bold(("here",)),)), place], referenced_message=first.id
    )
    shown = await lunch.message(second.id).get()
    assert shown is not None
    assert shown.content == (rtflow.TextBlock((rtflow.Bold(("here",)),)), place)
    assert shown.sender is not None
    assert shown.sender.name == "Bob"
    referred = shown.referenced_message
    assert referred is not None
    assert (referred.id, referred.plaintext, referred.custom) == (first.id, "soup?", {"k": "v"})
    assert referred.referenced_message_id is None
    assert referred.sender is not None
    window = await lunch.messages.get()
    assert window is not None
    assert window.items[0] == shown
    conversation = await lunch.get()
    assert conversation is not None
    assert conversation.last_message == shown


async def test_every_write_of_mine_is_in_every_read_that_follows(
    lunch: rtflow.ConversationRef,
) -> None:
    for is_watched in (False, True):
        message = await lunch.send("one")
        reply = await lunch.send("reply", referenced_message=message)
        if is_watched:
            for live in (lunch, lunch.messages, message, reply, message.reactions(THUMB)):
                live.observe().subscribe(lambda _: None)
        for number in range(5):
            await message.edit(f"edit {number}", custom={"n": str(number)})
            for shown in ((await message.get()), (await reply.get())):
                assert shown is not None
                seen = shown.referenced_message or shown
                assert (seen.plaintext, seen.custom) == (f"edit {number}", {"n": str(number)})
            await message.reactions(THUMB).add()
            one = await message.get()
            assert one is not None
            assert one.reactions == (
                rtflow.ReactionSummarySnapshot(emoji=THUMB, count=1, current_user_reacted=True),
            )
            window = await message.reactions(THUMB).get()
            assert window is not None
            assert [it.user and it.user.id for it in window.items] == ["alice"]
            await message.reactions(THUMB).remove()
            await message.reactions(THUMB).remove()
            one, window = await message.get(), await message.reactions(THUMB).get()
            assert one is not None
            assert one.reactions == ()
            assert window == rtflow.Window((), True)
        await message.delete()
        await message.delete()
        assert await message.get() is None
        assert await message.reactions(THUMB).get() is None
        shown = await reply.get()
        assert shown is not None
        assert shown.referenced_message is None


async def test_an_original_far_away_is_followed_and_lost(
    lunch: rtflow.ConversationRef, bobs_lunch: rtflow.ConversationRef
) -> None:
    original = await bobs_lunch.send("original")
    for number in range(5):
        await bobs_lunch.send(str(number))
    await bobs_lunch.send("reply", referenced_message=original)
    seen, last = Recorder[Messages](), Recorder[rtflow.ConversationSnapshot | None]()
    lunch.messages.window(2).observe().subscribe(seen)
    lunch.observe().subscribe(last)

    def quoted(window: Messages) -> str | None:
        assert window is not None
        referred = window.items[0].referenced_message
        return referred.plaintext if referred else None

    await seen.until(lambda values: quoted(values[-1]) == "original")
    await original.edit("changed")
    await seen.until(lambda values: quoted(values[-1]) == "changed")
    await original.reactions(THUMB).add()
    await seen.until(lambda values: len(values) == 3)
    await original.delete()
    await seen.until(lambda values: quoted(values[-1]) is None)
    assert seen.last is not None
    await last.until(
        lambda values: bool(values[-1]) and values[-1].last_message == seen.last.items[0]  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess] - looked at above
    )


async def test_windows_survive_what_happens_at_their_edges(
    lunch: rtflow.ConversationRef, bobs_lunch: rtflow.ConversationRef
) -> None:
    sent = [await bobs_lunch.send(str(number)) for number in range(12)]
    window, other = lunch.messages.window(3), lunch.messages.window(3)
    seen, others = Recorder[Messages](), Recorder[Messages]()
    window.observe().subscribe(seen)
    other.observe().subscribe(others)
    await seen.until(lambda values: texts(values[-1]) == ["11", "10", "9"])
    await sent[9].delete()  # the last one that is shown
    await seen.until(lambda values: texts(values[-1]) == ["11", "10", "8"])
    await window.load_more(2)
    assert texts(seen.last) == ["11", "10", "8", "7", "6"]
    assert texts(others.last) == ["11", "10", "8"]
    await sent[5].edit("five")  # just beyond
    await sent[6].edit("six")
    await seen.until(lambda values: texts(values[-1])[-1] == "six")
    await bobs_lunch.send("new")
    await seen.until(lambda values: texts(values[-1]) == ["new", "11", "10", "8", "7"])
    await window.load_more(20)
    assert texts(seen.last) == ["new", "11", "10", "8", "7", "six", "five", "4", "3", "2", "1", "0"]
    assert seen.last is not None
    assert seen.last.loaded_all
    await others.until(lambda values: texts(values[-1]) == ["new", "11", "10"])
    assert other.length == 3


async def test_who_reacted_is_paged_oldest_first(
    lunch: rtflow.ConversationRef, bobs_lunch: rtflow.ConversationRef
) -> None:
    message = await lunch.send("soup?")
    await message.reactions(THUMB).add()  # of one millisecond, "alice" comes first as well
    await bobs_lunch.message(message.id).reactions(THUMB).add()
    await message.reactions(THUMB).add()
    window = message.reactions(THUMB).window(1)
    seen = Recorder[rtflow.Window[rtflow.ReactionSnapshot] | None]()
    window.observe().subscribe(seen)
    await seen.until(lambda values: len(values) == 1)
    await window.load_more(1)
    shown = seen.last
    assert shown is not None
    assert [it.user and it.user.id for it in shown.items] == ["alice", "bob"]
    await bobs_lunch.message(message.id).reactions(THUMB).remove()
    await seen.until(lambda values: values[-1] is not None and len(values[-1].items) == 1)
    await message.delete()
    await seen.until(lambda values: values[-1] is None)


async def test_an_emoji_that_is_none_is_refused_and_the_connection_lives(
    lunch: rtflow.ConversationRef,
) -> None:
    message = await lunch.send("soup?")
    with pytest.raises(rtflow.BadRequest):
        await message.reactions("not an emoji").add()
    await message.reactions(THUMB).add()


# People


async def test_participants_are_listed_whoever_joined_last_first(
    lunch: rtflow.ConversationRef, alice: rtflow.Session, bob: rtflow.Session
) -> None:
    for number in range(12):  # of one millisecond, the lower id comes first: so does the later one
        id = f"u{50 - number}"
        await alice.user(id).create_if_not_exists(name=id)
        await lunch.participant(id).create_if_not_exists()
    window = lunch.participants.window(3)
    seen = Recorder[rtflow.Window[rtflow.ParticipantSnapshot] | None]()
    window.observe().subscribe(seen)
    await seen.until(lambda values: names(values[-1]) == ["u39", "u40", "u41"])
    await lunch.participant("u41").delete()
    await seen.until(lambda values: names(values[-1]) == ["u39", "u40", "u42"])
    await window.load_more(50)
    shown = seen.last
    assert shown is not None
    assert shown.loaded_all
    assert names(shown)[-2:] == ["Bob", "Alice"]
    assert len(names(await lunch.participants.get())) == 10
    await lunch.participant("u39").edit(access="Read")
    await seen.until(lambda values: values[-1] is not None and values[-1].items[0].access == "Read")
    await bob.current_user.set(name="Robert")
    await seen.until(lambda values: names(values[-1])[-2:] == ["Robert", "Alice"])


async def test_a_participant_is_read_and_watched_by_himself(
    lunch: rtflow.ConversationRef, alice: rtflow.Session
) -> None:
    await alice.user("carol").create_if_not_exists(name="Carol")
    carol = lunch.participant("carol")
    assert await carol.get() is None
    seen = Recorder[rtflow.ParticipantSnapshot | None]()
    carol.observe().subscribe(seen)
    await seen.until(lambda values: values == [None])
    await carol.create_if_not_exists(access="Read")
    shown = await carol.get()
    assert shown is not None
    assert shown.user is not None
    assert (shown.user.name, shown.access, shown.notify) == ("Carol", "Read", True)
    await carol.edit(notify="MentionsOnly")
    await seen.until(lambda values: values[-1] is not None and values[-1].notify == "MentionsOnly")
    await carol.delete()
    await seen.until(lambda values: values[-1] is None)


async def test_my_own_access_is_the_same_everywhere(
    lunch: rtflow.ConversationRef, bobs_lunch: rtflow.ConversationRef
) -> None:
    one, whole = Recorder[rtflow.ParticipantSnapshot | None](), Recorder[object]()
    bobs_lunch.participant("bob").observe().subscribe(one)
    bobs_lunch.observe().map(lambda it: it and it.access).subscribe(whole)
    await whole.until(lambda values: values == ["ReadWrite"])
    await one.until(lambda values: len(values) == 1)
    await lunch.participant("bob").edit(access="Read")
    await whole.until(lambda values: values == ["ReadWrite", "Read"])
    await one.until(lambda values: values[-1] is not None and values[-1].access == "Read")
    with pytest.raises(rtflow.Forbidden):
        await bobs_lunch.send("may I?")


async def test_typing_is_seen_by_others_and_ends_with_a_message(
    lunch: rtflow.ConversationRef, bobs_lunch: rtflow.ConversationRef
) -> None:
    seen, own = Recorder[rtflow.TypingSnapshot | None](), Recorder[object]()
    lunch.typing.observe().subscribe(seen)
    bobs_lunch.typing.observe().subscribe(own)
    nobody = rtflow.TypingSnapshot(many=False, users=())
    await seen.until(lambda values: values == [nobody])
    await own.until(lambda values: values == [nobody])
    for _ in range(10):
        await bobs_lunch.mark_as_typing()
    await seen.until(lambda values: len(values) == 2)
    assert [user.id for user in (seen.last.users if seen.last else ())] == ["bob"]
    assert await lunch.typing.get() == seen.last
    await bobs_lunch.send("there")
    await seen.until(lambda values: values[-1] == nobody)
    await bobs_lunch.mark_as_typing()
    await seen.until(lambda values: len(values) == 4)
    assert own.values == [nobody]


async def test_whoever_has_a_connection_is_online(
    alice: rtflow.Session, open_session: OpenSession
) -> None:
    seen = Recorder[rtflow.UserOnlineSnapshot | None]()
    online = alice.user("dan").online
    online.observe().subscribe(seen)
    await seen.until(lambda values: values == [None])
    dan = await open_session("dan")
    await dan.current_user.create_if_not_exists(name="Dan")
    await seen.until(lambda values: values[-1] is not None and values[-1].is_connected)
    assert (await online.get()) == seen.last
    await dan.close()
    await seen.until(lambda values: values[-1] is not None and not values[-1].is_connected)


async def test_strangers_see_nothing_and_their_writes_raise(
    lunch: rtflow.ConversationRef, open_session: OpenSession
) -> None:
    sent = await lunch.send("secret")
    await sent.reactions(THUMB).add()
    carol = await open_session("carol")
    await carol.current_user.create_if_not_exists(name="Carol")
    there = carol.conversation("lunch")
    assert await there.message(sent.id).get() is None
    assert await there.message(sent.id).reactions(THUMB).get() is None
    assert await there.participants.get() is None
    assert await there.participant("alice").get() is None
    assert await there.participant("carol").get() is None
    assert await there.typing.get() is None
    with pytest.raises(rtflow.RequestRefused):
        await there.message(sent.id).edit("mine")
    with pytest.raises(rtflow.RequestRefused):
        await there.message(sent.id).reactions(THUMB).add()
    with pytest.raises(rtflow.RequestRefused):
        await there.mark_as_typing()
    with pytest.raises(rtflow.RequestRefused):
        await there.send("hi", referenced_message=sent.id)
