"""State: what is known of the server's data, changed by events and by answers. No I/O, no clock.

Not here: who wants to know what (rtflow.client.registry). Only what is held is kept. `UNSET` means
"not known", None "it does not exist, or I may not see it". An event about something that is not
known is ignored: the answer that makes it known includes it (protocol.md 2.2). An event applied
twice changes nothing the second time.

A sender, or a list's last messages, come with answers before anybody holds them. They wait as
*hints* until the registry has asked for `parts`, and are forgotten with `forget_hints`.
"""

from collections.abc import Iterable, Set
from typing import TypeAlias, assert_never

from msgspec import UNSET, Struct, UnsetType, structs

from rtflow.client.state.conversations import Conversations
from rtflow.client.state.keys import (
    ConversationKey,
    Key,
    LastKey,
    ListKey,
    MessagesKey,
    SideKey,
    TotalKey,
    UserKey,
)
from rtflow.client.state.messages import MessageList
from rtflow.client.state.portraits import conversation_snapshot
from rtflow.client.state.users import Users
from rtflow.model.entities import Conversation, Message, Page, User
from rtflow.model.events import (
    ConversationCleared,
    ConversationEdited,
    Event,
    MessageCreated,
    MessageDeleted,
    MessageEdited,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
    SideEdited,
    UserCreated,
    UserEdited,
)
from rtflow.model.snapshots import ConversationSnapshot, MessageSnapshot, UserSnapshot, Window

__all__ = ["Gap", "State"]

AboutMessages: TypeAlias = MessageCreated | MessageEdited | MessageDeleted | ConversationCleared


class Gap(Struct, frozen=True):
    """What lacks of a key: `count` items from the start (`UNSET`) or from a cursor."""

    cursor: str | UnsetType
    count: int


class State:
    """What one user's session knows. `me` is the user's id."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._held: dict[Key, int] = {}
        self._users = Users()
        self._messages: dict[str, MessageList | None] = {}
        self._conversations = Conversations()
        self.writing = self._conversations.writing
        """Conversations that this session is writing to: lists wait for what comes of it."""
        self._portraits: dict[
            str, tuple[Conversation, MessageSnapshot | None, ConversationSnapshot]
        ]
        self._portraits = {}
        self._last_hints: dict[str, Message | None] = {}
        self._touched: dict[Key, None] = {}  # in order

    # What is held

    def hold(self, key: Key, size: int = 1) -> None:
        """Keep a key from now on; of a list, `size` items."""
        self._held[key] = size
        match key:
            case UserKey(id):
                self._touch_user(id, self._users.hold(id))
            case LastKey(id) if id in self._last_hints and id not in self._messages:
                self._load_last(id, self._last_hints[id])
            case SideKey(id):
                self._conversations.sides.add(id)
            case _:
                pass

    def drop(self, key: Key) -> None:
        """Forget a key."""
        del self._held[key]
        match key:
            case UserKey(id):
                self._users.drop(id)
            case SideKey(id):
                self._conversations.sides.discard(id)
                self._conversations.sweep((id,))
            case LastKey(id) | MessagesKey(id):
                if isinstance(key, LastKey):
                    self._portraits.pop(id, None)
                if not self._holds_messages(id):
                    self._messages.pop(id, None)
            case ListKey():
                self._conversations.drop_list(key)
            case TotalKey():
                self._conversations.drop_total()
            case _:
                pass

    def forget(self) -> None:
        """Know nothing any more, of what is held too: the connection was lost."""
        self._users.forget()
        self._messages.clear()
        self._conversations.forget()
        self._portraits.clear()

    def forget_hints(self) -> None:
        """Whoever came with the last answers and is not held by now is not wanted."""
        self._users.forget_hints()
        self._last_hints.clear()

    def take_touched(self) -> Iterable[Key]:
        """Return the keys that have changed since the last call, in order."""
        touched, self._touched = self._touched, {}
        return touched

    @property
    def strangers(self) -> Set[str]:
        """Conversations that may have moved into a list and are not known: to be read."""
        return self._conversations.strangers.keys()

    # What it is made of, and what lacks

    def parts(self, key: Key) -> tuple[Key, ...] | None:
        """Return the keys that are needed to show this one; None: not known, so as before."""
        match key:
            case UserKey() | SideKey() | TotalKey():
                return ()
            case ConversationKey(id):
                return (SideKey(id), LastKey(id))
            case LastKey(id):
                return self._senders(id, 1)
            case MessagesKey(id):
                return self._senders(id, self._held[key])
            case ListKey():
                if self.gap(key) is not None:
                    return None
                span = self._conversations.lists[key]
                return tuple(map(LastKey, span.head(self._held[key])))
            case _:
                assert_never(key)

    def gap(self, key: Key, *, anew: bool = False) -> Gap | None:
        """Return what has to be read of a held key, if anything; `anew`: as if none were known."""
        if anew:
            return None if isinstance(key, ConversationKey) else Gap(UNSET, self._held[key])
        match key:
            case ConversationKey():
                return None
            case UserKey(id):
                return None if self._users.get(id) is not UNSET else FROM_START
            case SideKey(id):
                return None if self._conversations.get(id) is not UNSET else FROM_START
            case LastKey(id):
                messages = self._messages.get(id, UNSET)
                is_known = messages is None or (messages and messages.last is not UNSET)
                return None if is_known else FROM_START
            case MessagesKey(id):
                messages = self._messages.get(id, UNSET)
                if messages is None:
                    return None
                span = messages.span if messages else None
            case ListKey():
                span = self._conversations.lists.get(key)
            case TotalKey():
                cursor = self._conversations.cursor
                return None if cursor is None else Gap(cursor, 1)
            case _:
                assert_never(key)
        size = self._held[key]
        if span is None:
            return Gap(UNSET, size)
        if span.cursor is None or len(span) >= size:
            return None
        return Gap(span.cursor, size if span.cursor is UNSET else size - len(span))

    # Answers

    def load_user(self, id: str, user: User | None) -> None:
        """Take what a user is now."""
        self._touch_user(id, self._users.load(id, user))

    def load_conversation(self, id: str, conversation: Conversation | None) -> None:
        """Take what a conversation is now, with its last message if that was asked for."""
        if conversation is None:
            self._leave(id)
            return
        self._touch(self._conversations.put(id, self._introduce(conversation)))

    def load_messages(self, id: str, page: Page[Message] | None, asked: str | UnsetType) -> None:
        """Take a page of messages: the newest (`asked` is `UNSET`), or those of a cursor."""
        if not self._holds_messages(id):
            return
        messages = self._messages.get(id)
        if page is None:
            self._messages[id] = None
        elif asked is UNSET:
            self._messages[id] = MessageList(map(self._meet, page.data), page.cursor)
        elif messages is None or messages.span.cursor != asked:
            return  # begun anew in the meantime
        else:
            messages.extend(map(self._meet, page.data), page.cursor)
        self._touch((LastKey(id), MessagesKey(id)))

    def load_list(self, key: ListKey, page: Page[Conversation], asked: str | UnsetType) -> None:
        """Take a page of a list of conversations."""
        if key in self._held:
            known = Page(tuple(map(self._introduce, page.data)), page.cursor)
            self._touch(self._conversations.load_list(key, known, asked))

    def load_total(self, page: Page[Conversation], asked: str | UnsetType) -> None:
        """Take a page of my unread conversations."""
        if TotalKey() in self._held:
            self._touch(self._conversations.load_total(page, asked))

    # Events

    def apply(self, event: Event) -> None:
        """Take what happened."""
        match event:
            case SideEdited() | ConversationEdited():
                self._touch(self._conversations.edit(event.conversation_id, event.diff))
            case MessageCreated() | MessageEdited() | MessageDeleted() | ConversationCleared():
                self._apply_to_messages(event)
            case UserEdited(user_id=id, diff=diff):
                self._touch_user(id, self._users.edited(id, diff))
            case UserCreated(user_id=id, state=user):
                self._touch_user(id, self._users.created(id, user))
            case ParticipantEdited(conversation_id=id, user_id=user_id, diff=diff):
                if user_id == self._me:
                    self._touch(self._conversations.edit(id, diff))
            case SideCreated(conversation_id=id, state=conversation):
                if self._messages.get(id, UNSET) is None:
                    del self._messages[id]  # to be read: only the conversation itself comes with it
                    self._touch((LastKey(id), MessagesKey(id)))
                self._touch(self._conversations.put(id, self._introduce(conversation)))
            case SideDeleted(conversation_id=id):
                self._leave(id)
            case _:
                pass  # nothing of this is shown yet

    # What is seen of it

    def user(self, id: str) -> UserSnapshot | UnsetType | None:
        """A user."""
        return self._users.get(id)

    def side(self, id: str) -> Conversation | UnsetType | None:
        """A conversation, raw."""
        return self._conversations.get(id)

    def conversation(self, id: str) -> ConversationSnapshot | UnsetType | None:
        """A conversation with its last message."""
        side = self._conversations.get(id)
        messages = self._messages.get(id, UNSET)
        if side is None or side is UNSET:
            return side
        if not messages:
            return UNSET
        last = messages.last
        if last is UNSET:
            return UNSET
        shown = self._shown(messages, last) if last else None
        if shown is UNSET:
            return UNSET
        made = self._portraits.get(id)
        if made is None or made[0] is not side or made[1] is not shown:
            made = self._portraits[id] = (side, shown, conversation_snapshot(side, shown))
        return made[2]

    def messages(self, id: str, n: int) -> Window[MessageSnapshot] | UnsetType | None:
        """The newest `n` messages of a conversation."""
        messages = self._messages.get(id, UNSET)
        if messages is None or messages is UNSET:
            return messages
        if len(messages.span) < n and not messages.span.is_whole:
            return UNSET
        items: list[MessageSnapshot] = []
        for message in messages.head(n):
            shown = self._shown(messages, message)
            if shown is UNSET:
                return UNSET
            items.append(shown)
        return Window(tuple(items), messages.span.is_whole and len(messages.span) <= n)

    def conversations(self, key: ListKey, n: int) -> Window[ConversationSnapshot] | UnsetType:
        """The first `n` conversations of a list."""
        span = self._conversations.lists.get(key)
        if span is None or (len(span) < n and not span.is_whole):
            return UNSET
        if self._conversations.lacks_mine(key):
            return UNSET
        items: list[ConversationSnapshot] = []
        for id in span.head(n):
            shown = self.conversation(id)
            if not shown:
                return UNSET
            items.append(shown)
        return Window(tuple(items), span.is_whole and len(span) <= n)

    def total(self) -> int | UnsetType:
        """How many messages I have not read."""
        return self._conversations.total if self._conversations.cursor is None else UNSET

    # Inside

    def _touch(self, keys: Iterable[Key]) -> None:
        for key in tuple(keys):  # first all of it happens, then lists may be cut
            self._touched[key] = None
            if isinstance(key, ListKey):
                self._conversations.trim(key, self._held[key])

    def _apply_to_messages(self, event: AboutMessages) -> None:
        id = event.conversation_id
        messages = self._messages.get(id)
        if messages is None:
            return
        last = messages.last
        match event:
            case MessageCreated(state=message):
                most = self._held.get(MessagesKey(id), 1)
                has_changed = messages.created(self._meet(message), most)
            case MessageEdited(message_id=message_id, diff=diff):
                has_changed = messages.edited(message_id, diff)
            case MessageDeleted(message_id=message_id, new_last_message=new):
                has_changed = messages.deleted(message_id, self._meet(new) if new else new)
            case _:
                has_changed = messages.cleared()
        if has_changed:
            self._touched[MessagesKey(id)] = None
            if messages.last is not last:
                self._touched[LastKey(id)] = None

    def _touch_user(self, id: str, has_changed: bool) -> None:
        if has_changed:
            self._touched[UserKey(id)] = None

    def _holds_messages(self, id: str) -> bool:
        return LastKey(id) in self._held or MessagesKey(id) in self._held

    def _leave(self, id: str) -> None:
        self._touch(self._conversations.put(id, None))
        if self._holds_messages(id):
            self._messages[id] = None
            self._touch((LastKey(id), MessagesKey(id)))

    def _introduce(self, conversation: Conversation) -> Conversation:
        """Take the last message that may come with a conversation; return the rest."""
        last = conversation.last_message
        if last is UNSET:
            return conversation
        last = self._meet(last) if last else None
        if self._holds_messages(conversation.id):
            self._load_last(conversation.id, last)
        else:
            self._last_hints[conversation.id] = last
        return structs.replace(conversation, last_message=UNSET)

    def _load_last(self, id: str, last: Message | None) -> None:
        known = self._messages.get(id)
        if known is None or known.span.cursor is UNSET or known.last is UNSET:
            self._messages[id] = MessageList((last,), UNSET) if last else MessageList()
        elif last:
            known.put(last)
        self._touch((LastKey(id), MessagesKey(id)))

    def _meet(self, message: Message) -> Message:
        """Take the sender that may come with a message; return the rest."""
        sender = message.sender
        if sender is UNSET:
            return message
        if message.sender_id is not None:
            self._touch_user(message.sender_id, self._users.meet(message.sender_id, sender))
        return structs.replace(message, sender=UNSET)

    def _senders(self, id: str, n: int) -> tuple[Key, ...] | None:
        messages = self._messages.get(id, UNSET)
        if messages is UNSET or (messages and messages.last is UNSET):
            return None
        shown = messages.head(n) if messages else ()
        senders = dict.fromkeys(it.sender_id for it in shown)
        return tuple(UserKey(id) for id in senders if id is not None)

    def _shown(self, messages: MessageList, message: Message) -> MessageSnapshot | UnsetType:
        sender = None if message.sender_id is None else self._users.get(message.sender_id)
        return UNSET if sender is UNSET else messages.portrait(message, sender)


FROM_START = Gap(UNSET, 1)
