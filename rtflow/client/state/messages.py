"""Messages: the noun of what is said in conversations.

Not here: how a conversation's messages change (talk.py), who their senders are (users.py).

What a message replies to is shown with it, one level deep. If that is one of the newest messages,
it is known and kept fresh with them; if not, it is a part of its own (`SaidKey`) that is read by
itself.

A last message comes with a conversation before anybody holds it. It waits as a hint until it is
held. So does a message that leaves the known part while newer ones still reply to it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never

from msgspec import UNSET, UnsetType, structs

from rtflow.client.state.asks import FROM_START, NOTHING, WITH_LAST, Ask, Gap, Topic
from rtflow.client.state.keys import (
    Key,
    LastKey,
    MessageKey,
    MessagesKey,
    SaidKey,
    SideKey,
    UserKey,
)
from rtflow.client.state.noun import Notes, Noun
from rtflow.client.state.span import Span
from rtflow.client.state.talk import Item, Talk
from rtflow.client.state.users import Users
from rtflow.model.entities import Message, Page
from rtflow.model.events import (
    ConversationCleared,
    MessageCreated,
    MessageDeleted,
    MessageEdited,
    SideCreated,
    SideDeleted,
)
from rtflow.model.frozen import shared
from rtflow.model.params import ListPage
from rtflow.model.snapshots import MessageSnapshot, ReferencedMessageSnapshot, Window
from rtflow.wire.endpoints import (
    GET_CONVERSATION,
    GET_MESSAGE,
    GET_MESSAGES,
    UNWATCH_MESSAGES,
    WATCH_MESSAGES,
)

__all__ = ["Messages"]

MOST_MESSAGES: Final = 100  # in one page (protocol.md 5.8)

AnyMessages: TypeAlias = LastKey | MessagesKey | SaidKey | MessageKey
AboutMessages: TypeAlias = (
    MessageCreated
    | MessageEdited
    | MessageDeleted
    | ConversationCleared
    | SideCreated
    | SideDeleted
)


class Messages(Noun[AnyMessages]):
    """Messages, by conversation. None: there is no such message, or I am not in there."""

    kinds = (LastKey, MessagesKey, SaidKey, MessageKey)
    answers = (GET_MESSAGES, GET_MESSAGE)
    events = (
        MessageCreated,
        MessageEdited,
        MessageDeleted,
        ConversationCleared,
        SideCreated,
        SideDeleted,
    )

    def __init__(self, notes: Notes, users: Users) -> None:
        super().__init__(notes)
        self._users = users
        self._talks: dict[str, Talk] = {}  # of held keys
        self._hints: dict[str, Message | None] = {}
        self._trimmed: list[Talk] = []

    def load(self, id: str, page: Page[Message] | None, asked: str | UnsetType) -> None:
        """Take a page of messages: the newest (`asked` is `UNSET`), or those of a cursor."""
        talk = self._talks.get(id)
        if talk is None:
            return
        if page is None:
            self.left(id)
            return
        if asked is UNSET:
            talk.begin(map(self._introduce, page.data), page.cursor)
        elif isinstance(talk.span, Span) and talk.span.cursor == asked:
            talk.extend(map(self._introduce, page.data), page.cursor)
        else:
            return  # begun anew in the meantime
        self._notes.touch(LastKey(id), MessagesKey(id))

    def meet(self, id: str, last: Message | None) -> None:
        """Take the last message of a conversation, which came along with that."""
        last = self._introduce(last) if last else None
        talk = self._talks.get(id)
        if talk is None:
            self._hints[id] = last
            self._notes.has_hints = True
        else:
            talk.take_last(last)
            self._notes.touch(LastKey(id), MessagesKey(id))

    def left(self, id: str) -> None:
        """I am not in this conversation."""
        if (talk := self._talks.get(id)) is not None:
            talk.left()
            self._touch(id, talk, talk.wanted)
            self._notes.touch(LastKey(id), MessagesKey(id))

    def last(self, id: str) -> MessageSnapshot | UnsetType | None:
        """The last message of a conversation that I am in; None: there is none."""
        talk = self._talks.get(id)
        last = UNSET if talk is None else talk.last
        if talk is None or last is UNSET:
            return UNSET
        return None if last is None else self._shown(talk, talk.head(1)[0])

    # What a noun does

    def topic(self, key: AnyMessages) -> Topic | None:
        """See `Noun`: one for all that is said in a conversation."""
        if isinstance(key, MessageKey):
            return None
        return Topic(WATCH_MESSAGES, UNWATCH_MESSAGES, (key.conversation,))

    def hold(self, key: AnyMessages) -> None:
        """See `Noun`."""
        id = key.conversation
        if isinstance(key, MessageKey):
            return
        talk = self._talks.get(id)
        if talk is None:
            talk = self._talks[id] = Talk()
        match key:
            case SaidKey():
                talk.want(key.message)
            case LastKey():
                if id in self._hints and talk.span is UNSET:
                    self.meet(id, self._hints[id])
            case MessagesKey():
                pass
            case _:
                assert_never(key)

    def drop(self, key: AnyMessages) -> None:
        """See `Noun`."""
        id, held = key.conversation, self._notes.held
        if isinstance(key, MessageKey):
            return
        talk = self._talks[id]
        if isinstance(key, SaidKey):
            talk.unwant(key.message)
        if not (talk.wanted or LastKey(id) in held or MessagesKey(id) in held):
            del self._talks[id]

    def forget(self) -> None:
        """See `Noun`."""
        for talk in self._talks.values():
            talk.forget()

    def forget_hints(self) -> None:
        """What came along and is not held by now is not wanted."""
        self._hints.clear()
        for talk in self._trimmed:
            talk.cut = None
        self._trimmed.clear()

    def parts(self, key: AnyMessages) -> tuple[Key, ...] | None:
        """See `Noun`: the senders, and what is replied to."""
        id = key.conversation
        talk = self._talks.get(id)
        match key:
            case LastKey() | MessagesKey():
                assert talk is not None
                if talk.span is UNSET or (talk.span is not None and talk.last is UNSET):
                    return None
                return _around(id, talk, 1 if isinstance(key, LastKey) else self._notes.held[key])
            case SaidKey(_, message):
                assert talk is not None
                item = talk.get(message)
                if item is UNSET:
                    return None
                return _sender(item.message) if item else ()
            case MessageKey(_, message):
                item = talk.get(message) if talk else UNSET
                itself = SaidKey(id, message)
                replied = item.message.referenced_message_id if item else None
                return (itself,) if replied is None else (itself, SaidKey(id, replied))
            case _:
                assert_never(key)

    def gap(self, key: AnyMessages) -> Gap | None:
        """See `Noun`."""
        if isinstance(key, MessageKey):
            return None  # only its parts have one
        talk = self._talks[key.conversation]
        match key:
            case SaidKey():
                return FROM_START if talk.get(key.message) is UNSET else None
            case LastKey():
                return FROM_START if talk.span is not None and talk.last is UNSET else None
            case MessagesKey():
                size, span = self._notes.held[key], talk.span
                if span is None:
                    return None
                return Gap(UNSET, size) if span is UNSET else span.gap(size)
            case _:
                assert_never(key)

    def restart(self, key: AnyMessages) -> None:
        """See `Noun`."""
        span = self._talks[key.conversation].span
        if isinstance(span, Span):
            span.cursor = UNSET

    def reads(
        self, keys: Sequence[AnyMessages], gaps: Mapping[Key, Gap], *, expand: bool
    ) -> Iterator[Ask]:
        """See `Noun`: the last message comes with its conversation, or else with the newest."""
        for key in keys:
            id = key.conversation
            covers: tuple[Key, ...] = (key,)
            match key:
                case LastKey():
                    if expand:
                        covers = (key, SideKey(id)) if SideKey(id) in gaps else covers
                        yield Ask(GET_CONVERSATION, (id,), WITH_LAST, covers)
                    elif MessagesKey(id) not in gaps:
                        yield Ask(GET_MESSAGES, (id,), ListPage(limit=1), covers)
                case MessagesKey():
                    gap = gaps[key]
                    params = ListPage(limit=min(gap.count, MOST_MESSAGES), cursor=gap.cursor)
                    if LastKey(id) in gaps and not expand:
                        covers = (key, LastKey(id))
                    yield Ask(GET_MESSAGES, (id,), params, covers)
                case _:
                    assert isinstance(key, SaidKey)  # nothing else lacks anything itself
                    yield Ask(GET_MESSAGE, (id, key.message), NOTHING, covers)

    def take(self, ask: Ask, result: Any) -> None:  # Any: of one of two endpoints
        """See `Noun`."""
        id = ask.ids[0]
        if ask.endpoint is GET_MESSAGES:
            self.load(id, result, ask.cursor)
        elif (talk := self._talks.get(id)) is not None:
            message = self._introduce(result) if result else None
            self._touch(id, talk, talk.take_single(ask.ids[1], message))
            self._notes.touch(LastKey(id), MessagesKey(id))

    def apply(self, event: AboutMessages) -> None:
        """See `Noun`."""
        id = event.conversation_id
        talk = self._talks.get(id)
        if talk is None:
            return
        last = talk.last
        was_in_window = False
        match event:
            case MessageCreated(state=message):
                most = self._notes.held.get(MessagesKey(id), 1)
                changed = talk.created(self._introduce(message), most)
                if talk.cut:
                    self._trimmed.append(talk)
                    self._notes.has_hints = True
            case MessageEdited(message_id=message_id, diff=diff):
                changed = talk.edited(message_id, diff)
            case MessageDeleted(message_id=message_id, new_last_message=new):
                was_in_window = talk.shows(message_id)
                changed = talk.deleted(message_id, self._introduce(new) if new else new)
            case ConversationCleared():
                was_in_window = True
                changed = talk.cleared()
            case SideCreated():
                was_in_window = talk.span is None
                changed = talk.joined()
            case SideDeleted():
                self.left(id)
                return
            case _:
                assert_never(event)
        self._touch(id, talk, changed)
        if was_in_window or any(map(talk.shows, changed)):
            self._notes.touch(MessagesKey(id))
            if talk.last is not last or not last or last.referenced_message_id in changed:
                self._notes.touch(LastKey(id))

    def show(self, key: AnyMessages, n: int = 1) -> Any:  # Any: as in `Noun`
        """See `Noun`."""
        talk = self._talks.get(key.conversation)
        if talk is None:
            return UNSET
        match key:
            case LastKey():
                return self.last(key.conversation)
            case MessagesKey():
                return self._window(talk, n)
            case SaidKey():
                return self._quote(talk, key.message)
            case MessageKey():
                item = talk.get(key.message)
                return self._shown(talk, item) if item else item
            case _:
                assert_never(key)

    # Inside

    def _window(self, talk: Talk, n: int) -> Window[MessageSnapshot] | UnsetType | None:
        span = talk.span
        if span is None or span is UNSET:
            return span
        if not span.has(n):
            return UNSET
        items: list[MessageSnapshot] = []
        for item in talk.head(n):
            shown = self._shown(talk, item)
            if shown is UNSET:
                return UNSET
            items.append(shown)
        return Window(tuple(items), span.ends_within(n))

    def _shown(self, talk: Talk, item: Item) -> MessageSnapshot | UnsetType:
        message = item.message
        sender = self._users.sender(message)
        if sender is UNSET:
            return UNSET
        if message.referenced_message_id is None:
            return item.portrait(sender, None)
        referenced = self._quote(talk, message.referenced_message_id)
        return UNSET if referenced is UNSET else item.portrait(sender, referenced)

    def _quote(self, talk: Talk, id: str) -> ReferencedMessageSnapshot | UnsetType | None:
        item = talk.get(id)
        if item is None or item is UNSET:
            return item
        sender = self._users.sender(item.message)
        return UNSET if sender is UNSET else item.quote(sender)

    def _touch(self, id: str, talk: Talk, changed: Collection[str]) -> None:
        """These messages have changed: tell of those that are wanted by themselves."""
        for message in changed:
            if message in talk.wanted:
                self._notes.touch(SaidKey(id, message), MessageKey(id, message))

    def _introduce(self, message: Message) -> Message:
        """Take the sender that may come with a message; return the rest."""
        sender = message.sender
        if sender is UNSET:
            return message
        if message.sender_id is not None:
            self._users.meet(message.sender_id, sender)
        return structs.replace(
            message,
            sender=UNSET,
            custom=shared(message.custom),
            reactions=shared(message.reactions),
        )


def _around(id: str, talk: Talk, n: int) -> tuple[Key, ...]:
    """Return what is needed to show the newest `n` messages of a conversation."""
    senders: dict[str | None, None] = {}
    far: dict[str, None] = {}
    for item in talk.head(n):
        senders[item.message.sender_id] = None
        replied = item.message.referenced_message_id
        if replied is None:
            continue
        other = talk.get(replied)
        if other and talk.shows(replied):
            senders[other.message.sender_id] = None
        else:
            far[replied] = None
    users = [UserKey(sender) for sender in senders if sender is not None]
    return (*users, *(SaidKey(id, replied) for replied in far))


def _sender(message: Message) -> tuple[Key, ...]:
    return () if message.sender_id is None else (UserKey(message.sender_id),)
