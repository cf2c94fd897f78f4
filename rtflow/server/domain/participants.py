"""Participants: who is in a conversation, joining it, being edited, leaving.

A list of them has the latest joining first. No joining is earlier than one before it, even of one
who has left since, so who joins comes before every page that was read, and who leaves is missing
from none but his own: a cursor neither skips nor repeats anybody.

Not here: what a conversation looks like from inside (sides.py).
"""

from typing import Final

from msgspec import UNSET, Struct
from msgspec.json import Decoder

from rtflow.errors import Conflict, NotFound, RequestRefused
from rtflow.model.entities import Access, Notify, Page, Participant
from rtflow.model.events import (
    ParticipantCreated,
    ParticipantDeleted,
    ParticipantDiff,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
)
from rtflow.model.params import (
    ListPage,
    ParticipantAction,
    ParticipantActions,
    ParticipantParams,
)
from rtflow.server.domain.activity import touch_joined
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.merging import put
from rtflow.server.domain.paging import LATEST, Position, Time, place, resume
from rtflow.server.domain.permissions import (
    may_add_participant,
    may_edit_participant,
    may_remove_participant,
    may_see_conversation,
    may_sync_conversations,
    require,
)
from rtflow.server.domain.reading import everyone_read_until
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.sides import side_of
from rtflow.server.domain.users import must_exist
from rtflow.server.store.interface import Entry, Outcome, SideTouched, Steps, one, rows, run
from rtflow.wire.codec import decoder, encode
from rtflow.wire.endpoints import Done, ParticipantAnswer, ParticipantAnswers

__all__ = ["delete_participant", "participant", "participant_actions", "participants"]

COLUMNS: Final = "p.user_id, p.access, p.notify, p.joined_at"
ONE: Final = f"SELECT {COLUMNS} FROM participants p WHERE p.conversation_id = ?1 AND p.user_id = ?2"
PAGE: Final = (
    f"SELECT {COLUMNS} FROM participants p WHERE p.conversation_id = ?1"
    " AND p.joined_at <= ?2 AND (p.joined_at < ?2 OR p.user_id > ?3)"
    " ORDER BY p.joined_at DESC, p.user_id LIMIT ?4"
)

_notify: Decoder[Notify] = decoder(Notify)


class After(Position, frozen=True, tag="participants"):
    """Who comes after a participant in the list."""

    joined_at: Time
    id: str


_after = decoder(After)


def participants(actor: str, conversation_id: str, params: ListPage) -> Steps[Page[Participant]]:
    """Return a page of who is in a conversation, the latest joining first, then by id."""
    after = resume(_after, params.cursor)
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))
    found = yield from rows(
        _Row,
        PAGE,
        conversation_id,
        after.joined_at if after else LATEST,
        after.id if after else "",
        params.limit + 1,  # one more tells whether there is more
    )
    shown = tuple(row.participant() for row in found[: params.limit])
    more = len(found) > params.limit
    return Page(shown, place(After(shown[-1].joined_at, shown[-1].id)) if more else None)


def participant(actor: str, conversation_id: str, user_id: str) -> Steps[Participant]:
    """Return one of those who are in a conversation. Refuses if he is not, or the actor is not."""
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))
    row = yield from _find(conversation_id, user_id)
    if row is None:
        raise _no_participant(user_id)
    return row.participant()


def participant_actions(
    actor: str, conversation_id: str, params: ParticipantActions, now: int, rules: Rules
) -> Steps[Outcome[ParticipantAnswers]]:
    """Add and edit participants, one after the other. Each step is answered by itself."""
    require(may_sync_conversations(rules))
    answers: list[ParticipantAnswer] = []
    entries: list[Entry] = []
    for action in params.actions:
        try:
            entries += yield from _act(actor, conversation_id, action, now)
            answers.append(ParticipantAnswer(200))
        except RequestRefused as no:  # before its first write, so the earlier ones stay
            answers.append(ParticipantAnswer(no.status, no.code, no.reasons))
    return Outcome(ParticipantAnswers(tuple(answers)), tuple(entries))


def delete_participant(
    actor: str, conversation_id: str, user_id: str, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Take somebody out of a conversation, or leave it."""
    require(may_sync_conversations(rules))
    standing = yield from standing_of(actor, conversation_id)
    require(may_remove_participant(standing, himself=actor == user_id))
    if (yield from _find(conversation_id, user_id)) is None:
        raise _no_participant(user_id)
    before = yield from everyone_read_until(conversation_id)
    yield from run(
        "DELETE FROM participants WHERE conversation_id = ?1 AND user_id = ?2",
        conversation_id,
        user_id,
    )
    entries = [
        Entry(ParticipantDeleted(conversation_id=conversation_id, user_id=user_id)),
        Entry(SideDeleted(conversation_id=conversation_id), to=user_id),
    ]
    if (yield from everyone_read_until(conversation_id)) not in (before, None):
        entries.append(Entry(SideTouched(conversation_id)))
    return Outcome(Done(), tuple(entries))


class _Row(Struct, frozen=True):
    """`COLUMNS`, in their order."""

    user_id: str
    access: Access
    notify: str
    joined_at: int

    def participant(self) -> Participant:
        return Participant(
            id=self.user_id,
            access=self.access,
            notify=_notify.decode(self.notify),
            joined_at=self.joined_at,
        )


class _Newest(Struct, frozen=True):
    number: int
    last_message_at: int
    last_joined_at: int  # the latest joining of anybody, who may have left
    read_until: int
    joined_at: int  # the latest joining of the user, anywhere


def _act(
    actor: str, conversation_id: str, action: ParticipantAction, now: int
) -> Steps[list[Entry]]:
    standing = yield from standing_of(actor, conversation_id)
    himself = action.id == actor
    old = yield from _find(conversation_id, action.id)
    if old is not None and action.method == "POST" and standing.is_inside:
        raise Conflict("PARTICIPANT_ALREADY_EXISTS", f"{action.id!r} is in it already")
    if old is not None:
        access, notify = action.params.access, action.params.notify
        refusal = may_edit_participant(
            standing, himself=himself, access=access is not UNSET, notify=notify is not UNSET
        )
        require(refusal)
        return (yield from _edit(conversation_id, action.id, old, action.params))
    if action.method == "PATCH" and standing.is_inside:
        raise _no_participant(action.id)
    require(may_add_participant(standing, himself=himself))
    yield from must_exist(action.id)
    return (yield from _join(conversation_id, action.id, action.params, now))


def _join(
    conversation_id: str, user_id: str, params: ParticipantParams, now: int
) -> Steps[list[Entry]]:
    """Let somebody in, who has read all that was said before.

    No two of a user's joinings have the same time, so a list without messages has an order, too.
    """
    newest = yield from one(
        _Newest,
        "SELECT c.last_number, coalesce(c.last_message_at, 0), c.last_joined_at,"
        " coalesce((SELECT max(p.read_until) FROM participants p WHERE p.conversation_id = ?1), 0),"
        " coalesce((SELECT max(p.joined_at) FROM participants p WHERE p.user_id = ?2), 0)"
        " FROM conversations c WHERE c.id = ?1",
        conversation_id,
        user_id,
    )
    assert newest is not None, "nobody may join what is not there"
    participant = Participant(
        id=user_id,
        access=put(params.access, "ReadWrite", "ReadWrite"),
        notify=put(params.notify, True, True),
        joined_at=1
        + max(
            now - 1,
            newest.last_message_at,
            newest.last_joined_at,
            newest.read_until,
            newest.joined_at,
        ),
    )
    yield from run(
        "INSERT INTO participants"
        " (conversation_id, user_id, access, notify, joined_at, read_number, read_until)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5)",
        conversation_id,
        user_id,
        participant.access,
        encode(participant.notify).decode(),
        participant.joined_at,
        newest.number,
    )
    yield from run(
        "UPDATE conversations SET last_joined_at = ?2 WHERE id = ?1",
        conversation_id,
        participant.joined_at,
    )
    yield from touch_joined(conversation_id)
    side = yield from side_of(user_id, conversation_id)
    assert side is not None, "he has just joined"
    joined = ParticipantCreated(conversation_id=conversation_id, user_id=user_id, state=participant)
    return [  # to him the conversation begins first: nobody is in one that he does not know
        Entry(SideCreated(conversation_id=conversation_id, state=side), to=user_id),
        Entry(joined),
    ]


def _edit(
    conversation_id: str, user_id: str, old: _Row, params: ParticipantParams
) -> Steps[list[Entry]]:
    old_notify = _notify.decode(old.notify)
    access: Access = put(params.access, old.access, old.access)
    notify: Notify = put(params.notify, old_notify, old_notify)
    diff = ParticipantDiff(
        access=UNSET if access == old.access else access,
        notify=UNSET if notify == old_notify else notify,
    )
    if diff == ParticipantDiff():
        return []
    yield from run(
        "UPDATE participants SET access = ?3, notify = ?4"
        " WHERE conversation_id = ?1 AND user_id = ?2",
        conversation_id,
        user_id,
        access,
        encode(notify).decode(),
    )
    return [Entry(ParticipantEdited(conversation_id=conversation_id, user_id=user_id, diff=diff))]


def _find(conversation_id: str, user_id: str) -> Steps[_Row | None]:
    return (yield from one(_Row, ONE, conversation_id, user_id))


def _no_participant(user_id: str) -> RequestRefused:
    return NotFound("PARTICIPANT_NOT_FOUND", f"{user_id!r} is not in this conversation")
