"""Reactions: adding an emoji to a message, taking it back, and who has added it.

Not here: how often each emoji is on a message, as it travels with the message (tallies.py); what
counts as an emoji (emojis.py).
"""

from typing import Final

from msgspec import Struct

from rtflow.errors import BadRequest, NotFound
from rtflow.model.entities import Page, Reaction
from rtflow.model.events import ReactionAdded, ReactionRemoved
from rtflow.model.params import ListPage
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.emojis import check_emoji
from rtflow.server.domain.messages import message_row
from rtflow.server.domain.paging import Position, Time, place, resume
from rtflow.server.domain.permissions import may_react, may_see_conversation, require
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.tallies import Tallies, Tally, tallies
from rtflow.server.store.interface import Entry, Outcome, ReactionsTouched, Steps, one, rows, run
from rtflow.wire.codec import decoder, encode
from rtflow.wire.endpoints import Done

__all__ = ["add_reaction", "reactions", "remove_reaction"]

MOST_EMOJI: Final = 50  # different ones on a message


class After(Position, frozen=True, tag="reactions"):
    """Who reacted after somebody."""

    created_at: Time
    user_id: str


_after = decoder(After)


def add_reaction(
    actor: str,
    conversation_id: str,
    message_id: str,
    emoji: str,
    user_id: str,
    now: int,
    rules: Rules,
) -> Steps[Outcome[Done]]:
    """React to a message with an emoji. Whoever has done so already changes nothing."""
    found = yield from _found(actor, conversation_id, message_id, user_id)
    check_emoji(emoji)
    if (yield from _is_there(message_id, emoji, user_id)):
        return Outcome(Done())
    if emoji not in found and len(found) >= MOST_EMOJI:
        raise BadRequest(
            "TOO_MANY_REACTIONS",
            f"a message may have {MOST_EMOJI} different emoji: use one of them",
        )
    at = max(now, (yield from _last_at(message_id, emoji)) + 1)
    yield from run(
        "INSERT INTO reactions (message_id, emoji, user_id, created_at) VALUES (?1, ?2, ?3, ?4)",
        message_id,
        emoji,
        user_id,
        at,
    )
    old = found.get(emoji, Tally(at, 0))
    yield from _keep(message_id, {**found, emoji: Tally(old.created_at, old.count + 1)})
    added = ReactionAdded(
        conversation_id=conversation_id,
        message_id=message_id,
        emoji=emoji,
        user_id=user_id,
        created_at=at,
    )
    touched = ReactionsTouched(conversation_id, message_id, emoji)
    return Outcome(Done(), (Entry(added), Entry(touched)))


def remove_reaction(
    actor: str,
    conversation_id: str,
    message_id: str,
    emoji: str,
    user_id: str,
    now: int,
    rules: Rules,
) -> Steps[Outcome[Done]]:
    """Take a reaction back. Refuses if it is not there."""
    found = yield from _found(actor, conversation_id, message_id, user_id)
    if not (yield from _is_there(message_id, emoji, user_id)):
        raise NotFound("REACTION_NOT_FOUND", f"you have not reacted with {emoji!r} to this message")
    yield from run(
        "DELETE FROM reactions WHERE message_id = ?1 AND emoji = ?2 AND user_id = ?3",
        message_id,
        emoji,
        user_id,
    )
    old = found.pop(emoji)
    left = {emoji: Tally(old.created_at, old.count - 1)} if old.count > 1 else {}
    yield from _keep(message_id, found | left)
    removed = ReactionRemoved(
        conversation_id=conversation_id, message_id=message_id, emoji=emoji, user_id=user_id
    )
    touched = ReactionsTouched(conversation_id, message_id, emoji)
    return Outcome(Done(), (Entry(removed), Entry(touched)))


def reactions(
    actor: str, conversation_id: str, message_id: str, emoji: str, params: ListPage
) -> Steps[Page[Reaction]]:
    """Return a page of who reacted with an emoji, oldest first, ties by user id."""
    after = resume(_after, params.cursor) or After(0, "")
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))
    yield from message_row(conversation_id, message_id)
    check_emoji(emoji)
    found = yield from rows(
        _Row,
        "SELECT user_id, created_at FROM reactions WHERE message_id = ?1 AND emoji = ?2"
        " AND (created_at, user_id) > (?3, ?4) ORDER BY created_at, user_id LIMIT ?5",
        message_id,
        emoji,
        after.created_at,
        after.user_id,
        params.limit + 1,  # one more tells whether there is more
    )
    shown = tuple(
        Reaction(user_id=row.user_id, created_at=row.created_at) for row in found[: params.limit]
    )
    more = len(found) > params.limit
    return Page(shown, place(After(shown[-1].created_at, shown[-1].user_id)) if more else None)


class _Row(Struct, frozen=True):
    user_id: str
    created_at: int


class _Number(Struct, frozen=True):
    number: int


def _found(actor: str, conversation_id: str, message_id: str, user_id: str) -> Steps[Tallies]:
    """Return the tallies of a message to which somebody may react, or not (then refuse)."""
    standing = yield from standing_of(actor, conversation_id)
    require(may_react(standing, himself=user_id == actor))
    return tallies((yield from message_row(conversation_id, message_id)).reactions)


def _is_there(message_id: str, emoji: str, user_id: str) -> Steps[bool]:
    row = yield from one(
        _Number,
        "SELECT count(*) FROM reactions WHERE message_id = ?1 AND emoji = ?2 AND user_id = ?3",
        message_id,
        emoji,
        user_id,
    )
    return row is not None and row.number > 0


def _last_at(message_id: str, emoji: str) -> Steps[int]:
    """Return when the last one with this emoji reacted: the next one is later. 0: nobody did."""
    row = yield from one(
        _Number,
        "SELECT coalesce(max(created_at), 0) FROM reactions WHERE message_id = ?1 AND emoji = ?2",
        message_id,
        emoji,
    )
    return row.number if row else 0


def _keep(message_id: str, now: Tallies) -> Steps[None]:
    yield from run(
        "UPDATE messages SET reactions = ?2 WHERE id = ?1", message_id, encode(now).decode()
    )
