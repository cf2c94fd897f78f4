"""Messages: the noun of what is said in conversations.

Not here: how a conversation's messages change (talk.py), who their senders are (users.py).

A last message comes with a conversation before anybody holds it. It waits as a hint until it is
held.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never

from msgspec import UNSET, UnsetType, structs

from rtflow.client.state.asks import FROM_START, WITH_LAST, Ask, Gap, Topic
from rtflow.client.state.keys import Key, LastKey, MessagesKey, SideKey, UserKey
from rtflow.client.state.noun import Notes, Noun
from rtflow.client.state.talk import MessageList
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
from rtflow.model.params import ListPage
from rtflow.model.snapshots import MessageSnapshot, Window
from rtflow.wire.endpoints import (
    GET_CONVERSATION,
    GET_MESSAGES,
    UNWATCH_MESSAGES,
    WATCH_MESSAGES,
)

__all__ = ["Messages"]

MOST_MESSAGES: Final = 100  # in one page (protocol.md 5.8)

AnyMessages: TypeAlias = LastKey | MessagesKey
AboutMessages: TypeAlias = MessageCreated | MessageEdited | MessageDeleted | ConversationCleared


class Messages(Noun[AnyMessages]):
    """Messages by conversation. None: I am not in it."""

    kinds = (LastKey, MessagesKey)
    answers = (GET_MESSAGES,)
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
        self._known: dict[str, MessageList | None] = {}
        self._hints: dict[str, Message | None] = {}

    def load(self, id: str, page: Page[Message] | None, asked: str | UnsetType) -> None:
        """Take a page of messages: the newest (`asked` is `UNSET`), or those of a cursor."""
        if not self._is_held(id):
            return
        messages = self._known.get(id)
        if page is None:
            self._known[id] = None
        elif asked is UNSET:
            self._known[id] = MessageList(map(self._introduce, page.data), page.cursor)
        elif messages is None or messages.span.cursor != asked:
            return  # begun anew in the meantime
        else:
            messages.extend(map(self._introduce, page.data), page.cursor)
        self._notes.touch(LastKey(id), MessagesKey(id))

    def meet(self, id: str, last: Message | None) -> None:
        """Take the last message of a conversation, which came along with that."""
        last = self._introduce(last) if last else None
        if self._is_held(id):
            self._load_last(id, last)
        else:
            self._hints[id] = last

    def left(self, id: str) -> None:
        """I am not in this conversation."""
        if self._is_held(id):
            self._known[id] = None
            self._notes.touch(LastKey(id), MessagesKey(id))

    def last(self, id: str) -> MessageSnapshot | UnsetType | None:
        """The last message of a conversation that I am in; None: there is none."""
        messages = self._known.get(id)
        last = messages.last if messages else UNSET
        if messages is None or last is UNSET:
            return UNSET
        return None if last is None else self._shown(messages, last)

    # What a noun does

    def topic(self, key: AnyMessages) -> Topic:
        """See `Noun`."""
        return Topic(WATCH_MESSAGES, UNWATCH_MESSAGES, (key.conversation,))

    def hold(self, key: AnyMessages) -> None:
        """See `Noun`."""
        id = key.conversation
        if isinstance(key, LastKey) and id in self._hints and id not in self._known:
            self._load_last(id, self._hints[id])

    def drop(self, key: AnyMessages) -> None:
        """See `Noun`."""
        if not self._is_held(key.conversation):
            self._known.pop(key.conversation, None)

    def forget(self) -> None:
        """See `Noun`."""
        self._known.clear()

    def forget_hints(self) -> None:
        """See `Noun`."""
        self._hints.clear()

    def parts(self, key: AnyMessages) -> tuple[Key, ...] | None:
        """See `Noun`: the senders."""
        messages = self._known.get(key.conversation, UNSET)
        if messages is UNSET or (messages and messages.last is UNSET):
            return None
        n = 1 if isinstance(key, LastKey) else self._notes.held[key]
        shown = messages.head(n) if messages else ()
        senders = dict.fromkeys(it.sender_id for it in shown)
        return tuple(UserKey(id) for id in senders if id is not None)

    def gap(self, key: AnyMessages) -> Gap | None:
        """See `Noun`."""
        messages = self._known.get(key.conversation, UNSET)
        if messages is None:
            return None
        match key:
            case LastKey():
                return FROM_START if messages is UNSET or messages.last is UNSET else None
            case MessagesKey():
                size = self._notes.held[key]
                return Gap(UNSET, size) if messages is UNSET else messages.span.gap(size)
            case _:
                assert_never(key)

    def reads(
        self, keys: Sequence[AnyMessages], gaps: Mapping[Key, Gap], *, expand: bool
    ) -> Iterator[Ask]:
        """See `Noun`: the last message comes with its conversation, or else with the newest."""
        for key in keys:
            id = key.conversation
            last, side = LastKey(id), SideKey(id)
            match key:
                case LastKey():
                    if expand:
                        covers = (key, side) if side in gaps else (key,)
                        yield Ask(GET_CONVERSATION, (id,), WITH_LAST, covers)
                    elif MessagesKey(id) not in gaps:
                        yield Ask(GET_MESSAGES, (id,), ListPage(limit=1), (key,))
                case MessagesKey():
                    gap = gaps[key]
                    params = ListPage(limit=min(gap.count, MOST_MESSAGES), cursor=gap.cursor)
                    covers_ = (key, last) if last in gaps and not expand else (key,)
                    yield Ask(GET_MESSAGES, (id,), params, covers_)
                case _:
                    assert_never(key)

    def take(self, ask: Ask, result: Page[Message] | None) -> None:
        """See `Noun`."""
        self.load(ask.ids[0], result, ask.params.cursor)

    def apply(self, event: AboutMessages | SideCreated | SideDeleted) -> None:
        """See `Noun`."""
        match event:
            case SideCreated(conversation_id=id):
                if self._known.get(id, UNSET) is None:
                    del self._known[id]  # to be read: only the conversation itself comes with it
                    self._notes.touch(LastKey(id), MessagesKey(id))
            case SideDeleted(conversation_id=id):
                self.left(id)
            case _:
                self._change(event)

    def show(self, key: AnyMessages, n: int) -> Any:  # Any: as in `Noun`
        """See `Noun`."""
        match key:
            case LastKey(id):
                return self.last(id)
            case MessagesKey(id):
                return self._window(id, n)
            case _:
                assert_never(key)

    # Inside

    def _window(self, id: str, n: int) -> Window[MessageSnapshot] | UnsetType | None:
        messages = self._known.get(id, UNSET)
        if messages is None or messages is UNSET:
            return messages
        if not messages.span.has(n):
            return UNSET
        items: list[MessageSnapshot] = []
        for message in messages.head(n):
            shown = self._shown(messages, message)
            if shown is UNSET:
                return UNSET
            items.append(shown)
        return Window(tuple(items), messages.span.ends_within(n))

    def _change(self, event: AboutMessages) -> None:
        id = event.conversation_id
        messages = self._known.get(id)
        if messages is None:
            return
        last = messages.last
        match event:
            case MessageCreated(state=message):
                most = self._notes.held.get(MessagesKey(id), 1)
                has_changed = messages.created(self._introduce(message), most)
            case MessageEdited(message_id=message_id, diff=diff):
                has_changed = messages.edited(message_id, diff)
            case MessageDeleted(message_id=message_id, new_last_message=new):
                has_changed = messages.deleted(message_id, self._introduce(new) if new else new)
            case _:
                has_changed = messages.cleared()
        if has_changed:
            self._notes.touch(MessagesKey(id))
            if messages.last is not last:
                self._notes.touch(LastKey(id))

    def _is_held(self, id: str) -> bool:
        return LastKey(id) in self._notes.held or MessagesKey(id) in self._notes.held

    def _load_last(self, id: str, last: Message | None) -> None:
        known = self._known.get(id)
        if known is None or known.span.cursor is UNSET or known.last is UNSET:
            self._known[id] = MessageList((last,), UNSET) if last else MessageList()
        elif last:
            known.put(last)
        self._notes.touch(LastKey(id), MessagesKey(id))

    def _introduce(self, message: Message) -> Message:
        """Take the sender that may come with a message; return the rest."""
        sender = message.sender
        if sender is UNSET:
            return message
        if message.sender_id is not None:
            self._users.meet(message.sender_id, sender)
        return structs.replace(message, sender=UNSET)

    def _shown(self, messages: MessageList, message: Message) -> MessageSnapshot | UnsetType:
        sender = None if message.sender_id is None else self._users.get(message.sender_id)
        return UNSET if sender is UNSET else messages.portrait(message, sender)
