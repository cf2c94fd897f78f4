"""A server in plain Python, for tests of the pure parts: what is true, and what is told.

It keeps the promises of the real one: an answer tells the truth of its moment, events that are not
in it come after it, and everything reaches the client in order. Subscriptions work at once; reads
wait until `answer` is called, in any order.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeAlias

from msgspec import UNSET, Struct, structs

from rtflow.client.registry import Registry
from rtflow.client.state.asks import Ask
from rtflow.client.state.keys import Key
from rtflow.client.state.portraits import (
    conversation_snapshot,
    message_snapshot,
    patched,
    referenced_snapshot,
    user_snapshot,
)
from rtflow.errors import NotFound, RtflowError
from rtflow.model.content import TextBlock
from rtflow.model.entities import (
    Conversation,
    Message,
    Online,
    Page,
    Participant,
    Reaction,
    ReactionDiff,
    ReactionSummary,
    Typing,
    User,
)
from rtflow.model.events import (
    ConversationCleared,
    ConversationDiff,
    ConversationEdited,
    Event,
    MessageCreated,
    MessageDeleted,
    MessageDiff,
    MessageEdited,
    OnlineDiff,
    ParticipantCreated,
    ParticipantDeleted,
    ParticipantDiff,
    ParticipantEdited,
    ReactionAdded,
    ReactionRemoved,
    SideCreated,
    SideDeleted,
    SideDiff,
    SideEdited,
    TypingAvailable,
    TypingChanged,
    TypingDiff,
    UserCreated,
    UserDiff,
    UserEdited,
    UserOnlineChanged,
)
from rtflow.model.filters import Filter, matches
from rtflow.model.snapshots import ConversationSnapshot, MessageSnapshot, UserSnapshot, Window
from rtflow.wire import endpoints as wire

ME = "me"
MANY = 2  # who write at once are not named any more
Topic: TypeAlias = tuple[str, str]


class Answered(Struct, frozen=True):
    """An answer on its way to the client."""

    ask: Ask
    outcome: Any  # what the endpoint gives, or an error


Frame: TypeAlias = tuple[Event, ...] | Answered


def a_user(id: str, name: str) -> User:
    return User(id=id, name=name, role="default")


def a_message(id: str, at: int, sender: str | None = "bob", text: str = "hi") -> Message:
    return Message(id=id, sender_id=sender, created_at=at, content=(TextBlock((text,)),))


def a_participant(id: str, at: int, **changes: Any) -> Participant:
    plain = Participant(id=id, access="ReadWrite", notify=True, joined_at=at)
    return structs.replace(plain, **changes)


def a_conversation(id: str, at: int = 1, **changes: Any) -> Conversation:
    plain = Conversation(
        id=id,
        created_at=at,
        joined_at=at,
        last_message_at=at,
        unread_message_count=0,
        is_unread=False,
        read_until=at,
        everyone_read_until=at,
        access="ReadWrite",
        notify=True,
    )
    return structs.replace(plain, **changes)


class World:
    """What is true for one user, and a connection to tell it. `expand`: as our own server does."""

    def __init__(self, *, expand: bool = True) -> None:
        self.users: dict[str, User] = {}
        self.conversations: dict[str, Conversation] = {}  # those that I am in
        self.messages: dict[str, list[Message]] = {}
        self.members = defaultdict[str, dict[str, Participant]](dict)  # of each conversation
        self.reactions = defaultdict[tuple[str, str, str], dict[str, int]](dict)  # since when
        self.writers = defaultdict[str, dict[str, int]](dict)  # since when, without me
        self.online: set[str] = set()
        self.subscribed: list[Topic] = []
        self.asked: list[str] = []  # every request, for tests to look at
        self.pending: list[Ask] = []
        self.frames: deque[Frame] = deque()
        self.faults: dict[wire.AnyEndpoint, RtflowError] = {}
        self._expand = expand
        self._cursors: list[tuple[Any, Filter | None]] = []
        self._clock = 1_000

    # The connection

    def receive(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            path = ask.endpoint.path(*ask.ids)
            self.asked.append(f"{ask.endpoint.method} {path}")
            if ask.endpoint.method == "SUBSCRIBE":
                for id in ask.params.ids if ask.endpoint is wire.WATCH_USERS else (path,):
                    topic = ("user", id) if ask.endpoint is wire.WATCH_USERS else ("path", path)
                    assert topic not in self.subscribed, f"subscribed twice: {topic}"
                    self.subscribed.append(topic)
                self.frames.append(Answered(ask, self.faults.get(ask.endpoint, wire.Done())))
            elif ask.endpoint.method == "UNSUBSCRIBE":
                user = ask.endpoint is wire.UNWATCH_USER
                self.subscribed.remove(("user", ask.ids[0]) if user else ("path", path))
                self.frames.append(Answered(ask, wire.Done()))
            else:
                self.pending.append(ask)

    def answer(self, index: int = 0) -> None:
        """Answer one of the reads, with the truth of this moment."""
        ask = self.pending.pop(index)
        self.frames.append(Answered(ask, self.faults.get(ask.endpoint) or self._result(ask)))

    def deliver(self, registry: Registry, now: float = 0.0) -> None:
        """Hand the next frame to the client."""
        frame = self.frames.popleft()
        if isinstance(frame, Answered):
            registry.settle(frame.ask, frame.outcome, now)
        else:
            registry.apply(frame, now)

    def cut(self) -> None:
        """Lose the connection, and what was on the way."""
        self.subscribed.clear()
        self.pending.clear()
        self.frames.clear()

    def settle(
        self,
        registry: Registry,
        now: float = 0.0,
        look: Callable[[Collection[Key]], None] = lambda _: None,
    ) -> None:
        """Answer and deliver everything, until nothing is left to do; `look` at what changes."""
        self._turn(registry, look)
        while self.pending or self.frames:
            while self.frames:
                self.deliver(registry, now)
                self._turn(registry, look)
            if self.pending:
                self.answer()

    def _turn(self, registry: Registry, look: Callable[[Collection[Key]], None]) -> None:
        work = registry.take()
        self.receive(work.asks)
        look(work.changed)

    # The truth changes

    def now(self) -> int:
        self._clock += 1
        return self._clock

    def put_user(self, id: str, name: str) -> None:
        if id in self.users:
            self.users[id] = structs.replace(self.users[id], name=name)
            self._tell([UserEdited(user_id=id, diff=UserDiff(name=name))], [("user", id)])
        else:
            self.users[id] = a_user(id, name)
            event = UserCreated(user_id=id, state=self.users[id])
            self._tell([event], [("user", id), ("path", wire.WATCH_ONLINE.path(id))])

    def connect(self, id: str, is_connected: bool) -> None:
        if id in self.users and is_connected != (id in self.online):
            self.online ^= {id}
            event = UserOnlineChanged(user_id=id, diff=OnlineDiff(is_connected=is_connected))
            self._tell([event], [("path", wire.WATCH_ONLINE.path(id))])

    def join(self, id: str, *, announces_typing: bool = True) -> None:
        if id in self.conversations:
            return
        messages = self.messages.setdefault(id, [])
        at = self.now()
        last_at = messages[-1].created_at if messages else at
        self.conversations[id] = a_conversation(id, at, last_message_at=last_at)
        self.members[id][ME] = a_participant(ME, at)
        created = SideCreated(conversation_id=id, state=self.conversations[id])
        me = ParticipantCreated(conversation_id=id, user_id=ME, state=self.members[id][ME])
        typing = TypingAvailable(conversation_id=id, state=self.typing(id))
        self._push(
            ([created], self._all_of(id)),
            ([me], self._of_member(id, ME)),
            ([typing] if announces_typing else [], self._of(id, "/typing")[1:]),
        )

    def leave(self, id: str) -> None:
        if self.conversations.pop(id, None) is not None:
            del self.members[id][ME]
            gone = ParticipantDeleted(conversation_id=id, user_id=ME)
            self._push(
                ([SideDeleted(conversation_id=id)], self._all_of(id)),
                ([gone], self._of_member(id, ME)),
            )

    def edit(self, id: str, **changes: Any) -> None:
        diff = ConversationDiff(**changes)
        if id in self.conversations:
            self.conversations[id] = patched(self.conversations[id], diff)
            self._tell([ConversationEdited(conversation_id=id, diff=diff)], self._of(id, ""))

    def edit_side(self, id: str, **changes: Any) -> None:
        if id in self.conversations:
            self._tell(self._side(id, **changes), self._of(id, ""))

    def edit_me(self, id: str, **changes: Any) -> None:
        if id in self.conversations:
            self.conversations[id] = patched(self.conversations[id], ParticipantDiff(**changes))
            self.edit_member(id, ME, **changes)

    # Who is there, and writes

    def enter(self, id: str, user: str) -> None:
        if user != ME and user not in self.members[id]:
            self.members[id][user] = it = a_participant(user, self.now())
            event = ParticipantCreated(conversation_id=id, user_id=user, state=it)
            self._tell_insiders(id, [event], self._of_member(id, user))

    def quit(self, id: str, user: str) -> None:
        if user != ME and user in self.members[id]:
            del self.members[id][user]
            event = ParticipantDeleted(conversation_id=id, user_id=user)
            self._tell_insiders(id, [event], self._of_member(id, user))

    def edit_member(self, id: str, user: str, **changes: Any) -> None:
        if user in self.members[id]:
            diff = ParticipantDiff(**changes)
            self.members[id][user] = patched(self.members[id][user], diff)
            event = ParticipantEdited(conversation_id=id, user_id=user, diff=diff)
            topics = self._of_member(id, user) + (self._of(id, "") if user == ME else [])
            self._tell_insiders(id, [event], topics)

    def write(self, id: str, user: str, is_writing: bool) -> None:
        if user == ME or is_writing == (user in self.writers[id]):
            return
        before = self.typing(id)
        if is_writing:
            self.writers[id][user] = self.now()
        else:
            del self.writers[id][user]
        after = self.typing(id)
        if after.many and before.many:
            return
        if after.many:
            diff = TypingDiff(many=True)
        elif before.many:
            diff = TypingDiff(many=False, users_typing={**self.writers[id]})
        else:
            diff = TypingDiff(users_typing={user: self.writers[id].get(user)})
        event = TypingChanged(conversation_id=id, diff=diff)
        self._tell_insiders(id, [event], self._of(id, "/typing")[1:])

    def typing(self, id: str) -> Typing:
        writers = self.writers[id]
        many = len(writers) > MANY
        return Typing(many=many, users_typing=None if many else {**writers})

    # What is said

    def say(
        self, id: str, sender: str | None, text: str = "hi", replies_to: int | None = None
    ) -> None:
        message = a_message(f"m{self.now()}", self._clock, sender, text)
        before = self.messages.setdefault(id, [])
        if replies_to is not None and before:
            referred = before[replies_to % len(before)].id
            message = structs.replace(message, referenced_message_id=referred)
        before.append(message)
        if id not in self.conversations:
            return
        created = MessageCreated(conversation_id=id, message_id=message.id, state=message)
        unread = self.conversations[id].unread_message_count + 1
        side = self._side(
            id, last_message_at=message.created_at, unread_message_count=unread, is_unread=True
        )
        self._tell_both(id, [created], side)

    def change(self, id: str, index: int, text: str) -> None:
        if (message := self.message(id, index)) is not None:
            diff = MessageDiff(content=(TextBlock((text,)),), edited_at=self.now())
            self._patch(id, message, diff)

    def react(self, id: str, index: int, user: str, emoji: str, is_added: bool) -> None:
        message = self.message(id, index)
        if message is None:
            return
        reactions = self.reactions[id, message.id, emoji]
        if is_added == (user in reactions):
            return
        before = message.reactions.get(emoji)
        event: Event
        if is_added:
            at = reactions[user] = self.now()
            event = ReactionAdded(
                conversation_id=id, message_id=message.id, emoji=emoji, user_id=user, created_at=at
            )
        else:
            del reactions[user]
            event = ReactionRemoved(
                conversation_id=id, message_id=message.id, emoji=emoji, user_id=user
            )
        count, mine = len(reactions), ME in reactions
        if before is None:
            diff: ReactionDiff = ReactionSummary(
                created_at=self._clock, count=count, current_user_reacted=mine
            )
        elif user == ME:
            diff = ReactionDiff(count=count, current_user_reacted=mine)
        else:
            diff = ReactionDiff(count=count)
        is_null = count == 0 and self._clock % 2
        self._patch(id, message, MessageDiff(reactions={emoji: None if is_null else diff}))
        path = wire.WATCH_REACTIONS.path(id, message.id, emoji)
        self._tell_insiders(id, [event], [("path", path)])

    def delete(self, id: str, index: int) -> None:
        gone = self.message(id, index)
        if gone is not None:
            self.messages[id] = messages = [
                structs.replace(it, referenced_message_id=None)
                if it.referenced_message_id == gone.id
                else it
                for it in self.messages[id]
                if it is not gone
            ]
            last = messages[-1] if messages else None
            event = MessageDeleted(conversation_id=id, message_id=gone.id, new_last_message=last)
            self._tell_both(id, [event], self._moved(id))

    def clear(self, id: str) -> None:
        if id in self.messages:
            self.messages[id] = []
            self._tell_both(id, [ConversationCleared(conversation_id=id)], self._moved(id))

    def message(self, id: str, index: int) -> Message | None:
        messages = self.messages.get(id)
        return messages[index % len(messages)] if messages else None

    def _patch(self, id: str, message: Message, diff: MessageDiff) -> None:
        messages = self.messages[id]
        messages[messages.index(message)] = patched(message, diff)
        event = MessageEdited(conversation_id=id, message_id=message.id, diff=diff)
        self._tell_insiders(id, [event], self._of(id, "/messages")[1:])

    def _moved(self, id: str) -> list[Event]:
        if id not in self.conversations:
            return []
        messages = self.messages[id]
        at = messages[-1].created_at if messages else self.conversations[id].joined_at
        return self._side(id, last_message_at=at)

    def _side(self, id: str, **changes: Any) -> list[Event]:
        diff = SideDiff(**changes)
        self.conversations[id] = patched(self.conversations[id], diff)
        return [SideEdited(conversation_id=id, diff=diff)]

    def _of(self, id: str, *parts: str) -> list[Topic]:
        mine = [("path", f"/me/conversations/{id}{part}") for part in parts]
        return [("path", "/me/conversations"), *mine]

    def _of_member(self, id: str, user: str) -> list[Topic]:
        one = wire.WATCH_PARTICIPANT.path(id, user)
        return [("path", wire.WATCH_PARTICIPANTS.path(id)), ("path", one)]

    def _all_of(self, id: str) -> list[Topic]:
        path = f"/me/conversations/{id}"
        below = [it for it in self.subscribed if it[1].startswith(f"{path}/")]
        return [("path", "/me/conversations"), ("path", path), *below]

    def _tell_both(self, id: str, messages: list[Event], side: list[Event]) -> None:
        """Tell of what becomes of messages: who reacted to them comes and goes with them."""
        if id in self.conversations:
            path = f"/me/conversations/{id}/messages"
            below = [it for it in self.subscribed if it[1].startswith(path)]
            self._push((messages, below), (side, self._of(id, "")))

    def _tell_insiders(self, id: str, events: list[Event], topics: list[Topic]) -> None:
        if id in self.conversations:
            self._tell(events, topics)

    def _tell(self, events: list[Event], topics: list[Topic]) -> None:
        self._push((events, topics))

    def _push(self, *told: tuple[list[Event], list[Topic]]) -> None:
        """Send one frame with what these subscriptions bring, if anything."""
        if frame := tuple(event for events, to in told for event in self._told(events, to)):
            self.frames.append(frame)

    def _told(self, events: list[Event], topics: list[Topic]) -> Iterator[Event]:
        if any(topic in self.subscribed for topic in topics):
            yield from events

    # What the client is answered

    def _result(self, ask: Ask) -> Any:
        if ask.endpoint is wire.GET_USERS:
            return {id: self.users[id] for id in ask.params.ids if id in self.users}
        if ask.endpoint is wire.GET_CONVERSATIONS:
            return self._list_page(ask)
        id, *rest = ask.ids
        if ask.endpoint is wire.GET_ONLINE:
            is_connected = id in self.online
            return Online(is_connected=is_connected) if id in self.users else NotFound("NO_USER")
        if id not in self.conversations:
            return NotFound("CONVERSATION_NOT_FOUND")
        if ask.endpoint is wire.GET_CONVERSATION:
            return self._expanded(self.conversations[id], ask)
        if ask.endpoint is wire.GET_MESSAGES:
            return self._page(ask, self.messages[id], lambda it: (-it.created_at, it.id), None)
        if ask.endpoint is wire.GET_PARTICIPANTS:
            members = [*self.members[id].values()]
            return self._page(ask, members, lambda it: (-it.joined_at, it.id), None)
        if ask.endpoint is wire.GET_PARTICIPANT:
            return self.members[id].get(rest[0]) or NotFound("PARTICIPANT_NOT_FOUND")
        if ask.endpoint is wire.GET_TYPING:
            return self.typing(id)
        message = self.find(id, rest[0])
        if message is None or ask.endpoint is wire.GET_MESSAGE:
            return message or NotFound("MESSAGE_NOT_FOUND")
        found = self.reactions[id, rest[0], rest[1]].items()
        reactions = [Reaction(user_id=user, created_at=at) for user, at in found]
        return self._page(ask, reactions, lambda it: (it.created_at, it.user_id), None)

    def find(self, id: str, message: str) -> Message | None:
        return next((it for it in self.messages[id] if it.id == message), None)

    def _list_page(self, ask: Ask) -> Page[Conversation]:
        cursor = ask.params.cursor
        filter: Filter | None = ask.params.filter
        if cursor is not UNSET:
            filter = self._cursors[int(cursor)][1]
        assert filter is not None
        found = [it for it in self.conversations.values() if matches(filter, it)]
        page = self._page(ask, found, lambda it: (-it.last_message_at, it.id), filter)
        return Page(tuple(self._expanded(it, ask) for it in page.data), page.cursor)

    def _page(
        self, ask: Ask, found: Sequence[Any], place: Callable[[Any], Any], filter: Filter | None
    ) -> Page[Any]:
        """A cursor names the place of the last item that was given, as that was then."""
        left = sorted(found, key=place)
        if ask.params.cursor is not UNSET:
            after = self._cursors[int(ask.params.cursor)][0]
            left = [it for it in left if place(it) > after]
        part, rest = left[: ask.params.limit], left[ask.params.limit :]
        if not rest:
            return Page(tuple(part))
        self._cursors.append((place(part[-1]), filter))
        return Page(tuple(part), str(len(self._cursors) - 1))

    def _expanded(self, conversation: Conversation, ask: Ask) -> Conversation:
        if not (self._expand and ask.params.expand):
            return conversation
        messages = self.messages[conversation.id]
        if not messages:
            return structs.replace(conversation, last_message=None)
        last = messages[-1]
        sender = self.users.get(last.sender_id) if last.sender_id else None
        return structs.replace(conversation, last_message=structs.replace(last, sender=sender))

    # What the client should see

    def user(self, id: str) -> UserSnapshot | None:
        return user_snapshot(self.users[id]) if id in self.users else None

    def shown(self, id: str, message: Message) -> MessageSnapshot:
        sender = self.user(message.sender_id or "")
        other = self.find(id, message.referenced_message_id or "")
        if other is None:
            return message_snapshot(message, sender)
        quoted = referenced_snapshot(other, self.user(other.sender_id or ""))
        return message_snapshot(message, sender, quoted)

    def conversation(self, id: str) -> ConversationSnapshot | None:
        if id not in self.conversations:
            return None
        messages = self.messages[id]
        last = self.shown(id, messages[-1]) if messages else None
        return conversation_snapshot(self.conversations[id], last)

    def unread(self, id: str) -> int:
        return self.conversations[id].unread_message_count if id in self.conversations else 0

    def window(self, id: str, n: int) -> Window[MessageSnapshot] | None:
        if id not in self.conversations:
            return None
        messages = [self.shown(id, it) for it in reversed(self.messages[id])]
        return Window(tuple(messages[:n]), len(messages) <= n)

    def listed(self, filter: Filter, n: int) -> Window[ConversationSnapshot]:
        found = [it for it in self.conversations.values() if matches(filter, it)]
        found.sort(key=lambda it: (-it.last_message_at, it.id))
        items = [it for found_ in found[:n] if (it := self.conversation(found_.id)) is not None]
        return Window(tuple(items), len(found) <= n)

    def total(self) -> int:
        return sum(it.unread_message_count for it in self.conversations.values())
