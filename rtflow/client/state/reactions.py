"""Reactions: the noun of who reacted to a message with one emoji.

Not here: how many did, which is part of the message (talk.py).
"""

from typing import TypeAlias, assert_never

from rtflow.client.state.keys import ReactionsKey
from rtflow.client.state.windows import Windows
from rtflow.model.entities import Reaction
from rtflow.model.events import (
    ConversationCleared,
    MessageCreated,
    MessageDeleted,
    ReactionAdded,
    ReactionRemoved,
    SideCreated,
    SideDeleted,
)
from rtflow.model.snapshots import ReactionSnapshot, UserSnapshot
from rtflow.wire.endpoints import GET_REACTIONS, UNWATCH_REACTIONS, WATCH_REACTIONS

__all__ = ["Reactions"]

AboutReactions: TypeAlias = (
    ReactionAdded | ReactionRemoved | MessageCreated | MessageDeleted | ConversationCleared
)


class Reactions(Windows[ReactionsKey, Reaction, ReactionSnapshot]):
    """Who reacted, earliest first. None: there is no such message, or I am not there."""

    kinds = (ReactionsKey,)
    topics = (WATCH_REACTIONS, UNWATCH_REACTIONS)
    answers = (GET_REACTIONS,)
    events = (
        ReactionAdded,
        ReactionRemoved,
        MessageCreated,
        MessageDeleted,
        ConversationCleared,
        SideCreated,
        SideDeleted,
    )
    most = (
        30  # what the official client asks for (protocol.md 5.8); more is not known to be allowed
    )
    oldest_first = True

    def place(self, item: Reaction) -> tuple[str, int]:
        """See `Windows`."""
        return item.user_id, item.created_at

    def portrait(self, item: Reaction, user: UserSnapshot | None) -> ReactionSnapshot:
        """See `Windows`."""
        return ReactionSnapshot(user=user, created_at=item.created_at)

    def change(self, event: AboutReactions) -> None:
        """See `Keyed`."""
        id = event.conversation_id
        match event:
            case ReactionAdded(message_id=message, emoji=emoji, user_id=user, created_at=at):
                reaction = Reaction(user_id=user, created_at=at)
                self.set_item(ReactionsKey(id, message, emoji), reaction)
            case ReactionRemoved(message_id=message, emoji=emoji, user_id=user):
                self.remove_item(ReactionsKey(id, message, emoji), user)
            case MessageCreated(message_id=message):
                for key in self.below(id, message):
                    self.lose(key)
            case MessageDeleted(message_id=message):
                self.end(id, message)
            case ConversationCleared():
                self.end(id)
            case _:
                assert_never(event)
