"""Sides: the noun of conversations as I see them, one by one, in lists, and how much I have not
read of all of them.

Not here: how they move in and out of lists (conversations.py), what their last messages are
(messages.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never

from msgspec import UNSET, UnsetType, structs

from rtflow.client.state.asks import FROM_START, WITH_LAST, WITHOUT_LAST, Ask, Gap, Topic
from rtflow.client.state.conversations import Conversations
from rtflow.client.state.keys import ConversationKey, Key, LastKey, ListKey, SideKey, TotalKey
from rtflow.client.state.messages import Messages
from rtflow.client.state.noun import Notes, Noun
from rtflow.model.entities import Conversation, Page
from rtflow.model.events import (
    ConversationEdited,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
    SideEdited,
)
from rtflow.model.filters import ConversationFilter, Filter
from rtflow.model.frozen import shared
from rtflow.model.params import ConversationPage, Expand
from rtflow.model.snapshots import ConversationSnapshot, Window
from rtflow.wire.endpoints import (
    GET_CONVERSATION,
    GET_CONVERSATIONS,
    UNWATCH_CONVERSATION,
    UNWATCH_CONVERSATIONS,
    WATCH_CONVERSATION,
    WATCH_CONVERSATIONS,
)

__all__ = ["Sides"]

MOST_CONVERSATIONS: Final = 30  # in one page (protocol.md 5.8)
MOST_UNREAD: Final = 100
UNREAD: Final = ConversationFilter(is_unread=True)

AnySide: TypeAlias = SideKey | ConversationKey | ListKey | TotalKey
AboutSides: TypeAlias = (
    SideCreated | SideEdited | SideDeleted | ConversationEdited | ParticipantEdited
)


class Sides(Noun[AnySide]):
    """My conversations. `me` is the user's id."""

    kinds = (SideKey, ConversationKey, ListKey, TotalKey)
    answers = (GET_CONVERSATION, GET_CONVERSATIONS)
    events = (SideCreated, SideEdited, SideDeleted, ConversationEdited, ParticipantEdited)

    def __init__(self, notes: Notes, me: str, messages: Messages) -> None:
        super().__init__(notes)
        self._me, self._messages = me, messages
        self.known = Conversations()

    def load(self, id: str, conversation: Conversation | None) -> None:
        """Take what a conversation is now, with its last message if that was asked for."""
        if conversation is None:
            self._touch(self.known.put(id, None))
            self._messages.left(id)
        else:
            self._touch(self.known.put(id, self._introduce(conversation)))

    def load_list(self, key: ListKey, page: Page[Conversation], asked: str | UnsetType) -> None:
        """Take a page of a list of conversations."""
        if key in self._notes.held:
            known = Page(tuple(map(self._introduce, page.data)), page.cursor)
            self._touch(self.known.load_list(key, known, asked))

    def load_total(self, page: Page[Conversation], asked: str | UnsetType) -> None:
        """Take a page of my unread conversations."""
        if TotalKey() in self._notes.held:
            self._touch(self.known.load_total(page, asked))

    # What a noun does

    def topic(self, key: AnySide) -> Topic | None:
        """See `Noun`."""
        match key:
            case SideKey(id):
                return Topic(WATCH_CONVERSATION, UNWATCH_CONVERSATION, (id,))
            case ListKey() | TotalKey():
                return Topic(WATCH_CONVERSATIONS, UNWATCH_CONVERSATIONS, ())
            case ConversationKey():
                return None
            case _:
                assert_never(key)

    def hold(self, key: AnySide) -> None:
        """See `Noun`."""
        if isinstance(key, SideKey):
            self.known.sides.add(key.conversation)

    def drop(self, key: AnySide) -> None:
        """See `Noun`."""
        match key:
            case SideKey(id):
                self.known.sides.discard(id)
                self.known.sweep((id,))
            case ListKey():
                self.known.drop_list(key)
            case TotalKey():
                self.known.drop_total()
            case ConversationKey():
                pass
            case _:
                assert_never(key)

    def forget(self) -> None:
        """See `Noun`."""
        self.known.forget()

    def parts(self, key: AnySide) -> tuple[Key, ...] | None:
        """See `Noun`."""
        match key:
            case ConversationKey(id):
                return (SideKey(id), LastKey(id))
            case ListKey():
                if self.gap(key) is not None:
                    return None
                return tuple(map(LastKey, self.known.lists[key].head(self._notes.held[key])))
            case SideKey() | TotalKey():
                return ()
            case _:
                assert_never(key)

    def gap(self, key: AnySide) -> Gap | None:
        """See `Noun`."""
        match key:
            case SideKey(id):
                return FROM_START if self.known.get(id) is UNSET else None
            case ListKey():
                size = self._notes.held[key]
                span = self.known.lists.get(key)
                return Gap(UNSET, size) if span is None else span.gap(size)
            case TotalKey():
                cursor = self.known.cursor
                return None if cursor is None else Gap(cursor, 1)
            case ConversationKey():
                return None  # only its parts have one
            case _:
                assert_never(key)

    def restart(self, key: AnySide) -> None:
        """See `Noun`."""
        if isinstance(key, TotalKey):
            self.known.cursor = UNSET
        else:
            assert isinstance(key, ListKey)  # nothing else has pages
            self.known.lists[key].cursor = UNSET

    def reads(
        self, keys: Sequence[AnySide], gaps: Mapping[Key, Gap], *, expand: bool
    ) -> Iterator[Ask]:
        """See `Noun`: a conversation whose last message is read, too, comes with that."""
        for key in keys:
            match key:
                case SideKey(id):
                    if not (expand and LastKey(id) in gaps):
                        yield Ask(GET_CONVERSATION, (id,), WITHOUT_LAST, (key,))
                case ListKey(filter):
                    limit = min(gaps[key].count, MOST_CONVERSATIONS)
                    wish = WITH_LAST.expand if expand else ()
                    yield _page(key, limit, filter, gaps[key].cursor, wish)
                case _:
                    yield _page(key, MOST_UNREAD, UNREAD, gaps[key].cursor, ())

    def take(self, ask: Ask, result: Any) -> None:  # Any: of one of two endpoints
        """See `Noun`."""
        if ask.endpoint is GET_CONVERSATION:
            self.load(ask.ids[0], result)
            return
        page: Page[Conversation] = Page(()) if result is None else result
        match ask.covers[0]:
            case ListKey() as key:
                self.load_list(key, page, ask.cursor)
            case _:
                self.load_total(page, ask.cursor)

    def apply(self, event: AboutSides) -> None:
        """See `Noun`."""
        id = event.conversation_id
        match event:
            case SideEdited() | ConversationEdited():
                self._touch(self.known.edit(id, event.diff))
            case ParticipantEdited():
                if event.user_id == self._me:
                    self._touch(self.known.edit(id, event.diff))
            case SideCreated():
                self._touch(self.known.put(id, self._introduce(event.state)))
            case SideDeleted():
                self._touch(self.known.put(id, None))
            case _:
                assert_never(event)

    def show(self, key: AnySide, n: int = 1) -> Any:  # Any: as in `Noun`
        """See `Noun`; of a side, the conversation as it travels."""
        match key:
            case SideKey(id):
                return self.known.get(id)
            case ConversationKey(id):
                return self._conversation(id)
            case ListKey():
                return self._list(key, n)
            case TotalKey():
                return self.known.total if self.known.cursor is None else UNSET
            case _:
                assert_never(key)

    # Inside

    def _conversation(self, id: str) -> ConversationSnapshot | UnsetType | None:
        side = self.known.get(id)
        if side is None or side is UNSET:
            return side
        last = self._messages.last(id)
        return UNSET if last is UNSET else self.known.portrait(side, last)

    def _list(self, key: ListKey, n: int) -> Window[ConversationSnapshot] | UnsetType:
        span = self.known.lists.get(key)
        if span is None or not span.has(n) or self.known.lacks_mine(key):
            return UNSET
        items: list[ConversationSnapshot] = []
        for id in span.head(n):
            shown = self._conversation(id)
            if not shown:
                return UNSET
            items.append(shown)
        return Window(tuple(items), span.ends_within(n))

    def _touch(self, keys: Sequence[Key]) -> None:
        self._notes.touch(*keys)
        for key in keys:
            if isinstance(key, ListKey):
                self.known.trim(key, self._notes.held[key])

    def _introduce(self, conversation: Conversation) -> Conversation:
        """Take the last message that may come with a conversation; return the rest."""
        last = conversation.last_message
        if last is UNSET:
            return conversation
        self._messages.meet(conversation.id, last)
        return structs.replace(conversation, last_message=UNSET, custom=shared(conversation.custom))


def _page(key: Key, limit: int, filter: Filter, cursor: str | UnsetType, expand: Expand) -> Ask:
    params = ConversationPage(
        limit=limit,
        filter=filter if cursor is UNSET else UNSET,  # a cursor carries it
        cursor=cursor,
        expand=expand,
    )
    return Ask(GET_CONVERSATIONS, (), params, (key,))
