"""Refs: names, equality, sameness; and what writes put on the wire, swallow and raise."""

import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

import rtflow
from rtflow.client.refs.messages import ALPHABET, idempotency_key
from rtflow.wire import endpoints as wire
from tests.client.scripted import ScriptedServer


@pytest_asyncio.fixture
async def session(scripted: ScriptedServer) -> AsyncIterator[rtflow.Session]:
    async with rtflow.Session(scripted.url, app_id="demo", user_id="me", token="t") as session:
        yield session


def joined(*responses: tuple[int, str]) -> wire.ParticipantAnswers:
    return wire.ParticipantAnswers(
        tuple(wire.ParticipantAnswer(status, code or None) for status, code in responses)
    )


JOINED = joined((200, ""))


async def test_the_same_name_is_the_same_ref(session: rtflow.Session) -> None:
    bob, lunch = session.user("bob"), session.conversation("lunch")
    assert session.user("bob") is bob
    assert session.conversation("lunch") is lunch
    assert session.current_user is session.user("me")
    assert lunch.unread is lunch.unread
    assert lunch.messages is session.conversation("lunch").messages
    assert lunch.participant("bob") == lunch.participant(bob)
    assert hash(lunch.participant("bob")) == hash(lunch.participant(bob))
    assert lunch.participant("bob") != lunch.participant("carol")
    assert bob != session.user("carol")
    assert bob != "bob"
    assert repr(bob) == "<UserRef 'bob'>"
    assert repr(lunch.participant(bob)) == "<ParticipantRef 'lunch' 'bob'>"
    assert repr(lunch.messages.window(5)) == "<LiveWindow of 5: MessagesKey(conversation='lunch')>"
    with pytest.raises(AttributeError):
        bob.id = "carol"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def test_refs_of_different_sessions_differ(session: rtflow.Session) -> None:
    other = rtflow.Session("http://127.0.0.1:1", app_id="demo", user_id="me")
    assert other.user("bob") != session.user("bob")


async def test_refs_that_nobody_holds_are_forgotten(session: rtflow.Session) -> None:
    for number in range(100):
        session.user(str(number))
        session.conversation(str(number)).messages.observe()
    gc.collect()
    assert len(session._users) == 0  # pyright: ignore[reportPrivateUsage] - leaks hide there
    assert len(session._conversations) == 0  # pyright: ignore[reportPrivateUsage]


async def test_a_new_user_gets_the_default_role_and_contacts_are_lists(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.CREATE_USER] = rtflow.Conflict("EXISTS")
    await session.current_user.create_if_not_exists(name="Me", email="me@example.com", phone=["1"])
    await session.user("boss").create_if_not_exists(name="Boss", role="boss")
    await session.current_user.set(role=None)
    await session.current_user.set(locale=None)
    created, boss, reset, cleared = (call.params for call in scripted.last.calls[1:])
    assert (created.name, created.role) == ("Me", "default")
    assert (created.email, created.phone) == (("me@example.com",), ("1",))
    assert boss.role == "boss"
    assert reset.role == "default"
    assert cleared.locale is None
    assert cleared == wire.SET_USER.params(locale=None)


async def test_both_halves_leave_together_and_in_order(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.PARTICIPANTS] = JOINED
    lunch = session.conversation("lunch")
    await lunch.create_if_not_exists(subject="Lunch", access="Read")
    await lunch.set(notify=False)
    assert scripted.lines == [
        "POST /conversations/lunch",
        "POST /conversations/lunch/participants",
        "PUT /conversations/lunch",
        "POST /conversations/lunch/participants",
    ]
    actions = [call.params.actions[0] for call in scripted.last.asked(wire.PARTICIPANTS)]
    assert [(it.id, it.method) for it in actions] == [("me", "POST"), ("me", "PUT")]
    assert actions[0].params.access == "Read"
    assert actions[1].params.notify is False


async def test_create_if_not_exists_takes_what_is_there(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    lunch = session.conversation("lunch")
    scripted.answers[wire.CREATE_CONVERSATION] = rtflow.Conflict("EXISTS")
    scripted.answers[wire.PARTICIPANTS] = joined((409, "EXISTS"))
    await lunch.create_if_not_exists()
    await lunch.participant("bob").create_if_not_exists()
    scripted.answers[wire.PARTICIPANTS] = joined((403, "NOT_YOURS"))
    with pytest.raises(rtflow.Forbidden, match="NOT_YOURS"):
        await lunch.create_if_not_exists()
    with pytest.raises(rtflow.Forbidden, match=r"POST /conversations/lunch/participants .* 403"):
        await lunch.participant("bob").create_if_not_exists()
    scripted.answers[wire.PARTICIPANTS] = rtflow.BadRequest("SECOND")
    with pytest.raises(rtflow.BadRequest, match="SECOND"):
        await lunch.create_if_not_exists()
    scripted.answers[wire.CREATE_CONVERSATION] = rtflow.BadRequest("FIRST")
    with pytest.raises(rtflow.BadRequest, match="FIRST"):
        await lunch.create_if_not_exists()


@pytest.mark.parametrize(
    ("conversation", "membership", "fields", "error"),
    [
        ("UNAUTHORIZED_TO_EDIT", "", {"notify": True}, None),
        ("UNAUTHORIZED_TO_EDIT", "", {"subject": None}, "UNAUTHORIZED_TO_EDIT"),
        ("UNAUTHORIZED_TO_EDIT", "", {"custom": {}}, "UNAUTHORIZED_TO_EDIT"),
        ("SOMETHING_ELSE", "", {"notify": True}, "SOMETHING_ELSE"),
        ("", "UNAUTHORIZED_TO_EDIT_PARTICIPANT", {"subject": "x"}, None),
        ("", "UNAUTHORIZED_TO_EDIT_PARTICIPANT", {"access": "Read"}, "TO_EDIT_PARTICIPANT"),
        ("", "NOT_A_PARTICIPANT", {"subject": "x"}, "NOT_A_PARTICIPANT"),
        ("", "", {"subject": "x"}, None),
    ],
)
async def test_set_swallows_a_refusal_of_what_was_not_asked(
    session: rtflow.Session,
    scripted: ScriptedServer,
    conversation: str,
    membership: str,
    fields: dict[str, Any],  # as `set` types them
    error: str | None,
) -> None:
    if conversation:
        scripted.answers[wire.SET_CONVERSATION] = rtflow.Forbidden(conversation)
    scripted.answers[wire.PARTICIPANTS] = joined((403, membership)) if membership else JOINED
    if error is None:
        await session.conversation("lunch").set(**fields)
    else:
        with pytest.raises(rtflow.Forbidden, match=error):
            await session.conversation("lunch").set(**fields)


async def test_participants_are_set_edited_and_deleted(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    bob = session.conversation("lunch").participant("bob")
    scripted.answers[wire.PARTICIPANTS] = JOINED
    await bob.set(access="Read")
    await bob.edit(notify="MentionsOnly")
    scripted.answers[wire.DELETE_PARTICIPANT] = rtflow.NotFound("PARTICIPANT_NOT_FOUND")
    await bob.delete()
    assert scripted.lines[-1] == "DELETE /conversations/lunch/participants/bob"
    scripted.answers[wire.PARTICIPANTS] = joined((404, "PARTICIPANT_NOT_FOUND"))
    calls: list[Callable[[], Any]] = [bob.set, bob.edit]
    for call in calls:
        with pytest.raises(rtflow.NotFound):
            await call()
    assert (bob.conversation_id, bob.user_id) == ("lunch", "bob")


async def test_a_text_is_sent_as_the_markup_that_it_is_under_a_key(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.SEND_MESSAGE] = wire.Sent("m1")
    sent = await session.conversation("lunch").send("*bold*", custom={"k": "v"})
    assert (sent.conversation_id, sent.id) == ("lunch", "m1")
    (call,) = scripted.last.asked(wire.SEND_MESSAGE)
    assert call.params.content == (rtflow.TextBlock((rtflow.Bold(("bold",)),)),)
    assert call.params.custom == {"k": "v"}
    assert len(call.params.idempotency_key) == 20
    with pytest.raises(TypeError, match=r"conversation\.send"):
        await session.conversation("lunch").send("hi", custom={"k": 1})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


async def test_marking_somebody_elses_conversation_is_left_to_the_server_to_refuse(
    session: rtflow.Session, scripted: ScriptedServer
) -> None:
    scripted.answers[wire.GET_CONVERSATION] = rtflow.NotFound("CONVERSATION_NOT_FOUND")
    scripted.answers[wire.MARK_READ] = rtflow.Forbidden("NOT_A_PARTICIPANT")
    scripted.answers[wire.MARK_UNREAD] = rtflow.Forbidden("NOT_A_PARTICIPANT")
    lunch = session.conversation("lunch")
    for mark in (lunch.mark_as_read, lunch.mark_as_unread):
        with pytest.raises(rtflow.Forbidden):
            await mark()


def test_keys_have_20_characters_and_sort_by_time() -> None:
    keys = [idempotency_key() for _ in range(100)]
    assert len(set(keys)) == 100
    assert all(len(key) == 20 and set(key) <= set(ALPHABET) for key in keys)
    assert sorted(ALPHABET) == list(ALPHABET)
    assert [key[:8] for key in keys] == sorted(key[:8] for key in keys)
