"""Sides: a conversation as one of its participants sees it, and lists of them.

An unread count is a subtraction: the number of the newest message, less the number up to which this
participant has read, less those that were deleted in between. Nothing is counted when it is read.

Not here: which conversations are on a page (activity.py), what changes a side (messages.py,
reading.py, participants.py).
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType, structs
from msgspec.json import Decoder

from rtflow.model.entities import Access, Conversation, Message, Notify, Page
from rtflow.model.events import SideDiff
from rtflow.model.filters import ALL, Filter, alternatives, matches
from rtflow.model.params import ConversationPage, Expand
from rtflow.server.domain.activity import ACTIVITY, PAGE, UNREAD, UNREAD_PAGE
from rtflow.server.domain.many import rows_among
from rtflow.server.domain.messages import (
    LAST_COLUMNS,
    LAST_OF_C,
    LastRow,
    last_message,
    last_messages,
)
from rtflow.server.domain.paging import LATEST, Position, Time, place, resume
from rtflow.server.domain.permissions import Standing, may_see_conversation, require
from rtflow.server.domain.users import must_exist
from rtflow.server.store.interface import Steps, one, rows
from rtflow.wire.codec import decoder

__all__ = ["conversation", "conversations", "is_participant", "side_of", "sides"]

SMALLEST_BATCH: Final = 256  # rows looked at for a filter at once, doubling
LARGEST_BATCH: Final = 4096
WORTH_PICKING: Final = 3  # times as many participants: one by one costs so much more than in a row

_texts = decoder(dict[str, str])
_list = decoder(tuple[str, ...])
_notify: Decoder[Notify] = decoder(Notify)

EVERYONE: Final = (
    "(SELECT min(q.read_until) FROM participants q WHERE q.conversation_id = p.conversation_id)"
)
SIDE: Final = (
    "c.id, c.subject, c.photo_url, c.welcome_messages, c.custom, c.created_at, p.joined_at,"
    f" {ACTIVITY}, {UNREAD}, p.marked_unread, p.read_until, {EVERYONE}, p.access, p.notify"
)
SIDE_OF: Final = (
    f"SELECT {SIDE} FROM participants p JOIN conversations c ON c.id = p.conversation_id"
    " WHERE p.conversation_id = ?1 AND p.user_id = ?2"
)
SIDE_WITH_LAST: Final = (
    f"SELECT {SIDE}, {LAST_COLUMNS} FROM participants p"
    f" JOIN conversations c ON c.id = p.conversation_id {LAST_OF_C}"
    " WHERE p.conversation_id = ?1 AND p.user_id = ?2"
)
SIDES: Final = (  # first which conversations, with little in hand, then all of those
    f"SELECT {SIDE} FROM ({{page}}) AS page"
    " JOIN participants p ON p.conversation_id = page.id AND p.user_id = ?1"
    " JOIN conversations c ON c.id = page.id"
    " ORDER BY page.activity DESC, page.id"
)
SIDES_OF_ALL: Final = SIDES.format(page=PAGE)
SIDES_OF_UNREAD: Final = SIDES.format(page=UNREAD_PAGE)
MARKS: Final = (
    f"SELECT p.user_id, {ACTIVITY}, {UNREAD}, p.marked_unread, p.read_until,"
    " (SELECT min(q.read_until) FROM participants q WHERE q.conversation_id = ?1)"
    " FROM participants p JOIN conversations c ON c.id = p.conversation_id"
    " WHERE p.conversation_id = ?1"
)
MARKS_AMONG: Final = f"{MARKS} AND p.user_id IN ({{ids}})"


class After(Position, frozen=True, tag="conversations"):
    """What comes after a conversation in the list that a filter makes."""

    filter: Filter
    activity: Time
    id: str


_after = decoder(After)


def conversation(actor: str, conversation_id: str, expand: Expand = ()) -> Steps[Conversation]:
    """Return a conversation as the actor sees it. Refuses if he does not."""
    if "lastMessage" in expand:  # the most frequent of all reads: one statement
        both = yield from one(_side_and_last, SIDE_WITH_LAST, conversation_id, actor)
        row, last = both or (None, None)
    else:
        row, last = (yield from one(_SideRow, SIDE_OF, conversation_id, actor)), None
    require(may_see_conversation(Standing.inside(row.access) if row else Standing.STRANGER))
    assert row is not None, "who may see it is inside"
    if "lastMessage" not in expand:
        return row.conversation()
    return row.conversation((yield from last_message(actor, last)) if last else None)


def side_of(user_id: str, conversation_id: str) -> Steps[Conversation | None]:
    """Return a conversation as somebody sees it; None if he is not in it."""
    row = yield from one(_SideRow, SIDE_OF, conversation_id, user_id)
    return row.conversation() if row else None


def conversations(actor: str, params: ConversationPage) -> Steps[Page[Conversation]]:
    """Return a page of the actor's conversations, the most recently active first."""
    after = resume(_after, params.cursor)
    wanted = after.filter if after else ALL if params.filter is UNSET else params.filter
    yield from must_exist(actor)
    found = yield from _matching(actor, wanted, after, params.limit + 1)
    shown = found[: params.limit]
    cursor = None
    if len(found) > params.limit:  # one more tells whether there is more
        cursor = place(After(wanted, shown[-1].last_message_at, shown[-1].id))
    return Page(tuple((yield from _expanded(actor, shown, params.expand))), cursor)


def is_participant(conversation_id: str, user_id: str) -> Steps[bool]:
    """Tell whether somebody is in a conversation."""
    found = yield from one(
        _Count,
        "SELECT count(*) FROM participants WHERE conversation_id = ?1 AND user_id = ?2",
        conversation_id,
        user_id,
    )
    return found is not None and found.count > 0


def sides(conversation_id: str, candidates: Sequence[str]) -> Steps[dict[str, SideDiff]]:
    """Return the whole side of each candidate who is in the conversation, by user id.

    Costs what the smaller of the two crowds costs: the candidates, or those who are in it. These
    are in a row in the database, so somewhat more of them cost less.
    """
    counted = yield from one(
        _Count,
        "SELECT count(*) FROM"
        " (SELECT 1 FROM participants WHERE conversation_id = ?1 LIMIT ?2) AS sample",
        conversation_id,
        len(candidates) * WORTH_PICKING,
    )
    if counted is not None and counted.count < len(candidates) * WORTH_PICKING:
        among = frozenset(candidates)
        everybody = yield from rows(_MarkRow, MARKS, conversation_id)
        found = [row for row in everybody if row.user_id in among]
    else:
        found = yield from rows_among(_MarkRow, MARKS_AMONG, conversation_id, ids=candidates)
    return {row.user_id: row.diff() for row in found}


class _Count(Struct, frozen=True):
    count: int


class _SideRow(Struct, frozen=True):
    """`SIDE`, in its order."""

    id: str
    subject: str | None
    photo_url: str | None
    welcome_messages: str
    custom: str
    created_at: int
    joined_at: int
    activity: int
    unread: int
    marked_unread: int
    read_until: int
    everyone_read_until: int
    access: Access
    notify: str

    def conversation(self, last: Message | UnsetType | None = UNSET) -> Conversation:
        return Conversation(
            id=self.id,
            subject=self.subject,
            photo_url=self.photo_url,
            welcome_messages=_list.decode(self.welcome_messages),
            custom=_texts.decode(self.custom),
            created_at=self.created_at,
            joined_at=self.joined_at,
            last_message_at=self.activity,
            unread_message_count=self.unread,
            is_unread=self.unread > 0 or self.marked_unread > 0,
            read_until=self.read_until,
            everyone_read_until=self.everyone_read_until,
            access=self.access,
            notify=_notify.decode(self.notify),
            last_message=last,
        )


def _side_and_last(*columns: Any) -> tuple[_SideRow, LastRow | None]:  # Any: SQLite's own types
    """Make what `SIDE_WITH_LAST` finds: a conversation, and its last message if there is one."""
    mine, last = columns[:SIDE_WIDTH], columns[SIDE_WIDTH:]
    return _SideRow(*mine), None if last[0] is None else LastRow(*last)


SIDE_WIDTH: Final = len(_SideRow.__struct_fields__)


class _MarkRow(Struct, frozen=True):
    user_id: str
    activity: int
    unread: int
    marked_unread: int
    read_until: int
    everyone_read_until: int

    def diff(self) -> SideDiff:
        return SideDiff(
            last_message_at=self.activity,
            unread_message_count=self.unread,
            is_unread=self.unread > 0 or self.marked_unread > 0,
            read_until=self.read_until,
            everyone_read_until=self.everyone_read_until,
        )


def _matching(
    user_id: str, wanted: Filter, after: After | None, most: int
) -> Steps[list[Conversation]]:
    """Find the next conversations in which a filter holds, looking at them in growing batches.

    The filter decides; if it wants unread ones only, as the total does, there is less to look at.
    """
    is_narrow = all(simple.is_unread is True for simple in alternatives(wanted))
    activity, last = (after.activity, after.id) if after else (LATEST, "")
    size = most if wanted == ALL else max(most, SMALLEST_BATCH)
    found: list[Conversation] = []
    while True:
        batch = yield from rows(
            _SideRow, SIDES_OF_UNREAD if is_narrow else SIDES_OF_ALL, user_id, activity, last, size
        )
        found += [it for row in batch if matches(wanted, it := row.conversation())]
        if len(found) >= most or len(batch) < size:
            return found[:most]
        activity, last = batch[-1].activity, batch[-1].id
        size = min(size * 2, LARGEST_BATCH)


def _expanded(reader: str, found: list[Conversation], expand: Expand) -> Steps[list[Conversation]]:
    """Add what was asked for besides."""
    if "lastMessage" not in expand:
        return found
    newest = yield from last_messages(reader, [it.id for it in found])
    return [structs.replace(it, last_message=newest.get(it.id)) for it in found]
