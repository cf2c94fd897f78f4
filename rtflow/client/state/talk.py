"""Messages: the newest part of one conversation's messages, changed by events and pages.

Not here: senders (users.py). Invariant: `span` and `items` hold the same ids; messages carry no
`sender`.
"""

from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType

from rtflow.client.state.portraits import message_snapshot, patched
from rtflow.client.state.span import Span
from rtflow.model.entities import Message
from rtflow.model.events import MessageDiff
from rtflow.model.snapshots import MessageSnapshot, UserSnapshot

__all__ = ["MessageList"]


class Item:
    """A message, and its portrait as it was made last: of which message, with which sender."""

    __slots__ = ("message", "portrait", "sender", "shown")

    def __init__(self, message: Message) -> None:
        self.message = self.shown = message
        self.sender: UserSnapshot | None = None
        self.portrait: MessageSnapshot | None = None


class MessageList:
    """The messages of a conversation that I am in, newest first, as far as they are known."""

    __slots__ = ("_items", "span")

    def __init__(self, messages: Iterable[Message] = (), cursor: str | UnsetType | None = None):
        self.span = Span()
        self._items: dict[str, Item] = {}
        self.extend(messages, cursor)

    @property
    def last(self) -> Message | UnsetType | None:
        """The newest message; None: there is none; `UNSET`: it is not known."""
        first = self.span.first
        if first is not None:
            return self._items[first].message
        return None if self.span.is_whole else UNSET

    def head(self, n: int) -> Sequence[Message]:
        """The newest `n` messages, or as many as are known."""
        return [self._items[id].message for id in self.span.head(n)]

    def extend(self, messages: Iterable[Message], cursor: str | UnsetType | None) -> None:
        """Append the next page of the server."""
        page = tuple(messages)
        self.span.extend([(it.id, it.created_at) for it in page], cursor)
        self._items.update((it.id, Item(it)) for it in page)

    def put(self, message: Message) -> None:
        """Put a message in its place, or replace it, if that is in the part that is known."""
        if self.span.put(message.id, message.created_at):
            self._items[message.id] = Item(message)

    def created(self, message: Message, most: int) -> bool:
        """A message came. False: it is known, or too old. Keeps `most` when there are too many."""
        if message.id in self.span or not self.span.put(message.id, message.created_at):
            return False
        self._items[message.id] = Item(message)
        if len(self.span) >= 2 * most:
            for gone in self.span.trim(most):
                del self._items[gone]
        return True

    def edited(self, id: str, diff: MessageDiff) -> bool:
        """A message changed. False: not one of these, or not in what is shown."""
        item = self._items.get(id)
        if item is None:
            return False
        old, item.message = item.message, patched(item.message, diff)
        return item.message is not old

    def deleted(self, id: str, new_last: Message | UnsetType | None) -> bool:
        """A message is gone. False: it was not in."""
        if not self.span.remove(id):
            return False
        del self._items[id]
        if self.span or new_last is UNSET:
            return True
        if new_last is None:
            self.span = Span()
        elif self.span.cursor is UNSET:
            self.span = Span()
            self.extend((new_last,), UNSET)
        return True

    def cleared(self) -> bool:
        """All messages are gone. False: there were none."""
        was_empty = self.last is None
        self.span = Span()
        self._items.clear()
        return not was_empty

    def portrait(self, message: Message, sender: UserSnapshot | None) -> MessageSnapshot:
        """What users see of one of the messages; made anew only when it or its sender changed."""
        item = self._items[message.id]
        if item.portrait is None or item.shown is not message or item.sender is not sender:
            item.shown, item.sender = message, sender
            item.portrait = message_snapshot(message, sender)
        return item.portrait
