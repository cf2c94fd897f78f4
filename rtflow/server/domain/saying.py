"""Saying: to change what was said, to take it back.

Taking back writes to the sides that had not read it.

Not here: saying something new (sending.py), reading what was said (messages.py).
"""

from msgspec import UNSET, structs

from rtflow.model.events import MessageDeleted, MessageDiff, MessageEdited
from rtflow.model.params import EditMessage
from rtflow.server.domain.activity import touch_activity
from rtflow.server.domain.content import checked_content
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.files import hold_files, release_files
from rtflow.server.domain.indexing import (
    index_message,
    unindex_message,
)
from rtflow.server.domain.merging import changed, map_diff, merge_map
from rtflow.server.domain.messages import MessageRow, message_row, newest_row
from rtflow.server.domain.permissions import (
    may_delete_message,
    may_edit_message,
    may_see_conversation,
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
    run,
)
from rtflow.wire.codec import encode
from rtflow.wire.endpoints import Done

__all__ = ["delete_message", "edit_message"]


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
