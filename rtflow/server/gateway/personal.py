"""What each receiver is told in his own way: his side of a conversation, and whether he is among
those who reacted to a message.

The log says only that something was touched. What it is now, for everybody who is connected and
watches, is read when it is delivered, in absolute values. So a change costs by those, not by all
participants, and what was touched several times in a batch is told once.

Not here: how it is read (rtflow.server.domain), who is connected (watchers.py).
Invariant: equal events are encoded once.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Set
from typing import TypeAlias, TypeVar

from msgspec import Struct, field

from rtflow.model.events import Event, MessageEdited, SideDiff, SideEdited
from rtflow.server.domain.tallies import Reacted
from rtflow.server.gateway.audience import Audience, of_conversation, of_messages
from rtflow.server.store.interface import ReactionsTouched, SideTouched, Touched
from rtflow.wire import codec

__all__ = ["MessageKey", "Seen", "Touches", "personal"]

H = TypeVar("H", bound=Hashable)

MessageKey: TypeAlias = tuple[str, str]
"""A conversation, and a message of it."""


class Touches(Struct):
    """What was touched in a batch."""

    sides: dict[str, set[str | None]] = field(default_factory=dict[str, set[str | None]])
    """By conversation: whose; None: everybody's."""
    reactions: dict[MessageKey, set[str]] = field(default_factory=dict[MessageKey, set[str]])
    """By message: which emoji."""

    def note(self, event: Touched) -> bool:
        """Note one more. False: the same was noted before, and is told once."""
        noted: set[str | None] | set[str]
        match event:
            case SideTouched():
                noted = sides = self.sides.setdefault(event.conversation_id, set())
                size = len(noted)
                sides.add(event.user_id)
            case ReactionsTouched():
                message = event.conversation_id, event.message_id
                noted = emoji = self.reactions.setdefault(message, set())
                size = len(noted)
                emoji.add(event.emoji)
        return len(noted) > size


class Seen(Struct, frozen=True):
    """What was read for a batch: the sides of all who may hear of it and are in the conversation,
    and how the touched reactions stand, on messages that are still there."""

    sides: Mapping[str, Mapping[str, SideDiff]]
    reactions: Mapping[MessageKey, Reacted]


def personal(touches: Touches, seen: Seen) -> Iterator[tuple[Audience, Mapping[str, bytes]]]:
    """Yield audiences, and the event for each user in them."""
    for message in touches.reactions:
        if (reacted := seen.reactions.get(message)) is not None:
            yield _of_reactions(*message, reacted)
    for conversation_id, users in touches.sides.items():
        yield _of_sides(conversation_id, users, seen.sides[conversation_id])


def _of_reactions(
    conversation_id: str, message_id: str, reacted: Reacted
) -> tuple[Audience, Mapping[str, bytes]]:
    def edited(own: frozenset[str]) -> Event:
        return MessageEdited(
            conversation_id=conversation_id, message_id=message_id, diff=reacted.diff(own)
        )

    return of_messages(conversation_id), _encoded(reacted.own, edited)


def _of_sides(
    conversation_id: str, users: Set[str | None], sides: Mapping[str, SideDiff]
) -> tuple[Audience, Mapping[str, bytes]]:
    def edited(diff: SideDiff) -> Event:
        return SideEdited(conversation_id=conversation_id, diff=diff)

    touched = {user: side for user, side in sides.items() if None in users or user in users}
    return of_conversation(conversation_id), _encoded(touched, edited)


def _encoded(by_user: Mapping[str, H], event: Callable[[H], Event]) -> dict[str, bytes]:
    """Encode the event that each user's value makes; that of equal values once."""
    encoded: dict[H, bytes] = {}
    told: dict[str, bytes] = {}
    for user_id, value in by_user.items():
        found = encoded.get(value)
        if found is None:
            found = encoded[value] = codec.encode(event(value))
        told[user_id] = found
    return told
