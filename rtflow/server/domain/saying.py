"""Saying: to send a message, to change what was said, to take it back.

A message writes the same few rows however many participants there are: unread counts come from
numbers (sides.py), and the activity of each is kept only where they are few (activity.py). Taking
one back writes to the sides that had not read it. Within a conversation the time of a message is
later than that of any message, joining and reading mark before it.

Not here: reading what was said (messages.py).
"""

from typing import Final

from msgspec import UNSET, Struct, structs

from rtflow.errors import BadRequest
from rtflow.model.entities import Access, Message
from rtflow.model.events import MessageCreated, MessageDeleted, MessageDiff, MessageEdited
from rtflow.model.params import EditMessage, SendMessage
from rtflow.server.domain.activity import touch_activity, touch_others
from rtflow.server.domain.content import checked_content
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.files import hold_files, release_files
from rtflow.server.domain.indexing import (
    NEW_PLACE,
    index_message,
    index_new_message,
    unindex_message,
)
from rtflow.server.domain.merging import changed, map_diff, merge_map
from rtflow.server.domain.messages import MessageRow, message_row, newest_row
from rtflow.server.domain.permissions import (
    Standing,
    may_delete_message,
    may_edit_message,
    may_see_conversation,
    may_send_message,
    require,
)
from rtflow.server.domain.reading import everyone_read_until
from rtflow.server.domain.rules import Rules
from rtflow.server.store.interface import (
    Entry,
    Outcome,
    ReactionsTouched,
    SideTouched,
    Steps,
    one,
    run,
)
from rtflow.wire.codec import encode
from rtflow.wire.endpoints import Done, Sent

__all__ = ["delete_message", "edit_message", "send_message"]

DAY: Final = 24 * 60 * 60 * 1000  # milliseconds


def send_message(
    actor: str, conversation_id: str, message_id: str, params: SendMessage, now: int, rules: Rules
) -> Steps[Outcome[Sent]]:
    """Say something; `message_id` is new. The sender counts as having read everything before it."""
    key = params.idempotency_key or None
    stage = yield from one(
        _Stage,
        "SELECT p.access, c.last_number, coalesce(c.last_message_at, 0), c.is_crowded,"
        f" {NEW_PLACE},"
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
    if stage.sent_before is not None:  # though it may have been taken back since
        return Outcome(Sent(stage.sent_before))
    content = yield from checked_content(actor, params.content, rules.max_message_length)
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
        encode(content).decode(),
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
        " marked_unread = 0, activity = ?5, is_unread = 0"
        " WHERE conversation_id = ?1 AND user_id = ?2",
        conversation_id,
        actor,
        number,
        created_at,
        None if stage.is_crowded else created_at,
    )
    if not stage.is_crowded:
        yield from touch_others(conversation_id, actor, created_at)
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
    yield from hold_files(message_id, content)
    yield from index_new_message(stage.new_place, message_id, conversation_id, content)
    message = Message(
        id=message_id,
        sender_id=actor,
        custom=custom,
        created_at=created_at,
        referenced_message_id=referenced,
        content=content,
    )
    said = MessageCreated(conversation_id=conversation_id, message_id=message_id, state=message)
    return Outcome(Sent(message_id), (Entry(said), Entry(SideTouched(conversation_id))))


def edit_message(
    actor: str, conversation_id: str, message_id: str, params: EditMessage, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Change what one has said: all of the content, some of `custom`."""
    standing = yield from standing_of(actor, conversation_id)
    require(may_see_conversation(standing))
    old = (yield from message_row(conversation_id, message_id)).message()
    require(may_edit_message(standing, own=old.sender_id == actor))
    content = old.content
    if params.content is not UNSET:
        content = yield from checked_content(actor, params.content, rules.max_message_length)
    custom = merge_map(old.custom, params.custom, rules.max_custom_bytes)
    if (content, custom) == (old.content, old.custom):
        return Outcome(Done())
    edited_at = max(now, old.created_at)
    yield from run(
        "UPDATE messages SET content = ?2, custom = ?3, edited_at = ?4 WHERE id = ?1",
        message_id,
        encode(content).decode(),
        encode(custom).decode(),
        edited_at,
    )
    if content != old.content:
        yield from release_files(message_id, now)
        yield from hold_files(message_id, content)
        yield from index_message(message_id, conversation_id, content)
    diff = MessageDiff(
        content=changed(old.content, content),
        custom=map_diff(old.custom, custom),
        edited_at=edited_at,
    )
    event = MessageEdited(conversation_id=conversation_id, message_id=message_id, diff=diff)
    return Outcome(Done(), (Entry(event),))


def delete_message(
    actor: str, conversation_id: str, message_id: str, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Take back what one has said, and with it the reactions to it.

    The sides of a conversation are touched if the newest message was another one before, or if
    somebody had not read this one.
    """
    standing = yield from standing_of(actor, conversation_id)
    require(may_see_conversation(standing))
    old = (yield from message_row(conversation_id, message_id)).message()
    require(may_delete_message(standing, own=old.sender_id == actor))
    if old.reactions:
        yield from run("DELETE FROM reactions WHERE message_id = ?1", message_id)
    yield from release_files(message_id, now)
    yield from unindex_message(message_id, conversation_id)
    yield from run("DELETE FROM messages WHERE id = ?1", message_id)
    yield from run(
        "UPDATE participants SET deleted_unread = deleted_unread + 1"
        " WHERE conversation_id = ?1 AND read_until < ?2",  # who has not read it
        conversation_id,
        old.created_at,
    )
    deleted = MessageDeleted(conversation_id=conversation_id, message_id=message_id)
    newest = yield from newest_row(conversation_id)
    if newest is None or newest.created_at < old.created_at:
        entries = yield from _fall_back(conversation_id, deleted, newest)
        entries.append(Entry(SideTouched(conversation_id)))
    else:
        entries = [Entry(deleted)]
        earliest = yield from everyone_read_until(conversation_id)
        if earliest is not None and earliest < old.created_at:
            entries.append(Entry(SideTouched(conversation_id)))
    yield from touch_activity(conversation_id)
    return Outcome(Done(), tuple(entries))


class _Stage(Struct, frozen=True):
    """What a message needs to know of its conversation and its sender."""

    access: Access
    last_number: int
    last_message_at: int
    is_crowded: int
    new_place: int  # in the order of search
    read_until: int  # the latest of all participants
    joined_at: int  # the sender's latest, anywhere: what is said now is newer
    sent_before: str | None  # the message that had this key


class _Id(Struct, frozen=True):
    id: str


def _fall_back(
    conversation_id: str, deleted: MessageDeleted, newest: MessageRow | None
) -> Steps[list[Entry]]:
    """Let another message be the newest, or none. What each has reacted to it is told besides."""
    last = None if newest is None else newest.message()
    yield from run(
        "UPDATE conversations SET last_message_at = ?2 WHERE id = ?1",
        conversation_id,
        None if last is None else last.created_at,
    )
    entries = [Entry(structs.replace(deleted, new_last_message=last))]
    if last is not None:
        touched = [ReactionsTouched(conversation_id, last.id, emoji) for emoji in last.reactions]
        entries += map(Entry, touched)
    return entries


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
