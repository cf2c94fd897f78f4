"""Conversations: what all who are in one share, and what somebody is to one.

Not here: how one of them sees it (sides.py), who is in it (participants.py).
"""

from msgspec import UNSET, Struct

from rtflow.model.entities import Access
from rtflow.model.events import ConversationDiff, ConversationEdited
from rtflow.model.params import ConversationParams
from rtflow.server.domain.indexing import index_conversation
from rtflow.server.domain.merging import changed, map_diff, merge_map, put
from rtflow.server.domain.permissions import (
    Standing,
    may_create_conversation,
    may_edit_conversation,
    may_sync_conversations,
    require,
)
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.users import must_exist
from rtflow.server.store.interface import Entry, Outcome, Steps, one, run
from rtflow.wire.codec import decoder, encode
from rtflow.wire.endpoints import Done

__all__ = ["create_conversation", "set_conversation", "standing_of"]

_texts = decoder(dict[str, str])
_list = decoder(tuple[str, ...])


def create_conversation(
    actor: str, conversation_id: str, params: ConversationParams, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Create a conversation that nobody is in yet. Refuses when it exists."""
    require(may_sync_conversations(rules))
    yield from must_exist(actor)
    require(may_create_conversation((yield from standing_of(actor, conversation_id))))
    return (yield from _create(actor, conversation_id, params, now, rules))


def set_conversation(
    actor: str, conversation_id: str, params: ConversationParams, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Edit a conversation, or create it."""
    require(may_sync_conversations(rules))
    standing = yield from standing_of(actor, conversation_id)
    if standing is Standing.NOWHERE:
        yield from must_exist(actor)
        return (yield from _create(actor, conversation_id, params, now, rules))
    given = (params.subject, params.photo_url, params.welcome_messages, params.custom)
    changes = any(value is not UNSET for value in given)
    require(may_edit_conversation(standing, changes=changes))
    if not changes:
        return Outcome(Done())
    return (yield from _edit(conversation_id, params, rules))


def standing_of(user_id: str, conversation_id: str) -> Steps[Standing]:
    """Find what somebody is to a conversation."""
    row = yield from one(
        _StandingRow,
        "SELECT p.access, c.created_by,"
        " EXISTS (SELECT 1 FROM participants q WHERE q.conversation_id = c.id)"
        " FROM conversations c"
        " LEFT JOIN participants p ON p.conversation_id = c.id AND p.user_id = ?2"
        " WHERE c.id = ?1",
        conversation_id,
        user_id,
    )
    if row is None:
        return Standing.NOWHERE
    if row.access is not None:
        return Standing.inside(row.access)
    is_founder = row.created_by == user_id and not row.has_participants
    return Standing.FOUNDER if is_founder else Standing.STRANGER


class _StandingRow(Struct, frozen=True):
    access: Access | None
    created_by: str
    has_participants: int


class _Row(Struct, frozen=True):
    subject: str | None
    photo_url: str | None
    welcome_messages: str
    custom: str


class _Shared(Struct, frozen=True):
    """What all who are in a conversation share."""

    subject: str | None = None
    photo_url: str | None = None
    welcome_messages: tuple[str, ...] = ()
    custom: dict[str, str] = {}


def _create(
    actor: str, conversation_id: str, params: ConversationParams, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    new = _merged(_Shared(), params, rules)
    yield from run(
        "INSERT INTO conversations"
        " (id, subject, photo_url, welcome_messages, custom, created_at, created_by)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        conversation_id,
        *_columns(new),
        now,
        actor,
    )
    yield from index_conversation(conversation_id, new.subject)
    return Outcome(Done())  # nobody is in it, so there is nobody to tell


def _edit(conversation_id: str, params: ConversationParams, rules: Rules) -> Steps[Outcome[Done]]:
    row = yield from one(
        _Row,
        "SELECT subject, photo_url, welcome_messages, custom FROM conversations WHERE id = ?1",
        conversation_id,
    )
    assert row is not None, "whoever may edit it has been found in it"
    old = _Shared(
        row.subject,
        row.photo_url,
        _list.decode(row.welcome_messages),
        _texts.decode(row.custom),
    )
    new = _merged(old, params, rules)
    if new == old:
        return Outcome(Done())
    yield from run(
        "UPDATE conversations SET subject = ?2, photo_url = ?3, welcome_messages = ?4, custom = ?5"
        " WHERE id = ?1",
        conversation_id,
        *_columns(new),
    )
    if new.subject != old.subject:
        yield from index_conversation(conversation_id, new.subject)
    diff = ConversationDiff(
        subject=changed(old.subject, new.subject),
        photo_url=changed(old.photo_url, new.photo_url),
        welcome_messages=changed(old.welcome_messages, new.welcome_messages),
        custom=map_diff(old.custom, new.custom),
    )
    event = ConversationEdited(conversation_id=conversation_id, diff=diff)
    return Outcome(Done(), (Entry(event),))


def _merged(old: _Shared, params: ConversationParams, rules: Rules) -> _Shared:
    return _Shared(
        put(params.subject, old.subject, None),
        put(params.photo_url, old.photo_url, None),
        put(params.welcome_messages, old.welcome_messages, ()),
        merge_map(old.custom, params.custom, rules.max_custom_bytes),
    )


def _columns(it: _Shared) -> tuple[object, ...]:
    return (
        it.subject,
        it.photo_url,
        encode(it.welcome_messages).decode(),
        encode(it.custom).decode(),
    )
