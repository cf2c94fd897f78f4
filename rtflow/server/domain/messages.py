"""Messages: what was said, as one reader sees it: a page, one of them, the newest of many
conversations.

A reply names what it replies to only while that is there. That is asked when it is read, so taking
back a message costs the same however many have replied to it.

Not here: saying something and taking it back (saying.py), reacting to it (reactions.py).
"""

from collections.abc import Collection, Sequence
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from rtflow.errors import NotFound
from rtflow.model.content import Block
from rtflow.model.entities import Message, Origin, Page, User
from rtflow.model.params import ListPage
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.many import rows_among
from rtflow.server.domain.paging import LATEST, Position, Time, place, resume
from rtflow.server.domain.permissions import may_see_conversation, require
from rtflow.server.domain.tallies import NONE, own_emoji, summaries
from rtflow.server.domain.users import UserRow
from rtflow.server.store.interface import Steps, one, rows
from rtflow.wire.codec import decoder

__all__ = [
    "LAST_COLUMNS",
    "LAST_OF_C",
    "LastRow",
    "MessageRow",
    "last_message",
    "last_messages",
    "message",
    "message_row",
    "messages",
    "messages_by_ids",
    "newest_row",
]

COLUMNS: Final = (
    "m.id, m.sender_id, m.custom, m.created_at, m.edited_at,"
    " (SELECT r.id FROM messages r WHERE r.id = m.referenced_message_id),"
    " m.origin, m.content, m.reactions"
)
PAGE: Final = (
    f"SELECT {COLUMNS} FROM messages m WHERE m.conversation_id = ?1 AND m.created_at < ?2"
    " ORDER BY m.created_at DESC LIMIT ?3"
)
BY_IDS: Final = f"SELECT {COLUMNS} FROM messages m WHERE m.id IN ({{ids}})"
ONE: Final = f"SELECT {COLUMNS} FROM messages m WHERE m.id = ?1 AND m.conversation_id = ?2"
LAST_COLUMNS: Final = (
    f"{COLUMNS}, c.id, u.id, u.name, u.role, u.custom, u.locale, u.photo_url, u.welcome_message"
)
LAST_OF_C: Final = (
    " LEFT JOIN messages m ON m.conversation_id = c.id AND m.created_at = c.last_message_at"
    " LEFT JOIN users u ON u.id = m.sender_id"
)
LAST: Final = (
    f"SELECT {LAST_COLUMNS} FROM conversations c {LAST_OF_C}"
    " WHERE c.id IN ({ids}) AND m.id IS NOT NULL"
)

_texts = decoder(dict[str, str])
_content = decoder(tuple[Block, ...])


class Before(Position, frozen=True, tag="messages"):
    """What was said before a time."""

    created_at: Time


_before = decoder(Before)


def messages(actor: str, conversation_id: str, params: ListPage) -> Steps[Page[Message]]:
    """Return a page of what was said, newest first."""
    before = resume(_before, params.cursor)
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))
    found = yield from rows(
        MessageRow,
        PAGE,
        conversation_id,
        before.created_at if before else LATEST,
        params.limit + 1,  # one more tells whether there is more
    )
    shown = tuple((yield from _seen_by(actor, found[: params.limit])))
    more = len(found) > params.limit
    return Page(shown, place(Before(shown[-1].created_at)) if more else None)


def message(actor: str, conversation_id: str, message_id: str) -> Steps[Message]:
    """Return one message."""
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))
    row = yield from message_row(conversation_id, message_id)
    (seen,) = yield from _seen_by(actor, [row])
    return seen


def messages_by_ids(reader: str, ids: Sequence[str]) -> Steps[dict[str, Message]]:
    """Return those of the messages that exist, by id. Whether he may see them: search.py."""
    found = yield from rows_among(MessageRow, BY_IDS, ids=ids)
    return {it.id: it for it in (yield from _seen_by(reader, found))}


def last_messages(reader: str, conversation_ids: Sequence[str]) -> Steps[dict[str, Message]]:
    """Return the newest message of each of these conversations that has one, with its sender."""
    found = yield from rows_among(LastRow, LAST, ids=conversation_ids)
    seen = yield from _seen_by(reader, found)
    return {row.conversation_id: it for row, it in zip(found, seen, strict=True)}


def last_message(reader: str, row: "LastRow") -> Steps[Message]:
    """Return the newest message of a conversation, with its sender."""
    (seen,) = yield from _seen_by(reader, [row])
    return seen


def message_row(conversation_id: str, message_id: str) -> Steps["MessageRow"]:
    """Find a message of a conversation. Refuses if it is not there."""
    row = yield from one(MessageRow, ONE, message_id, conversation_id)
    if row is None:
        raise NotFound(
            "MESSAGE_NOT_FOUND", f"there is no message {message_id!r} in this conversation"
        )
    return row


def newest_row(conversation_id: str) -> Steps["MessageRow | None"]:
    """Find the newest message of a conversation."""
    return (yield from one(MessageRow, PAGE, conversation_id, LATEST, 1))


class MessageRow(Struct, frozen=True):
    """`COLUMNS`, in their order."""

    id: str
    sender_id: str | None
    custom: str
    created_at: int
    edited_at: int | None
    referenced_message_id: str | None
    origin: Origin
    content: str
    reactions: str

    def message(self, own: Collection[str] = ()) -> Message:
        """Return the message as somebody sees it who has added these emoji to it."""
        return Message(
            id=self.id,
            type="SystemMessage" if self.sender_id is None else "UserMessage",
            sender_id=self.sender_id,
            custom=_texts.decode(self.custom),
            created_at=self.created_at,
            edited_at=self.edited_at,
            referenced_message_id=self.referenced_message_id,
            origin=self.origin,
            content=_content.decode(self.content),
            reactions=summaries(self.reactions, own),
            sender=self.sender(),
        )

    def sender(self) -> User | UnsetType | None:
        """Return who has said it, if that was asked for."""
        return UNSET


class LastRow(MessageRow, frozen=True):
    """`LAST_COLUMNS`, in their order. All of them are null where there is no message."""

    conversation_id: str
    user_id: str | None  # null: the sender is gone, and so are the columns below
    name: str
    role: str
    user_custom: str
    locale: str | None
    photo_url: str | None
    welcome_message: str | None

    def sender(self) -> User | None:
        """Return who has said it; None: he is gone."""
        if self.user_id is None:
            return None
        row = UserRow(
            self.user_id,
            self.name,
            self.role,
            self.user_custom,
            self.locale,
            self.photo_url,
            self.welcome_message,
        )
        return row.user()


def _seen_by(reader: str, found: Sequence[MessageRow]) -> Steps[list[Message]]:
    """Return messages as somebody sees them, in the same order."""
    reacted = [row.id for row in found if row.reactions != NONE]
    if not reacted:
        return [row.message() for row in found]
    own = yield from own_emoji(reader, reacted)
    return [row.message(own.get(row.id, ())) for row in found]
