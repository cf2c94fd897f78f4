"""Activity: which of somebody's conversations come first, kept ready for his lists.

A list has the most recently active conversation first, and often the unread ones only. Both follow
from numbers of the conversation and of the participant's row; but whoever sorts by them has to look
at all of somebody's conversations. So each participant's row keeps its `activity` and `is_unread`
in an index, and a page is a range of that.

Keeping them writes a row per participant for each message. So it is done only while few are in a
conversation. One that has outgrown `CROWD` is *crowded* for good (it would cross the line again and
again): its rows keep nothing, `activity` is null, and a page looks at all crowded conversations of
its user. Then a message costs at most `CROWD` rows, and a page its own length and the crowded
conversations. Refused: keeping them for all (10,000 rows a message), for none (100,000 a page).

Not here: the whole page (sides.py), what changes an activity (messages.py, reading.py,
participants.py).
Invariant: in a conversation that is not crowded both columns are what `ACTIVITY` and `UNREAD` give
for each participant. Whatever changes what these are made of calls `touch_activity` in the same
command; whoever lets somebody in, `touch_joined`; whoever says something, `touch_others`.
"""

from typing import Final

from msgspec import Struct

from rtflow.server.store.interface import Steps, one, run

__all__ = [
    "ACTIVITY",
    "PAGE",
    "UNREAD",
    "UNREAD_PAGE",
    "touch_activity",
    "touch_joined",
    "touch_others",
]

CROWD: Final = 10  # participants; 0002.sql draws the same line

ACTIVITY: Final = "coalesce(c.last_message_at, p.joined_at)"
UNREAD: Final = "c.last_number - p.read_number - p.deleted_unread"
IS_UNREAD: Final = f"({UNREAD} > 0 OR p.marked_unread > 0)"

SIZE: Final = (
    "SELECT c.is_crowded, (SELECT count(*) FROM (SELECT 1 FROM participants p"
    " WHERE p.conversation_id = c.id LIMIT ?2) AS sample) FROM conversations c WHERE c.id = ?1"
)
KEEP: Final = (
    f"UPDATE participants AS p SET activity = {ACTIVITY},"
    f" is_unread = CASE WHEN {IS_UNREAD} THEN 1 ELSE 0 END FROM conversations c"
    " WHERE c.id = ?1 AND c.is_crowded = 0 AND p.conversation_id = c.id"
    f" AND (coalesce(p.activity, -1) <> {ACTIVITY}"
    f" OR p.is_unread <> CASE WHEN {IS_UNREAD} THEN 1 ELSE 0 END)"
)

OTHERS: Final = (
    "UPDATE participants SET activity = ?3, is_unread = 1"
    " WHERE conversation_id = ?1 AND user_id <> ?2"
)

KEPT: Final = (
    "SELECT * FROM (SELECT p.conversation_id AS id, p.activity AS activity FROM participants p"
    " WHERE p.user_id = ?1 AND p.is_unread = {is_unread}"
    " AND p.activity <= ?2 AND (p.activity < ?2 OR p.conversation_id > ?3)"
    " ORDER BY p.activity DESC, p.conversation_id LIMIT ?4) AS kept"
)
CROWDED: Final = (
    f"SELECT p.conversation_id, {ACTIVITY} FROM participants p"
    " JOIN conversations c ON c.id = p.conversation_id"
    " WHERE p.user_id = ?1 AND p.is_unread = 0 AND p.activity IS NULL"
    f" AND {ACTIVITY} <= ?2 AND ({ACTIVITY} < ?2 OR p.conversation_id > ?3)"
)
MERGED: Final = "SELECT id, activity FROM ({}) AS merged ORDER BY activity DESC, id LIMIT ?4"
PAGE: Final = MERGED.format(
    " UNION ALL ".join((KEPT.format(is_unread=0), KEPT.format(is_unread=1), CROWDED))
)
"""The user ?1's next ?4 conversations after the place (?2, ?3): `id` and `activity`, in order."""
UNREAD_PAGE: Final = MERGED.format(
    " UNION ALL ".join((KEPT.format(is_unread=1), f"{CROWDED} AND {IS_UNREAD}"))
)
"""The same among those that are unread."""


def touch_activity(conversation_id: str) -> Steps[None]:
    """Keep the activities of a conversation right.

    To be called after whatever changed its last message or its number, or what a participant has
    read, marked, or missed by a deletion.
    """
    yield from run(KEEP, conversation_id)


def touch_others(conversation_id: str, sender: str, said_at: int) -> Steps[None]:
    """Do the same for all but the sender of a message, in a conversation that is not crowded.

    For them nothing has to be compared: it is the last one now, and nobody has read it.
    """
    yield from run(OTHERS, conversation_id, sender, said_at)


def touch_joined(conversation_id: str) -> Steps[None]:
    """Do the same after somebody has joined, and see whether that makes a crowd."""
    size = yield from one(_Size, SIZE, conversation_id, CROWD + 1)
    assert size is not None, "he has joined it"
    if size.is_crowded:
        return
    if size.sample <= CROWD:
        yield from touch_activity(conversation_id)
        return
    yield from run("UPDATE conversations SET is_crowded = 1 WHERE id = ?1", conversation_id)
    yield from run(
        "UPDATE participants SET activity = NULL, is_unread = 0 WHERE conversation_id = ?1",
        conversation_id,
    )


class _Size(Struct, frozen=True):
    is_crowded: int
    sample: int  # how many are in it, as far as it matters
