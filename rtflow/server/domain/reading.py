"""Reading marks: up to where somebody has read, and what he marked as unread.

The position is two values that move together, and never back: a number, from which unread counts
come, and a time, which the others see. Of the messages that are there, those up to the number are
those up to the time; others were deleted, and of these the ones above the number are counted.
"""

from msgspec import UNSET, Struct

from rtflow.model.entities import Access
from rtflow.model.params import MarkParams
from rtflow.server.domain.activity import touch_activity
from rtflow.server.domain.permissions import Standing, may_see_conversation, require
from rtflow.server.domain.rules import Rules
from rtflow.server.store.interface import Entry, Outcome, SideTouched, Steps, one, run
from rtflow.wire.endpoints import Done

__all__ = ["everyone_read_until", "mark_read", "mark_unread"]


def mark_read(
    actor: str, conversation_id: str, params: MarkParams, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Mark everything as read, or what was there at a time."""
    mark = yield from _find(actor, conversation_id)
    latest = max(now, mark.last_message_at)  # nobody has read what is not said yet
    read_until = max(
        mark.read_until, latest if params.until is UNSET else min(params.until, latest)
    )
    if read_until >= mark.last_message_at:
        number, deleted_unread = mark.last_number, 0
    else:
        number = max(mark.read_number, (yield from _number_at(conversation_id, read_until)))
        deleted_unread = mark.deleted_unread
        if deleted_unread and number > mark.read_number:
            left = yield from _said_between(conversation_id, mark.read_until, read_until)
            deleted_unread -= number - mark.read_number - left
    if (read_until, number, 0) == (mark.read_until, mark.read_number, mark.marked_unread):
        return Outcome(Done())
    before = yield from everyone_read_until(conversation_id)
    yield from run(
        "UPDATE participants SET read_number = ?3, read_until = ?4, deleted_unread = ?5,"
        " marked_unread = 0 WHERE conversation_id = ?1 AND user_id = ?2",
        conversation_id,
        actor,
        number,
        read_until,
        deleted_unread,
    )
    yield from touch_activity(conversation_id)
    after = yield from everyone_read_until(conversation_id)
    touched = SideTouched(conversation_id, actor if after == before else None)
    return Outcome(Done(), (Entry(touched),))


def mark_unread(
    actor: str, conversation_id: str, params: MarkParams, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Mark a conversation as unread; with `until`, unless it was read after that."""
    mark = yield from _find(actor, conversation_id)
    was_read_later = params.until is not UNSET and mark.read_until > params.until
    if was_read_later or mark.marked_unread:
        return Outcome(Done())
    yield from run(
        "UPDATE participants SET marked_unread = 1 WHERE conversation_id = ?1 AND user_id = ?2",
        conversation_id,
        actor,
    )
    yield from touch_activity(conversation_id)
    return Outcome(Done(), (Entry(SideTouched(conversation_id, actor)),))


def everyone_read_until(conversation_id: str) -> Steps[int | None]:
    """Return up to where all participants have read; None when there are none."""
    row = yield from one(
        _Time,
        "SELECT min(read_until) FROM participants WHERE conversation_id = ?1",
        conversation_id,
    )
    return row.at if row else None


class _Time(Struct, frozen=True):
    at: int | None


class _Number(Struct, frozen=True):
    number: int


class _Mark(Struct, frozen=True):
    access: Access
    last_number: int
    last_message_at: int
    read_number: int
    read_until: int
    deleted_unread: int
    marked_unread: int


def _find(actor: str, conversation_id: str) -> Steps[_Mark]:
    mark = yield from one(
        _Mark,
        "SELECT p.access, c.last_number, coalesce(c.last_message_at, 0), p.read_number,"
        " p.read_until, p.deleted_unread, p.marked_unread"
        " FROM participants p JOIN conversations c ON c.id = p.conversation_id"
        " WHERE p.conversation_id = ?1 AND p.user_id = ?2",
        conversation_id,
        actor,
    )
    require(may_see_conversation(Standing.inside(mark.access) if mark else Standing.STRANGER))
    assert mark is not None, "who may see it is inside"
    return mark


def _number_at(conversation_id: str, at: int) -> Steps[int]:
    """Return the number of the newest message at a time; 0 when there was none."""
    row = yield from one(
        _Number,
        "SELECT number FROM messages WHERE conversation_id = ?1 AND created_at <= ?2"
        " ORDER BY created_at DESC LIMIT 1",
        conversation_id,
        at,
    )
    return row.number if row else 0


def _said_between(conversation_id: str, after: int, until: int) -> Steps[int]:
    """Count the messages that are there, after a time and until another.

    That is what somebody has read just now, so all his reading costs by what he reads.
    """
    row = yield from one(
        _Number,
        "SELECT count(*) FROM messages"
        " WHERE conversation_id = ?1 AND created_at > ?2 AND created_at <= ?3",
        conversation_id,
        after,
        until,
    )
    return row.number if row else 0
