"""What is replayed brings whoever was away to where those are who stayed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from rtflow.model.content import TextBlock
from rtflow.model.entities import Conversation, Message, Participant, ReactionSummary
from rtflow.model.events import (
    ConversationDiff,
    ConversationEdited,
    Event,
    MessageCreated,
    MessageDeleted,
    MessageDiff,
    MessageEdited,
    ParticipantCreated,
    ParticipantDeleted,
    ParticipantDiff,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
    SideEdited,
)
from rtflow.server.gateway.resume import Telling, replayed, retold, retold_page, touched_reactions
from rtflow.server.store.interface import Entry, ReactionsTouched, SideTouched, Touched

SIDE = Conversation(
    id="lunch",
    subject="Lunch",
    custom={"k": "v"},
    created_at=1,
    joined_at=2,
    last_message_at=9,
    unread_message_count=3,
    is_unread=True,
    read_until=4,
    everyone_read_until=4,
    access="Read",
    notify=False,
)

Shown = dict[str, Any]  # Any: a client in a few lines; the names are those of the wire


def apply(shown: Shown, event: Event) -> None:
    """What the official client does with an event, as far as a conversation shows it."""
    match event:
        case ConversationEdited(diff=diff):
            merge(shown["conversation"], diff)
        case SideEdited(diff=diff):
            merge(shown["side"], diff)
        case ParticipantCreated(user_id=user, state=state):
            shown["participants"].setdefault(user, {"access": state.access})
        case ParticipantEdited(user_id=user, diff=diff):
            if user in shown["participants"]:
                merge(shown["participants"][user], diff)
        case ParticipantDeleted(user_id=user):
            shown["participants"].pop(user, None)
        case MessageCreated(message_id=message, state=state):
            shown["messages"].setdefault(message, {"content": state.content})
        case MessageEdited(message_id=message, diff=diff):
            if message in shown["messages"]:
                merge(shown["messages"][message], diff)
        case MessageDeleted(message_id=message):
            shown["messages"].pop(message, None)
        case _:
            raise AssertionError(event)


def merge(into: Shown, diff: Any) -> None:  # Any: each kind of diff
    for name in diff.__struct_fields__:
        value = getattr(diff, name)
        if name in ("custom", "reactions") and isinstance(value, dict):
            merged: Shown = {**into.get(name, {}), **value}
            into[name] = {key: one for key, one in merged.items() if one is not None}
        elif name == "custom" and value is None:
            into[name] = {}
        elif value is not UNSET:
            into[name] = value


KEYS = st.sampled_from("ab")
PEOPLE = st.sampled_from(["bob", "carol"])
MESSAGES = st.sampled_from(["m1", "m2"])
CUSTOM = st.none() | st.dictionaries(KEYS, st.none() | st.sampled_from("12"), min_size=1)
ACCESS = st.sampled_from(["Read", "ReadWrite"])
NOW = {  # how reactions stand in the end, and what is told of each that was touched
    "x": ReactionSummary(created_at=1, count=2, current_user_reacted=True),
    "y": None,
}


def said(message_id: str, text: str) -> MessageCreated:
    state = Message(id=message_id, sender_id="bob", created_at=1, content=(TextBlock((text,)),))
    return MessageCreated(conversation_id="lunch", message_id=message_id, state=state)


def joined(user: str, access: Any) -> ParticipantCreated:  # Any: hypothesis knows no Literal
    state = Participant(id=user, access=access, notify=True, joined_at=1)
    return ParticipantCreated(conversation_id="lunch", user_id=user, state=state)


EVENTS: st.SearchStrategy[Event | Touched] = st.one_of(
    st.builds(
        ConversationEdited,
        conversation_id=st.just("lunch"),
        diff=st.builds(
            ConversationDiff,
            subject=st.just(UNSET) | st.none() | st.sampled_from("st"),
            custom=CUSTOM,
        ),
    ),
    st.builds(
        ParticipantEdited,
        conversation_id=st.just("lunch"),
        user_id=PEOPLE,
        diff=st.builds(ParticipantDiff, access=ACCESS),
    ),
    st.builds(joined, PEOPLE, ACCESS),
    st.builds(ParticipantDeleted, conversation_id=st.just("lunch"), user_id=PEOPLE),
    st.builds(said, MESSAGES, st.sampled_from("pq")),
    st.builds(MessageDeleted, conversation_id=st.just("lunch"), message_id=MESSAGES),
    st.builds(
        MessageEdited,
        conversation_id=st.just("lunch"),
        message_id=MESSAGES,
        diff=st.builds(MessageDiff, custom=CUSTOM),
    ),
    st.builds(ReactionsTouched, st.just("lunch"), MESSAGES, st.sampled_from("xy")),
    st.builds(SideTouched, st.just("lunch"), st.sampled_from([None, "alice"])),
)


def possible(events: list[Event | Touched]) -> list[Event | Touched]:
    """Leave out what cannot happen: an id is given once, what is not there is not edited, and who
    is in a conversation does not join it."""
    log: list[Event | Touched] = []
    alive, ever = set[str](), set[str]()
    inside: dict[str, bool] = {}  # for all that is known: some were in it before
    for event in events:
        match event:
            case MessageCreated(message_id=message):
                if message in ever:
                    continue
                ever.add(message)
                alive.add(message)
            case (
                MessageEdited(message_id=message)
                | MessageDeleted(message_id=message)
                | ReactionsTouched(message_id=message)
            ):
                if message not in alive:
                    continue
                if isinstance(event, MessageDeleted):
                    alive.remove(message)
            case ParticipantCreated(user_id=user):
                if inside.get(user, False):
                    continue
                inside[user] = True
            case ParticipantEdited(user_id=user) | ParticipantDeleted(user_id=user):
                if not inside.get(user, True):
                    continue
                inside[user] = isinstance(event, ParticipantEdited)
            case _:
                pass
        log.append(event)
    return log


def as_told(event: Event | Touched) -> Event:
    """What reaches those who stayed: of what was touched, how it is now."""
    match event:
        case SideTouched():
            return retold("lunch", "alice", SIDE).events[-1]
        case ReactionsTouched(message_id=message, emoji=emoji):
            diff = MessageDiff(reactions={emoji: NOW[emoji]})
            return MessageEdited(conversation_id="lunch", message_id=message, diff=diff)
        case _:
            return event


def nothing_shown() -> Shown:
    return {"conversation": {}, "side": {}, "participants": {}, "messages": {}}


@given(st.lists(EVENTS, max_size=30).map(possible), st.data())
def test_who_was_away_ends_with_what_those_show_who_stayed(
    log: list[Event | Touched], data: st.DataObject
) -> None:
    """The point may be earlier than where the connection was lost, but never later."""
    lost_at = data.draw(st.integers(0, len(log)), "lost at")
    point = data.draw(st.integers(0, lost_at), "point")
    stayed, away = nothing_shown(), nothing_shown()
    for event in log:
        apply(stayed, as_told(event))
    for event in log[:lost_at]:
        apply(away, as_told(event))
    missed = list(map(Entry, log[point:]))
    reactions = {
        message: MessageDiff(reactions={emoji: NOW[emoji] for emoji in emojis})
        for message, emojis in touched_reactions(missed).items()
        if message in stayed["messages"]
    }
    told = replayed(missed, "lunch", "alice", SIDE, reactions)
    assert not told.is_whole
    for event in told.events:
        apply(away, event)
    if away["messages"].keys() != stayed["messages"].keys():  # the page that is read is another one
        away["messages"] = stayed["messages"]
    assert away == stayed


LEFT = Entry(SideDeleted(conversation_id="lunch"), to="alice")
JOINED = Entry(SideCreated(conversation_id="lunch", state=SIDE), to="alice")
SECRET = Entry(ConversationEdited(conversation_id="lunch", diff=ConversationDiff(subject="x")))
OF_BOB = Entry(SideDeleted(conversation_id="lunch"), to="bob")
BOBS_SIDE = Entry(SideTouched("lunch", "bob"))


@pytest.mark.parametrize(
    ("entries", "side", "told"),
    [
        ([SECRET, LEFT, SECRET], None, Telling((LEFT.event,))),  # type: ignore[arg-type]  # an event
        ([SECRET, OF_BOB], None, Telling()),
        ([OF_BOB, BOBS_SIDE], SIDE, Telling()),
    ],
    ids=["left", "a stranger", "what is others' own"],
)
def test_what_is_said_of_coming_and_going(
    entries: list[Entry], side: Conversation | None, told: Telling
) -> None:
    assert replayed(entries, "lunch", "alice", side, {}) == told


@pytest.mark.parametrize(
    "told",
    [
        replayed([SECRET, LEFT, JOINED], "lunch", "alice", SIDE, {}),
        replayed([SECRET, JOINED, SECRET], "lunch", "alice", SIDE, {}),
        retold("lunch", "alice", SIDE),
    ],
    ids=["left and joined", "joined", "nobody knows"],
)
def test_who_may_have_joined_is_told_all_whether_he_knew_of_it_or_not(told: Telling) -> None:
    knew = nothing_shown()
    knew["conversation"] = {"subject": "old", "custom": {"gone": "1"}}
    knew["participants"] = {"alice": {"access": "ReadWrite"}}
    assert told.events[0] == SideCreated(conversation_id="lunch", state=SIDE)
    for event in told.events[1:5]:
        apply(knew, event)
    assert knew["conversation"]["subject"] == "Lunch"
    assert knew["conversation"]["custom"] == {"k": "v"}
    assert knew["participants"]["alice"] == {"access": "Read", "notify": False}
    assert knew["side"]["unread_message_count"] == 3


def test_where_nobody_knows_what_happened_pages_are_told_as_they_are() -> None:
    assert retold("lunch", "alice", SIDE).is_whole
    shown = nothing_shown()
    shown["messages"] = {"m1": {"content": (TextBlock(("old",)),), "custom": {"gone": "1"}}}
    shown["participants"] = {"bob": {"access": "ReadWrite"}}
    text = (TextBlock(("new",)),)
    message = Message(id="m1", sender_id="bob", created_at=1, content=text, custom={"k": "v"})
    bob = Participant(id="bob", access="Read", notify=False, joined_at=1)
    for event in retold_page("lunch", [message, bob]):
        apply(shown, event)
    assert shown["messages"]["m1"] == {
        "content": text,
        "custom": {"k": "v"},
        "edited_at": None,
        "reactions": {},
    }
    assert shown["participants"]["bob"] == {"access": "Read", "notify": False}


def test_who_has_left_is_told_nothing_else() -> None:
    gone = (SideDeleted(conversation_id="lunch"),)
    assert retold("lunch", "alice", None) == Telling(gone)


def test_reactions_are_said_as_they_are_now() -> None:
    touched = [Entry(ReactionsTouched("lunch", "m1", emoji)) for emoji in "xyx"]
    assert touched_reactions(touched) == {"m1": {"x", "y"}}
    diff = MessageDiff(reactions={"x": None})
    told = replayed([SECRET, *touched], "lunch", "alice", SIDE, {"m1": diff})
    edited = MessageEdited(conversation_id="lunch", message_id="m1", diff=diff)
    assert told == Telling((SECRET.event, edited))  # type: ignore[arg-type]  # an event
    assert replayed(touched, "lunch", "alice", None, {}) == Telling()
