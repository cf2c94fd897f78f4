"""Refs within a conversation: what they put on the wire, swallow and raise; what may be said."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

import rtflow
from rtflow.client.refs.content import blocks_of
from rtflow.client.refs.marks import Marks
from rtflow.client.state.portraits import user_snapshot
from rtflow.model.entities import (
    Message,
    Online,
    Page,
    Participant,
    Reaction,
    ReactionSummary,
    Typing,
)
from rtflow.model.events import ReactionAdded, TypingChanged, TypingDiff
from rtflow.testing import Recorder
from rtflow.wire import endpoints as wire
from rtflow.wire.server import Call
from tests.client.scripted import SILENCE, ScriptedServer
from tests.client.world import a_conversation, a_message, a_participant, a_user


@pytest_asyncio.fixture
async def session(scripted: ScriptedServer) -> AsyncIterator[rtflow.Session]:
    scripted.answers[wire.SEND_MESSAGE] = wire.Sent("m9")
    scripted.answers[wire.GET_USERS] = users
    async with rtflow.Session(
        scripted.url, app_id="demo", user_id="me", token="t", reconnect=rtflow.Backoff(first=0.01)
    ) as session:
        yield session


def users(call: Call) -> object:
    return {id: a_user(id, id.title()) for id in call.params.ids if id != "ghost"}


BOB = user_snapshot(a_user("bob", "Bob"))


# Names


async def test_refs_name_what_they_are_made_of(session: rtflow.Session) -> None:
    lunch = session.conversation("lunch")
    message = lunch.message("m1")
    reactions = message.reactions("👍")
    assert (message.conversation_id, message.id) == ("lunch", "m1")
    assert (reactions.conversation_id, reactions.message_id, reactions.emoji) == (
        *("lunch", "m1"),
        "👍",
    )
    assert lunch.message("m1") == message != lunch.message("m2")
    assert message.reactions("👍") == reactions != message.reactions("👎")
    assert repr(message) == "<MessageRef 'lunch' 'm1'>"
    assert lunch.typing is lunch.typing
    assert lunch.participants is lunch.participants
    assert session.user("bob").online is session.user("bob").online
    assert reactions.window(5).length == lunch.participants.window(5).length == 5
    for wrong, error in (("", ValueError), (7, TypeError)):
        calls: list[Any] = [lunch.message, message.reactions]
        for call in calls:
            with pytest.raises(error):
                call(wrong)
    with pytest.raises(ValueError, match="at least 1"):
        reactions.window(0)


# What may be said


def test_content_is_a_text_a_block_or_several() -> None:
    text, file = rtflow.TextBlock(("hi",)), rtflow.SendFileBlock("token")
    place = rtflow.LocationBlock(52.4, 4.9)
    contents: list[tuple[Any, tuple[object, ...]]] = [
        ("hi", (text,)),
        (text, (text,)),
        ([text], (text,)),
        (file, (file,)),
        ((text, file, place), (text, file, place)),
    ]
    for given, blocks in contents:
        assert blocks_of(given, "send", links=False) == blocks


def test_only_an_edit_may_hide_where_a_link_leads() -> None:
    hidden = "<https://example.com|here>"
    link = rtflow.Link("https://example.com", ("here",))
    assert blocks_of(hidden, "edit", links=True) == (rtflow.TextBlock((link,)),)
    (sent,) = blocks_of(hidden, "send", links=False)
    assert isinstance(sent, rtflow.TextBlock)
    assert sent.children == ("<", rtflow.AutoLink(*["https://example.com"] * 2), "|here>")


@pytest.mark.parametrize("empty", ["", [], ()])
def test_content_is_not_empty(empty: Any) -> None:
    with pytest.raises(ValueError, match=r"send: a message is not empty"):
        blocks_of(empty, "send", links=False)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (None, "not NoneType"),
        (b"hi", "not bytes"),
        ({"type": "text"}, "not dict"),
        (["hi"], "a block is .* not str"),
        ([rtflow.Bold(("hi",))], "not Bold"),
        (
            rtflow.FileBlock(file_token="t", url="u", size=1, filename="f"),
            "not FileBlock",
        ),
        (
            [rtflow.FileBlock(file_token="t", url="u", size=1, filename="f")],
            r"not FileBlock; it was sent already: send SendFileBlock\(block.file_token\)",
        ),
    ],
)
def test_what_is_no_content_is_a_type_error(wrong: Any, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        blocks_of(wrong, "send", links=False)


async def test_blocks_and_what_they_reply_to_are_sent(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    lunch = session.conversation("lunch")
    sent = await lunch.send(rtflow.SendFileBlock("token"), referenced_message="m1")
    assert sent == lunch.message("m9")
    await lunch.send([rtflow.LocationBlock(1, 2)], referenced_message=sent, custom={"k": "v"})
    first, second = (call.params for call in scripted.last.asked(wire.SEND_MESSAGE))
    assert first.content == (rtflow.SendFileBlock("token"),)
    assert (first.referenced_message_id, second.referenced_message_id) == ("m1", "m9")
    assert second.custom == {"k": "v"}
    assert first.idempotency_key != second.idempotency_key


async def test_what_cannot_be_sent_is_refused_at_the_call(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    lunch = session.conversation("lunch")
    deep: rtflow.Bold = rtflow.Bold(())
    for _ in range(5_000):
        deep = rtflow.Bold((deep,))
    other = session.conversation("dinner").message("m1")
    with pytest.raises(ValueError, match="nested too deep"):
        await lunch.send(rtflow.TextBlock((deep,)))
    with pytest.raises(ValueError, match="length"):
        await lunch.send([rtflow.TextBlock(("hi",))] * 21)
    with pytest.raises(ValueError, match="'dinner'"):
        await lunch.send("hi", referenced_message=other)
    with pytest.raises(ValueError, match="referenced_message"):
        await lunch.send("hi", referenced_message="")
    for degrees in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"conversation\.send: a place has finite degrees"):
            await lunch.send(rtflow.LocationBlock(degrees, 2))
    with pytest.raises(TypeError, match=r"got `str` - at `content\[0\].longitude`"):
        await lunch.send(rtflow.LocationBlock(1, "2"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the point of it
    assert scripted.lines == []


# One message


async def test_a_message_is_edited_and_deleted(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    message = session.conversation("lunch").message("m1")
    await message.edit("changed")
    await message.edit(custom={"k": None})
    await message.edit(rtflow.LocationBlock(1, 2), custom=None)
    both, custom, all_of_it = (call.params for call in scripted.last.asked(wire.EDIT_MESSAGE))
    assert both == wire.EDIT_MESSAGE.params(content=(rtflow.TextBlock(("changed",)),))
    assert custom == wire.EDIT_MESSAGE.params(custom={"k": None})
    assert all_of_it == wire.EDIT_MESSAGE.params(content=(rtflow.LocationBlock(1, 2),), custom=None)
    with pytest.raises(TypeError, match="give a text, blocks or custom"):
        await message.edit()
    with pytest.raises(ValueError, match=r"message\.edit: a message is not empty"):
        await message.edit("")
    with pytest.raises(TypeError, match="cutsom"):
        await message.edit("x", cutsom={})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    scripted.answers[wire.DELETE_MESSAGE] = rtflow.NotFound("MESSAGE_NOT_FOUND")
    await message.delete()
    scripted.answers[wire.DELETE_MESSAGE] = rtflow.Forbidden("NOT_YOURS")
    with pytest.raises(rtflow.Forbidden):
        await message.delete()
    assert scripted.lines[-1] == "DELETE /conversations/lunch/messages/m1"


async def test_a_message_is_read_with_what_it_replies_to_in_as_few_turns_as_it_takes(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    def message(call: Call) -> Message:
        replied = {"m2": "m1", "m1": "m0"}.get(call.ids[1])
        sender = "bob" if call.ids[1] == "m2" else "carol"
        plain = a_message(call.ids[1], 5, sender)
        return replace(plain, referenced_message_id=replied)

    scripted.answers[wire.GET_MESSAGE] = message
    shown = await session.conversation("lunch").message("m2").get()
    assert shown is not None
    assert shown.referenced_message is not None
    assert shown.referenced_message.referenced_message_id == "m0"
    assert shown.sender == BOB
    assert scripted.lines == [
        "GET /me/conversations/lunch/messages/m2",
        "GET /me/conversations/lunch/messages/m1",
        "GET /users",
        "GET /users",
    ]


async def test_a_conversation_whose_last_message_replies_is_asked_for_once(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    last = replace(
        a_message("m2", 5, "bob"), referenced_message_id="m1", sender=a_user("bob", "Bob")
    )
    scripted.answers[wire.GET_CONVERSATION] = a_conversation("lunch", last_message=last)
    scripted.answers[wire.GET_MESSAGE] = a_message("m1", 1, None)
    shown = await session.conversation("lunch").get()
    assert shown is not None
    assert shown.last_message is not None
    assert shown.last_message.referenced_message is not None
    assert shown.last_message.sender == BOB
    assert scripted.lines == [
        "GET /me/conversations/lunch",
        "GET /me/conversations/lunch/messages/m1",
    ]


@pytest.mark.parametrize("refusal", [rtflow.NotFound("GONE"), rtflow.Forbidden("NOT_IN")])
async def test_reads_of_what_is_not_there_are_none(
    session: rtflow.Session, scripted: ScriptedServer, refusal: rtflow.RequestRefused
) -> None:
    for endpoint in wire.ALL:
        if endpoint.kind is wire.Kind.READ:
            scripted.answers[endpoint] = refusal
    lunch = session.conversation("lunch")
    lives: list[rtflow.Live[Any]] = [
        lunch.message("m1"),
        lunch.message("m1").reactions("+"),
        lunch.participants,
        lunch.participants.window(3),
        lunch.participant("bob"),
        lunch.typing,
        session.user("bob").online,
    ]
    for live in lives:
        assert await live.get() is None


async def test_a_read_that_fails_raises_and_leaves_nothing(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.GET_MESSAGE] = rtflow.BadRequest("NO")
    scripted.answers[wire.GET_ONLINE] = rtflow.BadRequest("NO")
    with pytest.raises(rtflow.BadRequest):
        await session.conversation("lunch").message("m1").get()
    with pytest.raises(rtflow.BadRequest):
        await session.user("bob").online.get()


# Reactions


async def test_reactions_are_added_and_removed_as_mine(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    thumbs = session.conversation("lunch").message("m1").reactions("👍")
    await thumbs.add()
    await thumbs.remove()
    path = "/conversations/lunch/messages/m1/reactions/%F0%9F%91%8D/me"
    assert scripted.lines == [f"PUT {path}", f"DELETE {path}"]
    scripted.answers[wire.REMOVE_REACTION] = rtflow.NotFound("REACTION_NOT_FOUND")
    await thumbs.remove()
    scripted.answers[wire.ADD_REACTION] = rtflow.Forbidden("NOT_A_PARTICIPANT")
    scripted.answers[wire.REMOVE_REACTION] = rtflow.Forbidden("NOT_A_PARTICIPANT")
    for write in (thumbs.add, thumbs.remove):
        with pytest.raises(rtflow.Forbidden):
            await write()


async def test_a_window_of_reactions_grows_and_follows(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    def page(call: Call) -> Page[Reaction]:
        if call.params.cursor == "more":
            return Page((Reaction(user_id="ghost", created_at=3),))
        return Page((Reaction(user_id="bob", created_at=1),), "more")

    scripted.answers[wire.GET_REACTIONS] = page
    thumbs = session.conversation("lunch").message("m1").reactions("👍")
    window, other = thumbs.window(1), thumbs.window(1)
    seen = Recorder[rtflow.Window[rtflow.ReactionSnapshot] | None]()
    with window.observe().subscribe(seen), other.observe().subscribe(lambda _: None):
        await seen.until(lambda values: len(values) == 1)
        await window.load_more(2)
        first = rtflow.ReactionSnapshot(user=BOB, created_at=1)
        ghost = rtflow.ReactionSnapshot(user=None, created_at=3)
        assert seen.values == [
            rtflow.Window((first,), False),
            rtflow.Window((first, ghost), True),
        ]
        assert await other.get() == rtflow.Window((first,), False)
        added = ReactionAdded(
            conversation_id="lunch", message_id="m1", emoji="👍", user_id="carol", created_at=2
        )
        await scripted.last.publish(added)
        await seen.until(lambda values: len(values) == 3)
        items = seen.last.items if seen.last else ()
        assert [it.user and it.user.id for it in items] == ["bob", "carol", None]


# People


async def test_participants_are_watched_by_the_page_and_one_by_one(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    def page(call: Call) -> Page[Participant]:
        assert call.params.limit == 10
        return Page((a_participant("bob", 7, access="Read"),))

    scripted.answers[wire.GET_PARTICIPANTS] = page
    scripted.answers[wire.GET_PARTICIPANT] = a_participant("bob", 7)
    lunch = session.conversation("lunch")
    window = await lunch.participants.get()
    assert window is not None
    assert window.loaded_all
    assert (window.items[0].user, window.items[0].access) == (BOB, "Read")
    one = await lunch.participant(session.user("bob")).get()
    assert one == rtflow.ParticipantSnapshot(user=BOB, access="ReadWrite", notify=True, joined_at=7)


async def test_who_is_online_is_read_with_the_user_at_once(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.GET_ONLINE] = Online(is_connected=True)
    online = await session.user("bob").online.get()
    assert online == rtflow.UserOnlineSnapshot(user=BOB, is_connected=True)
    assert scripted.lines == ["GET /users/bob/online", "GET /users"]


# Typing


async def test_typing_names_whoever_began_first_first_until_there_are_many(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.GET_TYPING] = Typing(users_typing={"carol": 2, "bob": 1, "ghost": 0})
    seen = Recorder[rtflow.TypingSnapshot | None]()
    steps = [
        TypingDiff(users_typing={"bob": None, "dan": 3}),
        TypingDiff(many=True),
        TypingDiff(users_typing={"erin": 4}),
        TypingDiff(many=False, users_typing={"erin": 4}),
    ]
    with session.conversation("lunch").typing.observe().subscribe(seen):
        await seen.until(lambda values: len(values) == 1)
        for step in steps:
            await scripted.last.publish(TypingChanged(conversation_id="lunch", diff=step))
            if step is steps[0]:
                await seen.until(lambda values: len(values) == 2)  # Dan is read first
        await seen.until(lambda values: len(values) == 4)
    shown = [it and (it.many, [user.id for user in it.users]) for it in seen.values]
    assert shown == [
        (False, ["bob", "carol"]),
        (False, ["carol", "dan"]),
        (True, []),
        (False, ["erin"]),
    ]


async def test_typing_is_told_once_in_a_while_and_again_after_a_message(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    for _ in range(3):  # refs come and go between keystrokes
        await session.conversation("lunch").mark_as_typing()
        gc.collect()
    await session.conversation("dinner").mark_as_typing()
    await session.conversation("lunch").send("done")
    await session.conversation("lunch").mark_as_typing()
    typing = "POST /me/conversations/{}/typing"
    assert scripted.lines == [
        typing.format("lunch"),
        typing.format("dinner"),
        "POST /conversations/lunch/messages",
        typing.format("lunch"),
    ]


def test_typing_is_told_again_when_its_time_is_up() -> None:
    marks = Marks()
    told = [now for now in range(16) if marks.set("lunch", float(now))]
    assert told == [0, 5, 10, 15]
    assert marks.set("dinner", 15.5)
    assert not marks.set("dinner", 16.0)
    marks.clear("dinner")
    assert marks.set("dinner", 16.0)


async def test_typing_that_is_refused_raises_and_is_told_again(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.MARK_TYPING] = rtflow.Forbidden("NOT_A_PARTICIPANT")
    for _ in range(2):
        with pytest.raises(rtflow.Forbidden):
            await session.conversation("lunch").mark_as_typing()
    assert len(scripted.last.asked(wire.MARK_TYPING)) == 2


async def test_typing_is_given_up_in_silence_with_the_connection(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.MARK_TYPING] = SILENCE
    await session.user("bob").get()
    async with asyncio.TaskGroup() as tasks:
        marking = tasks.create_task(session.conversation("lunch").mark_as_typing())
        await scripted.until(lambda: len(scripted.last.asked(wire.MARK_TYPING)) == 1)
        scripted.last.cut()
        await marking
    await session.user("bob").get()
    assert scripted.last.asked(wire.MARK_TYPING) == []


async def test_marks_are_forgotten_with_their_session(scripted: ScriptedServer) -> None:
    async with rtflow.Session(scripted.url, app_id="demo", user_id="me", token="t") as session:
        await session.conversation("lunch").mark_as_typing()
        mirror = weakref.ref(session._mirror)  # pyright: ignore[reportPrivateUsage] - leaks hide there
    del session
    gc.collect()
    assert mirror() is None


async def test_an_edit_of_reactions_that_says_little_is_understood(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    """As other servers send it: only what has changed of a summary."""
    thumbs = ReactionSummary(created_at=1, count=2, current_user_reacted=False)
    message = replace(a_message("m1", 1, None), reactions={"+": thumbs})
    scripted.answers[wire.GET_MESSAGES] = Page((message,))
    seen = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
    with session.conversation("lunch").messages.observe().subscribe(seen):
        await seen.until(lambda values: len(values) == 1)
        for count in (3, 0):
            diff = f'{{"reactions":{{"+":{{"count":{count}}}}}}}'
            event = (
                f'"type":"message.edited","conversationId":"lunch","messageId":"m1","diff":{diff}'
            )
            await scripted.last.socket.send(f'[{4 - count},"PUBLISH",{{{event}}}]')
        await seen.until(lambda values: len(values) == 3)
    shown = [it.items[0].reactions for it in seen.values if it]
    assert [[it.count for it in reactions] for reactions in shown] == [[2], [3], []]
