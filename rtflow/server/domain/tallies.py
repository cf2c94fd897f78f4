"""Tallies: how often each emoji was added to a message, and whether a reader has done so.

A message keeps its tallies with it, so a page of messages counts nothing; only where there are
some is it asked which are the reader's own.

Not here: adding and removing (reactions.py).
Invariant: a tally counts the rows in `reactions` of its message and emoji; none counts zero.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from rtflow.model.entities import ReactionSummary
from rtflow.model.events import MessageDiff
from rtflow.server.domain.many import rows_among
from rtflow.server.store.interface import Steps, one, rows
from rtflow.wire.codec import decoder

__all__ = ["NONE", "Reacted", "Tallies", "Tally", "own_emoji", "reacted", "summaries", "tallies"]

NONE: Final = "{}"  # the tallies of a message without reactions, as they are stored
OWN: Final = "SELECT message_id, emoji FROM reactions WHERE user_id = ?1 AND message_id IN ({ids})"
REACTORS: Final = "SELECT user_id FROM reactions WHERE message_id = ?1 AND emoji = ?2"
REACTORS_AMONG: Final = f"{REACTORS} AND user_id IN ({{ids}})"


class Tally(Struct, frozen=True, array_like=True):
    """Since when an emoji has been on a message, and how often it is."""

    created_at: int
    count: int

    def summary(self, *, is_own: bool) -> ReactionSummary:
        """Return what a reader sees of it."""
        return ReactionSummary(
            created_at=self.created_at, count=self.count, current_user_reacted=is_own
        )


Tallies: TypeAlias = dict[str, Tally]
"""By emoji."""

_tallies = decoder(Tallies)


class Reacted(Struct, frozen=True):
    """How some emoji stand on a message (None: not there), and each reader's own among them."""

    tallies: Mapping[str, Tally | None]
    own: Mapping[str, frozenset[str]]

    def diff(self, own: frozenset[str]) -> MessageDiff:
        """Return what to tell a reader whose own are these."""
        return MessageDiff(
            reactions={
                emoji: None if tally is None else tally.summary(is_own=emoji in own)
                for emoji, tally in self.tallies.items()
            }
        )


def tallies(stored: str) -> Tallies:
    """Read what is stored with a message."""
    return {} if stored == NONE else _tallies.decode(stored)


def summaries(stored: str, own: Collection[str]) -> dict[str, ReactionSummary]:
    """Return what a reader sees whose own are these."""
    found = tallies(stored).items()
    return {emoji: tally.summary(is_own=emoji in own) for emoji, tally in found}


def own_emoji(reader: str, message_ids: Sequence[str]) -> Steps[dict[str, frozenset[str]]]:
    """Return the emoji that a reader has added to each of these messages that has any of his."""
    found = yield from rows_among(_Own, OWN, reader, ids=message_ids)
    own: dict[str, frozenset[str]] = {}
    for row in found:
        own[row.message_id] = own.get(row.message_id, frozenset()) | {row.emoji}
    return own


def reacted(
    message_id: str, emoji: Collection[str], readers: Sequence[str]
) -> Steps[Reacted | None]:
    """Return how these emoji stand on a message, for all these readers; None when it is gone.

    Costs what the smaller of the two crowds costs: the readers, or those who reacted.
    """
    row = yield from one(_Stored, "SELECT reactions FROM messages WHERE id = ?1", message_id)
    if row is None:
        return None
    standing = tallies(row.reactions)
    own = dict.fromkeys(readers, frozenset[str]())
    for one_emoji in emoji:
        tally = standing.get(one_emoji)
        if tally is None:
            continue
        if tally.count < len(readers):
            found = yield from rows(_Reactor, REACTORS, message_id, one_emoji)
        else:
            found = yield from rows_among(
                _Reactor, REACTORS_AMONG, message_id, one_emoji, ids=readers
            )
        for reactor in found:
            if reactor.user_id in own:
                own[reactor.user_id] |= {one_emoji}
    return Reacted({it: standing.get(it) for it in sorted(emoji)}, own)


class _Own(Struct, frozen=True):
    message_id: str
    emoji: str


class _Stored(Struct, frozen=True):
    reactions: str


class _Reactor(Struct, frozen=True):
    user_id: str
