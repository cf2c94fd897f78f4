"""Random requests: the domain does what plain Python does, and its events tell all of it.

What is done to messages is in test_talk.py.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import UNSET, Struct, structs

from rtflow.errors import RequestRefused
from rtflow.model.entities import Access, Conversation, Message, Notify, Participant, User
from rtflow.model.events import (
    ConversationEdited,
    MessageCreated,
    MessageDeleted,
    MessageDiff,
    MessageEdited,
    ParticipantCreated,
    ParticipantDeleted,
    ParticipantEdited,
    ReactionAdded,
    ReactionRemoved,
    SideCreated,
    SideDeleted,
    UserCreated,
    UserEdited,
)
from rtflow.model.frozen import merged
from rtflow.server.store.interface import Entry, ReactionsTouched, SideTouched
from tests.server.domain.chat import DAY, Chat, Refused, Room, Said
from tests.server.domain.world import World, step, text

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

USERS = ["ada", "bob", "cy", "dan"]
ROOMS = ["lunch", "work"]
users, rooms = st.sampled_from(USERS), st.sampled_from(ROOMS)
access: st.SearchStrategy[Access | None] = st.sampled_from([None, "Read", "ReadWrite"])
notify: st.SearchStrategy[Notify | None] = st.sampled_from([None, True, False, "MentionsOnly"])
custom = st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["1", "2", None]), max_size=2)
methods = st.sampled_from(["POST", "PUT", "PATCH"])
keys = st.sampled_from([None, "k1", "k2"])
ages = st.sampled_from([None, 0, 1, 2, 5, DAY, -5])  # of a mark's `until`; negative: yet to come


def answer(attempt: Callable[[], T]) -> T | str:
    """Return what came out of it, be it a refusal."""
    try:
        return attempt()
    except RequestRefused as no:
        return f"{no.status} {no.code}"
    except Refused as no:
        return no.code


class Viewer:
    """A client: it holds what it read when it joined, and then only what it is told.

    By conversation: its side, all messages (oldest first), and besides the newest of them alone.
    """

    def __init__(self) -> None:
        self.sides: dict[str, Conversation] = {}
        self.said: dict[str, dict[str, Message]] = {}
        self.newest: dict[str, Message] = {}

    def joins(self, room: str, said: tuple[Message, ...]) -> None:
        self.said[room] = {message.id: message for message in reversed(said)}
        if said:
            self.newest[room] = said[0]

    def leaves(self, room: str) -> None:
        del self.sides[room]
        self.said.pop(room, None)
        self.newest.pop(room, None)

    def hears(self, event: MessageCreated | MessageEdited | MessageDeleted) -> None:
        room, message = event.conversation_id, event.message_id
        if room not in self.said:
            return
        said = self.said[room]
        match event:
            case MessageCreated(state=state):
                said[message] = self.newest[room] = state
            case MessageEdited(diff=diff):
                if message in said:
                    said[message] = edited(said[message], diff)
                if room in self.newest and self.newest[room].id == message:
                    self.newest[room] = edited(self.newest[room], diff)
            case MessageDeleted(new_last_message=last):
                said.pop(message, None)
                if room in self.newest and self.newest[room].id == message:
                    assert last is not UNSET
                    del self.newest[room]
                    self.newest |= {room: last} if last else {}
                for one, other in said.items():
                    said[one] = without_reference(other, message)
                if room in self.newest:
                    self.newest[room] = without_reference(self.newest[room], message)


class PlainChatAndDomain(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world, self.chat = World(), Chat()
        self.viewers = {user: Viewer() for user in USERS}
        self.people: dict[str, User] = {}
        self.sent: list[tuple[str, str, str]] = []
        self.reactors: dict[tuple[str, str, str], dict[str, int]] = {}
        self.seats: dict[str, dict[str, Participant]] = {room: {} for room in ROOMS}

    def teardown(self) -> None:
        self.the_events_are_delivered()
        self.everybody_who_was_told_everything_knows_everything()
        self.world.database.close()

    def both(self, real: Callable[[], T], plain: Callable[[], T]) -> None:
        assert answer(real) == answer(plain)

    # What users do

    @initialize(room=st.none() | rooms)
    def often_they_are_all_in_a_conversation(self, room: str | None) -> None:
        if room is not None:
            self.somebody_starts_a_conversation_with_everybody("ada", room)

    @rule(by=st.sampled_from([0, 1, 1, 10, -3, DAY]))
    def time_passes_or_jumps_back(self, by: int) -> None:
        self.world.now = self.chat.now = self.world.now + by

    @rule(user=users, custom=custom)
    def a_user_is_created(self, user: str, custom: dict[str, str | None]) -> None:
        self.both(
            lambda: self.world.create_user(user, user, custom=custom),
            lambda: self.chat.create_user(user, custom),
        )

    @rule(actor=users, user=users, name=st.sampled_from([None, "Ann"]), custom=custom | st.none())
    def a_user_is_set(
        self, actor: str, user: str, name: str | None, custom: dict[str, str | None] | None
    ) -> None:
        self.both(
            lambda: self.world.set_user(actor, user, name=name or UNSET, custom=custom),
            lambda: self.chat.set_user(user, name, custom),
        )

    @rule(actor=users, room=rooms)
    def somebody_starts_a_conversation_with_everybody(self, actor: str, room: str) -> None:
        for user in USERS:
            self.a_user_is_created(user, {})
        self.a_conversation_is_created(actor, room)
        for user in [actor, *USERS]:
            self.somebody_acts_on_a_participant(actor, room, "POST", user, None, None)

    @rule(actor=users, room=rooms)
    def a_conversation_is_created(self, actor: str, room: str) -> None:
        self.both(
            lambda: self.world.create(actor, room, subject="Hi"),
            lambda: self.chat.create(actor, room, "Hi"),
        )

    @rule(actor=users, room=rooms, custom=custom | st.none())
    def a_conversation_is_set(
        self, actor: str, room: str, custom: dict[str, str | None] | None
    ) -> None:
        self.both(
            lambda: self.world.edit(actor, room, custom=custom),
            lambda: self.chat.edit(actor, room, custom),
        )

    @rule(actor=users, room=rooms, method=methods, user=users, access=access, notify=notify)
    def somebody_acts_on_a_participant(
        self,
        actor: str,
        room: str,
        method: str,
        user: str,
        access: Access | None,
        notify: Notify | None,
    ) -> None:
        fields = {"access": access, "notify": notify}
        given = {key: value for key, value in fields.items() if value is not None}
        (real,) = self.world.act(actor, room, step(method, user, **given))
        plain = answer(lambda: self.chat.act(actor, room, method, user, access, notify))
        assert real == (plain or "200")

    @rule(actor=users, room=rooms, user=users)
    def somebody_is_removed(self, actor: str, room: str, user: str) -> None:
        self.both(
            lambda: self.world.remove(actor, room, user),
            lambda: self.chat.remove(actor, room, user),
        )

    @rule(actor=users, room=rooms)
    def somebody_leaves(self, actor: str, room: str) -> None:
        self.somebody_is_removed(actor, room, actor)

    @rule(actor=users, room=rooms, key=keys, data=st.data())
    def a_message_is_sent(
        self, actor: str, room: str, key: str | None, data: st.DataObject
    ) -> None:
        said = [said.id for it in self.chat.rooms.values() for said in it.said]
        to = data.draw(st.sampled_from([None, "nowhere", *said]))
        fields = {"idempotency_key": key or UNSET, "referenced_message_id": to}
        if key is not None:
            self.sent.append((actor, room, key))
        real = answer(lambda: self.world.send(actor, room, "hello", **fields))
        plain = answer(lambda: self.chat.send(actor, room, real, key, to))
        assert real == plain

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def a_message_is_sent_again(self, data: st.DataObject) -> None:
        self.a_message_is_sent(*data.draw(st.sampled_from(self.sent)), data=data)

    @rule(actor=users, room=rooms, age=ages)
    def a_conversation_is_marked_as_read(self, actor: str, room: str, age: int | None) -> None:
        until = None if age is None else max(0, self.newest_time(room) - age)
        self.both(
            lambda: self.world.read(actor, room, UNSET if until is None else until),
            lambda: self.chat.read(actor, room, until),
        )

    @rule(actor=users, room=rooms, age=ages)
    def a_conversation_is_marked_as_unread(self, actor: str, room: str, age: int | None) -> None:
        until = None if age is None else max(0, self.newest_time(room) - age)
        self.both(
            lambda: self.world.unread(actor, room, UNSET if until is None else until),
            lambda: self.chat.unread(actor, room, until),
        )

    def newest_time(self, room: str) -> int:
        said = self.chat.rooms[room].said if room in self.chat.rooms else []
        return said[-1].at if said else self.world.now

    # What clients are told

    @rule()
    def the_events_are_delivered(self) -> None:
        told, self.world.told = self.world.told, []
        for entry in told:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        match entry.event:
            case UserCreated(user_id=user, state=state):
                self.people[user] = state
            case UserEdited(user_id=user, diff=diff):
                self.people[user] = changed(self.people[user], diff)
            case ParticipantCreated(conversation_id=room, user_id=user, state=seat):
                self.seats[room][user] = seat
            case ParticipantEdited(conversation_id=room, user_id=user, diff=diff):
                self.seats[room][user] = changed(self.seats[room][user], diff)
                self.edit_side(user, room, diff)
            case ParticipantDeleted(conversation_id=room, user_id=user):
                del self.seats[room][user]
            case SideCreated(conversation_id=room, state=side):
                assert isinstance(entry.to, str)
                viewer = self.viewers[entry.to]
                viewer.sides[room] = side
                said = answer(lambda: self.world.messages(str(entry.to), room, limit=100))
                if not isinstance(said, str):  # it has not left again meanwhile
                    viewer.joins(room, said.data)
            case SideDeleted(conversation_id=room):
                assert isinstance(entry.to, str)
                self.viewers[entry.to].leaves(room)
            case ConversationEdited(conversation_id=room, diff=diff):
                for user in USERS:
                    self.edit_side(user, room, diff)
            case MessageCreated() | MessageEdited() | MessageDeleted():
                for viewer in self.viewers.values():
                    viewer.hears(entry.event)
                if isinstance(entry.event, MessageDeleted):
                    gone = entry.event.conversation_id, entry.event.message_id
                    self.reactors = {k: v for k, v in self.reactors.items() if k[:2] != gone}
            case ReactionAdded(conversation_id=room, message_id=message, emoji=emoji):
                who = self.reactors.setdefault((room, message, emoji), {})
                who[entry.event.user_id] = entry.event.created_at
            case ReactionRemoved(conversation_id=room, message_id=message, emoji=emoji):
                del self.reactors[room, message, emoji][entry.event.user_id]
            case ReactionsTouched(conversation_id=room, message_id=message, emoji=emoji):
                readers = [user for user in USERS if room in self.viewers[user].said]
                if (reacted := self.world.reacted(message, emoji, *readers)) is not None:
                    for user in readers:
                        now = reacted.diff(reacted.own[user])
                        event = MessageEdited(conversation_id=room, message_id=message, diff=now)
                        self.viewers[user].hears(event)
            case SideTouched(conversation_id=room, user_id=user):
                candidates = USERS if user is None else [user]
                for someone, marks in self.world.sides(room, *candidates).items():
                    self.edit_side(someone, room, marks)
            case other:
                raise AssertionError(f"nobody should be told of {other!r}")

    def edit_side(self, user: str, room: str, diff: Struct) -> None:
        sides = self.viewers[user].sides
        if room in sides:
            sides[room] = changed(sides[room], diff)

    # What is true at any time

    @invariant()
    def everybody_sees_what_a_recount_gives(self) -> None:
        for room in ROOMS:
            there = self.chat.rooms.get(room)
            for user in USERS:
                seen = answer(partial(self.world.see, user, room))
                if there is None or user not in there.seats:
                    assert seen == "404 CONVERSATION_NOT_FOUND"
                else:
                    assert isinstance(seen, Conversation)
                    assert facts(seen) == recount(there, user)

    @invariant()
    def everybody_who_was_told_everything_knows_everything(self) -> None:
        if self.world.told:
            return
        assert self.people == self.world.users(*USERS)
        for user, viewer in self.viewers.items():
            if user not in self.people:
                assert viewer.sides == {}
                continue
            listed = self.world.page(user, expand=("lastMessage",)).data
            assert viewer.sides == {
                side.id: structs.replace(side, last_message=UNSET) for side in listed
            }
            assert viewer.newest == {
                side.id: structs.replace(side.last_message, sender=UNSET)
                for side in listed
                if side.last_message
            }
            for side in listed:
                self.all_messages_are_right(user, side.id, list(viewer.said[side.id].values()))
                seats = self.chat.rooms[side.id].seats
                assert self.seats[side.id].keys() == seats.keys()
                mine = self.seats[side.id][user]
                assert (mine.access, mine.notify) == (side.access, side.notify)
                assert mine.joined_at == side.joined_at

    def all_messages_are_right(self, user: str, room: str, told: list[Message]) -> None:
        assert told == list(self.world.messages(user, room, limit=100).data)[::-1]
        said = self.chat.rooms[room].said
        assert [message_facts(message) for message in told] == [
            message_recount(it, user) for it in said
        ]
        for it in said:
            assert self.world.message(user, room, it.id) in told
            for emoji, users in it.reactions.items():
                listed = self.world.reactions(user, room, it.id, emoji).data
                right = sorted((at, who) for who, at in users.items())
                assert [(one.created_at, one.user_id) for one in listed] == right
                assert self.reactors.get((room, it.id, emoji), {}) == users


def edited(message: Message, diff: MessageDiff) -> Message:
    """Apply a diff of a message the way a client does."""
    if diff.reactions is not UNSET:
        found = {**message.reactions, **diff.reactions}
        left = {emoji: summary for emoji, summary in found.items() if summary is not None}
        message = structs.replace(message, reactions=left)
    return changed(message, structs.replace(diff, reactions=UNSET))


def without_reference(message: Message, gone: str) -> Message:
    """Let a reply forget what it replies to if that is gone."""
    if message.referenced_message_id != gone:
        return message
    return structs.replace(message, referenced_message_id=None)


def changed(old: S, diff: Struct) -> S:
    """Apply a diff the way a client does."""
    changes = {name: value for name, value in structs.asdict(diff).items() if value is not UNSET}
    if "custom" in changes:
        changes["custom"] = merged(structs.asdict(old)["custom"], changes["custom"])
    return structs.replace(old, **changes)


def facts(side: Conversation) -> dict[str, object]:
    return {
        "custom": side.custom,
        "access": side.access,
        "notify": side.notify,
        "joined_at": side.joined_at,
        "last_message_at": side.last_message_at,
        "unread_message_count": side.unread_message_count,
        "is_unread": side.is_unread,
        "read_until": side.read_until,
        "everyone_read_until": side.everyone_read_until,
    }


def recount(room: Room, user: str) -> dict[str, object]:
    seat = room.seats[user]
    return {
        "custom": room.custom,
        "access": seat.access,
        "notify": seat.notify,
        "joined_at": seat.joined_at,
        "last_message_at": room.said[-1].at if room.said else seat.joined_at,
        "unread_message_count": len(seat.unread),
        "is_unread": bool(seat.unread) or seat.is_marked,
        "read_until": seat.read_until,
        "everyone_read_until": min(it.read_until for it in room.seats.values()),
    }


def message_facts(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "sender": message.sender_id,
        "at": message.created_at,
        "content": message.content,
        "custom": message.custom,
        "edited_at": message.edited_at,
        "reply_to": message.referenced_message_id,
        "reactions": {
            emoji: (it.created_at, it.count, it.current_user_reacted)
            for emoji, it in message.reactions.items()
        },
    }


def message_recount(said: Said, user: str) -> dict[str, object]:
    return {
        "id": said.id,
        "sender": said.sender,
        "at": said.at,
        "content": text(said.text),
        "custom": said.custom,
        "edited_at": said.edited_at,
        "reply_to": said.reply_to,
        "reactions": {
            emoji: (said.began[emoji], len(users), user in users)
            for emoji, users in said.reactions.items()
            if users
        },
    }


TestTheDomainDoesWhatPlainPythonDoes = PlainChatAndDomain.TestCase
TestTheDomainDoesWhatPlainPythonDoes.settings = settings(
    max_examples=120, stateful_step_count=50, deadline=None
)
