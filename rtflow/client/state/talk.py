"""Talk: what is known of the messages of one conversation, changed by events and pages.

Not here: senders (users.py), who wants to know (messages.py).

Two things may be known: the newest part of all messages (`span`), and single messages that are
wanted for themselves, wherever they stand: one that somebody looks at, or that another one replies
to. A message that is both is kept once, so what changes one changes the other.

Invariants: every id of `span` has an item; an item outside of it is wanted, or was cut off just
now; messages carry no `sender`. A message that is deleted is no longer referred to.
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec import UNSET, UnsetType, structs

from rtflow.client.few import Few, adding, removing
from rtflow.client.state.portraits import message_snapshot, patched, referenced_snapshot
from rtflow.client.state.span import Span
from rtflow.model.entities import Message
from rtflow.model.events import MessageDiff
from rtflow.model.snapshots import MessageSnapshot, ReferencedMessageSnapshot, UserSnapshot

__all__ = ["Item", "Talk"]


class Item:
    """A message, and its portraits as they were made last: of what."""

    __slots__ = ("_of", "_portrait", "_quote", "_quote_of", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._portrait: MessageSnapshot | None = None
        self._of: tuple[Message, UserSnapshot | None, ReferencedMessageSnapshot | None]
        self._quote: ReferencedMessageSnapshot | None = None
        self._quote_of: tuple[Message, UserSnapshot | None]

    def portrait(
        self, sender: UserSnapshot | None, referenced: ReferencedMessageSnapshot | None
    ) -> MessageSnapshot:
        """What users see of it; made anew only when it or one of the others changed."""
        shown = self._portrait
        if shown is not None:
            message, by, replied = self._of
            if message is self.message and by is sender and replied is referenced:
                return shown
        self._of = (self.message, sender, referenced)
        shown = self._portrait = message_snapshot(self.message, sender, referenced)
        return shown

    def quote(self, sender: UserSnapshot | None) -> ReferencedMessageSnapshot:
        """What users see of it where another one replies to it."""
        shown = self._quote
        if shown is not None:
            message, by = self._quote_of
            if message is self.message and by is sender:
                return shown
        self._quote_of = (self.message, sender)
        shown = self._quote = referenced_snapshot(self.message, sender)
        return shown


class Talk:
    """The messages of a conversation. `wanted` are the ids of those that are wanted by themselves.

    `span` is `UNSET` when the newest ones are not known, None when I am not in the conversation.
    Events return the ids of what has changed.
    """

    __slots__ = ("_items", "cut", "span", "wanted")

    def __init__(self) -> None:
        self.span: Span | UnsetType | None = UNSET
        self.wanted: Few[str] = ()
        self.cut: dict[str, Item] | None = None
        """What the last events left beyond the known part, if anything."""
        self._items: dict[str, Item | None] = {}  # None: there is no such message

    def forget(self) -> None:
        """Know nothing any more."""
        self.span = UNSET
        self._items.clear()

    # The newest ones

    @property
    def last(self) -> Message | UnsetType | None:
        """The newest message; None: there is none; `UNSET`: it is not known."""
        if not isinstance(self.span, Span):
            return UNSET
        first = self.span.first
        if first is not None:
            return self._there(first).message
        return None if self.span.is_whole else UNSET

    def head(self, n: int) -> Sequence[Item]:
        """The newest `n` messages, or as many as are known."""
        if not isinstance(self.span, Span):
            return ()
        items = self._items
        return [
            item for id in self.span.head(n) if (item := items[id]) is not None
        ]  # all are there

    def shows(self, id: str) -> bool:
        """Whether a message is in the newest part."""
        return isinstance(self.span, Span) and id in self.span

    def begin(self, messages: Iterable[Message], cursor: str | UnsetType | None) -> None:
        """Take the newest ones, whatever was known of them."""
        self._clear_span()
        self.span = Span()
        self.extend(messages, cursor)

    def extend(self, messages: Iterable[Message], cursor: str | UnsetType | None) -> None:
        """Append the next page of the server."""
        assert isinstance(self.span, Span)
        page = tuple(messages)
        self.span.extend([(it.id, it.created_at) for it in page], cursor)
        self._items.update((it.id, Item(it)) for it in page)

    def take_last(self, last: Message | None) -> None:
        """Take the newest one, which came with the conversation; None: there is none."""
        span = self.span
        if not isinstance(span, Span) or span.cursor is UNSET or self.last is UNSET:
            self.begin((last,) if last else (), UNSET if last else None)
        elif last and span.put(last.id, last.created_at):
            self._items[last.id] = Item(last)

    # Single ones

    def get(self, id: str) -> Item | UnsetType | None:
        """A message; None: there is none, or not for me; `UNSET`: it is not known."""
        return self._items.get(id, UNSET)

    def want(self, id: str) -> None:
        """Keep a message from now on, wherever it stands."""
        self.wanted = adding(self.wanted, id)
        if self.cut and id in self.cut and id not in self._items:
            self._items[id] = self.cut[id]

    def unwant(self, id: str) -> None:
        """Keep it only while it is one of the newest."""
        self.wanted = removing(self.wanted, id)
        if not self.shows(id):
            self._items.pop(id, None)

    def take_single(self, id: str, message: Message | None) -> Collection[str]:
        """Take what a message is now."""
        changed = self.deleted(id, UNSET) if message is None else (id,)
        if id in self.wanted or (message and self.shows(id)):
            self._items[id] = Item(message) if message else None
        return changed or (id,)

    # What happens to them

    def created(self, message: Message, most: int) -> Collection[str]:
        """A message came. Keeps `most` of the newest when there are too many."""
        id, span = message.id, self.span
        if self.shows(id):
            return ()
        was_missed = self._items.get(id, UNSET) is None
        is_new = isinstance(span, Span) and span.put(id, message.created_at)
        if not (is_new or was_missed):
            return ()
        self._items[id] = Item(message)
        if isinstance(span, Span) and len(span) >= 2 * most:
            if self.cut is None:
                self.cut = {}
            for gone in span.trim(most):
                self.cut[gone] = self._there(gone)
                if gone not in self.wanted:
                    del self._items[gone]
        return (id,)

    def edited(self, id: str, diff: MessageDiff) -> Collection[str]:
        """A message changed."""
        item = self._items.get(id)
        if item is None:
            return ()
        old, item.message = item.message, patched(item.message, diff)
        return () if item.message is old else (id,)

    def deleted(self, id: str, new_last: Message | UnsetType | None) -> Collection[str]:
        """A message is gone, and replies refer to nothing. `new_last` is the newest one left."""
        changed: list[str] = []
        for reply, item in self._items.items():
            if item is not None and item.message.referenced_message_id == id:
                item.message = structs.replace(item.message, referenced_message_id=None)
                changed.append(reply)
        if id in self.wanted and self._items.get(id):
            changed.append(id)
            self._items[id] = None
        span = self.span
        if not isinstance(span, Span) or not span.remove(id):
            return changed
        if id not in self.wanted:
            changed.append(id)
            del self._items[id]
        if not span and new_last is None:
            self.span = Span()
        elif not span and new_last is not UNSET and new_last and span.cursor is UNSET:
            self.begin((new_last,), UNSET)
        return changed

    def cleared(self) -> Collection[str]:
        """All messages are gone."""
        changed = [id for id, item in self._items.items() if item is not None]
        self._items = {id: None for id in self.wanted if id in self._items}
        if isinstance(self.span, Span):
            self.span = Span()
        return changed

    def left(self) -> None:
        """I am not in the conversation."""
        self.span = None
        self._items = dict.fromkeys(self.wanted)

    def joined(self) -> Collection[str]:
        """I am in the conversation: what I was not shown before has to be read."""
        lacking = [id for id, item in self._items.items() if item is None]
        for id in lacking:
            del self._items[id]
        if self.span is None:
            self.span = UNSET
        return lacking

    # Inside

    def _there(self, id: str) -> Item:
        item = self._items[id]
        assert item is not None
        return item

    def _clear_span(self) -> None:
        if isinstance(self.span, Span):
            for id in self.span.ids:
                if id not in self.wanted:
                    del self._items[id]
