"""Messages: saying something, and reading what was said.

A message writes the same few rows however many participants there are: unread counts come from
numbers (sides.py), and the activity of each is kept only where they are few (activity.py). Within a
conversation the time of a message is later than that of any message, joining and reading mark
before it.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

from rtflow.errors import BadRequest
from rtflow.model.content import Block, SendBlock, SendFileBlock
from rtflow.model.entities import Access, Message, Origin, Page, User
from rtflow.model.events import MessageCreated
from rtflow.model.params import ListPage, SendMessage
from rtflow.server.domain.activity import touch_activity
from rtflow.server.domain.content import checked_content
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.files import file_block, hold_files
from rtflow.server.domain.indexing import index_message
from rtflow.server.domain.many import rows_among
from rtflow.server.domain.merging import merge_map
from rtflow.server.domain.paging import LATEST, Position, Time, place, resume
from rtflow.server.domain.permissions import (
    Standing,
    may_see_conversation,
    may_send_message,
    require,
)
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.users import UserRow
from rtflow.server.store.interface import Entry, Outcome, SideTouched, Steps, one, rows, run
from rtflow.wire.codec import decoder, encode
from rtflow.wire.endpoints import Sent

__all__ = ["last_messages", "messages", "messages_by_ids", "send_message"]

DAY: Final = 24 * 60 * 60 * 1000  # milliseconds

COLUMNS: Final = (
    "m.id, m.sender_id, m.custom, m.created_at, m.edited_at, m.referenced_message_id,"
    " m.origin, m.content"
)
PAGE: Final = (
    f"SELECT {COLUMNS} FROM messages m WHERE m.conversation_id = ?1 AND m.created_at < ?2"
    " ORDER BY m.created_at DESC LIMIT ?3"
)
BY_IDS: Final = f"SELECT {COLUMNS} FROM messages m WHERE m.id IN ({{ids}})"
LAST: Final = (
    f"SELECT {COLUMNS}, c.id, u.id, u.name, u.role, u.custom, u.locale, u.photo_url,"
    " u.welcome_message FROM conversations c"
    " JOIN messages m ON m.conversation_id = c.id AND m.created_at = c.last_message_at"
    " LEFT JOIN users u ON u.id = m.sender_id"
    " WHERE c.id IN ({ids})"
)

_texts = decoder(dict[str, str])
_content = decoder(tuple[Block, ...])


class Before(Position, frozen=True, tag="messages"):
    """What was said before a time."""

    created_at: Time


_before = decoder(Before)


def send_message(
    actor: str, conversation_id: str, message_id: str, params: SendMessage, now: int, rules: Rules
) -> Steps[Outcome[Sent]]:
    """Say something; `message_id` is new. The sender counts as having read everything before it."""
    key = params.idempotency_key or None
    stage = yield from one(
        _Stage,
        "SELECT p.access, c.last_number, coalesce(c.last_message_at, 0),"
        " (SELECT max(q.read_until) FROM participants q WHERE q.conversation_id = ?1),"
        " (SELECT max(q.joined_at) FROM participants q WHERE q.user_id = ?2),"
        " (SELECT k.message_id FROM sent_keys k"
        " WHERE k.conversation_id = ?1 AND k.user_id = ?2 AND k.key = ?3 AND k.at > ?4)"
        " FROM participants p JOIN conversations c ON c.id = p.conversation_id"
        " WHERE p.conversation_id = ?1 AND p.user_id = ?2",
        conversation_id,
        actor,
        key,
        now - DAY,
    )
    require(may_send_message(Standing.inside(stage.access) if stage else Standing.STRANGER))
    assert stage is not None, "who may send is inside"
    if stage.sent_before is not None:
        return Outcome(Sent(stage.sent_before))
    shown = yield from _resolved(actor, params.content)
    content = checked_content(shown, rules.max_message_length)
    custom = merge_map({}, params.custom, rules.max_custom_bytes)
    referenced = params.referenced_message_id or None
    if referenced is not None:
        yield from _must_be_here(conversation_id, referenced)
    number = stage.last_number + 1
    before = max(stage.last_message_at, stage.read_until, stage.joined_at)
    created_at = max(now, before + 1)
    yield from run(
        "INSERT INTO messages (id, conversation_id, number, created_at, sender_id, origin,"
        " referenced_message_id, content, custom) VALUES (?1, ?2, ?3, ?4, ?5, 'web', ?6, ?7, ?8)",
        message_id,
        conversation_id,
        number,
        created_at,
        actor,
        referenced,
        content,
        encode(custom).decode(),
    )
    yield from run(
        "UPDATE conversations SET last_number = ?2, last_message_at = ?3 WHERE id = ?1",
        conversation_id,
        number,
        created_at,
    )
    yield from run(
        "UPDATE participants SET read_number = ?3, read_until = ?4, deleted_unread = 0,"
        " marked_unread = 0 WHERE conversation_id = ?1 AND user_id = ?2",
        conversation_id,
        actor,
        number,
        created_at,
    )
    yield from touch_activity(conversation_id)
    if key is not None:
        yield from run(
            "INSERT INTO sent_keys (conversation_id, user_id, key, message_id, at)"
            " VALUES (?1, ?2, ?3, ?4, ?5)"
            " ON CONFLICT (conversation_id, user_id, key)"
            " DO UPDATE SET message_id = excluded.message_id, at = excluded.at",
            conversation_id,
            actor,
            key,
            message_id,
            now,
        )
    yield from hold_files(message_id, shown)
    yield from index_message(message_id, conversation_id, shown)
    message = Message(
        id=message_id,
        sender_id=actor,
        custom=custom,
        created_at=created_at,
        referenced_message_id=referenced,
        content=shown,
    )
    said = MessageCreated(conversation_id=conversation_id, message_id=message_id, state=message)
    return Outcome(Sent(message_id), (Entry(said), Entry(SideTouched(conversation_id))))


def messages(actor: str, conversation_id: str, params: ListPage) -> Steps[Page[Message]]:
    """Return a page of what was said, newest first."""
    before = resume(_before, params.cursor)
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))
    found = yield from rows(
        _MessageRow,
        PAGE,
        conversation_id,
        before.created_at if before else LATEST,
        params.limit + 1,  # one more tells whether there is more
    )
    shown = tuple(_message(row) for row in found[: params.limit])
    more = len(found) > params.limit
    return Page(shown, place(Before(shown[-1].created_at)) if more else None)


def messages_by_ids(_actor: str, ids: Sequence[str]) -> Steps[dict[str, Message]]:
    """Return those of the messages that exist, by id. Whether the actor may see them: search.py."""
    found = yield from rows_among(_MessageRow, BY_IDS, ids=ids)
    return {row.id: _message(row) for row in found}


def last_messages(conversation_ids: Sequence[str]) -> Steps[dict[str, Message]]:
    """Return the newest message of each of these conversations that has one, with its sender."""
    found = yield from rows_among(_LastRow, LAST, ids=conversation_ids)
    return {
        row.conversation_id: structs.replace(_message(row), sender=row.sender()) for row in found
    }


class _Stage(Struct, frozen=True):
    """What a message needs to know of its conversation and its sender."""

    access: Access
    last_number: int
    last_message_at: int
    read_until: int  # the latest of all participants
    joined_at: int  # the sender's latest, anywhere: what is said now is newer
    sent_before: str | None  # the message that had this key


class _MessageRow(Struct, frozen=True):
    """`COLUMNS`, in their order."""

    id: str
    sender_id: str | None
    custom: str
    created_at: int
    edited_at: int | None
    referenced_message_id: str | None
    origin: Origin
    content: str


class _LastRow(_MessageRow, frozen=True):
    conversation_id: str
    user_id: str | None  # null: the sender is gone, and so are the columns below
    name: str
    role: str
    user_custom: str
    locale: str | None
    photo_url: str | None
    welcome_message: str | None

    def sender(self) -> User | None:
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


class _Id(Struct, frozen=True):
    id: str


def _message(row: _MessageRow) -> Message:
    return Message(
        id=row.id,
        type="SystemMessage" if row.sender_id is None else "UserMessage",
        sender_id=row.sender_id,
        custom=_texts.decode(row.custom),
        created_at=row.created_at,
        edited_at=row.edited_at,
        referenced_message_id=row.referenced_message_id,
        origin=row.origin,
        content=_content.decode(row.content),
    )


def _resolved(actor: str, content: tuple[SendBlock, ...]) -> Steps[tuple[Block, ...]]:
    """Put what is known of an uploaded file in the place of its token."""
    blocks: list[Block] = []
    for block in content:
        if isinstance(block, SendFileBlock):
            blocks.append((yield from file_block(actor, block.file_token)))
        else:
            blocks.append(block)
    return tuple(blocks)


def _must_be_here(conversation_id: str, message_id: str) -> Steps[None]:
    row = yield from one(
        _Id,
        "SELECT id FROM messages WHERE id = ?1 AND conversation_id = ?2",
        message_id,
        conversation_id,
    )
    if row is None:
        raise BadRequest(
            "REFERENCED_MESSAGE_NOT_FOUND",
            f"there is no message {message_id!r} in this conversation",
        )
