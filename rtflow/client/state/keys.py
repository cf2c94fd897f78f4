"""Keys: what of the server's data can be wanted, one name for each thing.

A key is *known* when the state can answer for it. `ConversationKey` is made of two others; lists
and messages bring in the keys of what they show (`State.parts`).
"""

from typing import TypeAlias

from msgspec import UNSET, Struct, structs

from rtflow.model.filters import AnyOf, ConversationFilter, Filter, normalised
from rtflow.model.frozen import FrozenDict

__all__ = [
    "ConversationKey",
    "Key",
    "LastKey",
    "ListKey",
    "MessagesKey",
    "SideKey",
    "TotalKey",
    "UserKey",
]


class UserKey(Struct, frozen=True):
    """A user."""

    id: str


class SideKey(Struct, frozen=True):
    """A conversation as I see it, without its messages."""

    conversation: str


class LastKey(Struct, frozen=True):
    """The last message of a conversation, and its sender."""

    conversation: str


class ConversationKey(Struct, frozen=True):
    """A conversation as I see it, with its last message."""

    conversation: str


class MessagesKey(Struct, frozen=True):
    """The newest messages of a conversation, and their senders."""

    conversation: str


class ListKey(Struct, frozen=True):
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


class TotalKey(Struct, frozen=True):
    """How many messages I have not read, over all my conversations."""


Key: TypeAlias = UserKey | SideKey | LastKey | ConversationKey | MessagesKey | ListKey | TotalKey


def _hashable(simple: ConversationFilter) -> ConversationFilter:
    if simple.custom is UNSET:
        return simple
    return structs.replace(simple, custom=FrozenDict(simple.custom))
