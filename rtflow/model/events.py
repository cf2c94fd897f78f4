"""What happened, as the server pushes it (protocol.md 6). `type` is the tag.

In a diff an absent key means "unchanged"; `custom` merges key by key with null = delete, null =
clear all. An event applied twice changes nothing the second time.
"""

from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from rtflow.model.content import Block
from rtflow.model.entities import (
    Access,
    Conversation,
    Message,
    Notify,
    Participant,
    ReactionDiff,
    Typing,
    User,
)

__all__ = [
    "ConversationCleared",
    "ConversationDiff",
    "ConversationEdited",
    "Event",
    "MessageCreated",
    "MessageDeleted",
    "MessageDiff",
    "MessageEdited",
    "OnlineDiff",
    "ParticipantCreated",
    "ParticipantDeleted",
    "ParticipantDiff",
    "ParticipantEdited",
    "ReactionAdded",
    "ReactionRemoved",
    "SessionExpiredEvent",
    "SideCreated",
    "SideDeleted",
    "SideDiff",
    "SideEdited",
    "TypingAvailable",
    "TypingChanged",
    "TypingDiff",
    "UpstreamRestarting",
    "UserCreated",
    "UserDiff",
    "UserEdited",
    "UserOnlineChanged",
]

CustomDiff: TypeAlias = dict[str, str | None] | UnsetType | None


class Diff(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Base of all diffs."""


class UserDiff(Diff, frozen=True, kw_only=True):
    """What changed of a user."""

    name: str | UnsetType = UNSET
    custom: CustomDiff = UNSET
    locale: str | UnsetType | None = UNSET
    photo_url: str | UnsetType | None = UNSET
    role: str | UnsetType = UNSET
    welcome_message: str | UnsetType | None = UNSET


class ConversationDiff(Diff, frozen=True, kw_only=True):
    """What changed of a conversation, for all who are in it."""

    subject: str | UnsetType | None = UNSET
    photo_url: str | UnsetType | None = UNSET
    welcome_messages: tuple[str, ...] | UnsetType | None = UNSET
    custom: CustomDiff = UNSET


class SideDiff(Diff, frozen=True, kw_only=True):
    """What changed of my side of a conversation. All values are absolute."""

    last_message_at: int | UnsetType = UNSET
    unread_message_count: int | UnsetType = UNSET
    is_unread: bool | UnsetType = UNSET
    read_until: int | UnsetType = UNSET
    everyone_read_until: int | UnsetType = UNSET


class ParticipantDiff(Diff, frozen=True, kw_only=True):
    """What changed of somebody's membership."""

    access: Access | UnsetType = UNSET
    notify: Notify | UnsetType = UNSET


class MessageDiff(Diff, frozen=True, kw_only=True):
    """What changed of a message.

    `reactions` merges emoji by emoji: null, or a count of 0, takes one away.
    """

    content: tuple[Block, ...] | UnsetType = UNSET
    custom: CustomDiff = UNSET
    edited_at: int | UnsetType | None = UNSET
    reactions: dict[str, ReactionDiff | None] | UnsetType = UNSET


class OnlineDiff(Diff, frozen=True, kw_only=True):
    """Whether a user has a connection; all there is to know."""

    is_connected: bool


class TypingDiff(Diff, frozen=True, kw_only=True):
    """Who began to write (since when) and who stopped (null).

    `many` true: from now on there are too many to name; false: `users_typing` names all again.
    """

    many: bool | UnsetType = UNSET
    users_typing: dict[str, int | None] | UnsetType | None = UNSET


class BaseEvent(Struct, frozen=True, tag_field="type", rename="camel", gc=False):
    """Base of all events."""


class UserCreated(BaseEvent, frozen=True, kw_only=True, tag="user.created"):
    """A user came into being."""

    user_id: str
    state: User


class UserEdited(BaseEvent, frozen=True, kw_only=True, tag="user.edited"):
    """A user changed."""

    user_id: str
    diff: UserDiff


class UserOnlineChanged(BaseEvent, frozen=True, kw_only=True, tag="user.online.changed"):
    """A user's first connection began, or the last one ended."""

    user_id: str
    diff: OnlineDiff


class SideCreated(BaseEvent, frozen=True, kw_only=True, tag="side.created"):
    """I joined a conversation; `state` is the conversation as I see it."""

    conversation_id: str
    state: Conversation


class SideEdited(BaseEvent, frozen=True, kw_only=True, tag="side.edited"):
    """My side of a conversation changed."""

    conversation_id: str
    diff: SideDiff


class SideDeleted(BaseEvent, frozen=True, kw_only=True, tag="side.deleted"):
    """I left a conversation, or it is gone."""

    conversation_id: str


class ConversationEdited(BaseEvent, frozen=True, kw_only=True, tag="conversation.edited"):
    """A conversation changed, for all who are in it."""

    conversation_id: str
    diff: ConversationDiff


class ParticipantCreated(BaseEvent, frozen=True, kw_only=True, tag="participant.created"):
    """Somebody joined."""

    conversation_id: str
    user_id: str
    state: Participant


class ParticipantEdited(BaseEvent, frozen=True, kw_only=True, tag="participant.edited"):
    """Somebody's access or notify changed."""

    conversation_id: str
    user_id: str
    diff: ParticipantDiff


class ParticipantDeleted(BaseEvent, frozen=True, kw_only=True, tag="participant.deleted"):
    """Somebody left."""

    conversation_id: str
    user_id: str


class MessageCreated(BaseEvent, frozen=True, kw_only=True, tag="message.created"):
    """Somebody said something. `message_id` is `state.id`."""

    conversation_id: str
    message_id: str
    state: Message


class MessageEdited(BaseEvent, frozen=True, kw_only=True, tag="message.edited"):
    """A message changed."""

    conversation_id: str
    message_id: str
    diff: MessageDiff


class MessageDeleted(BaseEvent, frozen=True, kw_only=True, tag="message.deleted"):
    """A message is gone. `new_last_message` is the newest one now, when that changed."""

    conversation_id: str
    message_id: str
    new_last_message: Message | UnsetType | None = UNSET


class ConversationCleared(BaseEvent, frozen=True, kw_only=True, tag="conversation.cleared"):
    """All messages of a conversation are gone."""

    conversation_id: str


class ReactionAdded(BaseEvent, frozen=True, kw_only=True, tag="reaction.added"):
    """Somebody reacted to a message."""

    conversation_id: str
    message_id: str
    emoji: str
    user_id: str
    created_at: int


class ReactionRemoved(BaseEvent, frozen=True, kw_only=True, tag="reaction.removed"):
    """Somebody took a reaction back."""

    conversation_id: str
    message_id: str
    emoji: str
    user_id: str


class TypingAvailable(BaseEvent, frozen=True, kw_only=True, tag="typing.available"):
    """I joined a conversation, and this is who writes there."""

    conversation_id: str
    state: Typing


class TypingChanged(BaseEvent, frozen=True, kw_only=True, tag="typing.changed"):
    """Somebody began to write, or stopped."""

    conversation_id: str
    diff: TypingDiff


class SessionExpiredEvent(BaseEvent, frozen=True, kw_only=True, tag="session.expired"):
    """The token has expired: renew it on the same connection, then subscribe again."""


class UpstreamRestarting(BaseEvent, frozen=True, kw_only=True, tag="upstream.restarting"):
    """The server is about to restart."""


Event: TypeAlias = (
    UserCreated
    | UserEdited
    | UserOnlineChanged
    | SideCreated
    | SideEdited
    | SideDeleted
    | ConversationEdited
    | ConversationCleared
    | ParticipantCreated
    | ParticipantEdited
    | ParticipantDeleted
    | MessageCreated
    | MessageEdited
    | MessageDeleted
    | ReactionAdded
    | ReactionRemoved
    | TypingAvailable
    | TypingChanged
    | SessionExpiredEvent
    | UpstreamRestarting
)
