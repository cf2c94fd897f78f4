"""Keys: what of the server's data can be wanted, one name for each thing.

Not here: what is known of them (the noun that each belongs to). `ConversationKey` is made of two
others, so is `MessageKey`; lists and messages bring in the keys of what they show (`Noun.parts`).
"""

from msgspec import UNSET, Struct, structs

from rtflow.model.filters import AnyOf, ConversationFilter, Filter, normalised
from rtflow.model.frozen import FrozenDict

__all__ = [
    "ConversationKey",
    "Key",
    "LastKey",
    "ListKey",
    "MessageKey",
    "MessagesKey",
    "OnlineKey",
    "ParticipantKey",
    "ParticipantsKey",
    "ReactionsKey",
    "SaidKey",
    "SideKey",
    "TotalKey",
    "TypingKey",
    "UserKey",
]


class Key(Struct, frozen=True, gc=False):
    """Base of all keys."""


class UserKey(Key, frozen=True):
    """A user."""

    id: str


class OnlineKey(Key, frozen=True):
    """Whether a user has a connection."""

    user: str


class SideKey(Key, frozen=True):
    """A conversation as I see it, without its messages."""

    conversation: str


class LastKey(Key, frozen=True):
    """The last message of a conversation, its sender, and what it replies to."""

    conversation: str


class ConversationKey(Key, frozen=True):
    """A conversation as I see it, with its last message."""

    conversation: str


class MessagesKey(Key, frozen=True):
    """The newest messages of a conversation, their senders, and what they reply to."""

    conversation: str


class SaidKey(Key, frozen=True):
    """A message and its sender, without what it replies to."""

    conversation: str
    message: str


class MessageKey(Key, frozen=True):
    """A message, its sender, and what it replies to."""

    conversation: str
    message: str


class ListKey(Key, frozen=True):
    """My most recently active conversations that match a filter, each with its last message."""

    filter: Filter

    @classmethod
    def of(cls, given: Filter) -> "ListKey":
        """Return the key of a filter; filters that mean the same have equal keys."""
        given = normalised(given)
        if isinstance(given, ConversationFilter):
            return cls(_hashable(given))
        any_of: AnyOf = ("any", tuple(map(_hashable, given[1])))
        return cls(any_of)


class TotalKey(Key, frozen=True):
    """How many messages I have not read, over all my conversations."""


class ParticipantKey(Key, frozen=True):
    """Somebody's membership of a conversation."""

    conversation: str
    user: str


class ParticipantsKey(Key, frozen=True):
    """Who joined a conversation last."""

    conversation: str


class ReactionsKey(Key, frozen=True):
    """Who reacted first to a message with one emoji."""

    conversation: str
    message: str
    emoji: str


class TypingKey(Key, frozen=True):
    """Who is writing in a conversation."""

    conversation: str


def _hashable(simple: ConversationFilter) -> ConversationFilter:
    if simple.custom is UNSET:
        return simple
    return structs.replace(simple, custom=FrozenDict(simple.custom))
