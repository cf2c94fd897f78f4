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
    """When the last message was sent (unix ms); that I joined, when there is none any more."""

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
    """By emoji; null, or a count of 0: nobody reacts with it any more. Others stay as they are."""


class OnlineDiff(Diff, frozen=True, kw_only=True):
    """Whether a user has a connection; all there is to know."""

    is_connected: bool


class TypingDiff(Diff, frozen=True, kw_only=True):
    """Who began to write, and who stopped."""

    many: bool | UnsetType = UNSET
    """True: from now on there are too many to name; false: `users_typing` names all again."""

    users_typing: dict[str, int | None] | UnsetType | None = UNSET
    """By user id: since when (unix ms); null: not any more. Users that are not named go on."""


class BaseEvent(Struct, frozen=True, tag_field="type", rename="camel", gc=False):
    """Base of all events."""


class UserEvent(BaseEvent, frozen=True, kw_only=True):
    """Something about a user."""

    user_id: str
    """The user's id."""


class ConversationEvent(BaseEvent, frozen=True, kw_only=True):
    """Something about a conversation."""

    conversation_id: str
    """The conversation's id."""


class ParticipantEvent(ConversationEvent, frozen=True, kw_only=True):
    """Something about a membership."""

    user_id: str
    """The id of the user whose membership it is."""


class MessageEvent(ConversationEvent, frozen=True, kw_only=True):
    """Something about a message."""

    message_id: str
    """The message's id."""


class ReactionEvent(MessageEvent, frozen=True, kw_only=True):
    """Something about a reaction."""

    emoji: str
    """The emoji that is reacted with."""

    user_id: str
    """The id of the user whose reaction it is."""


class UserCreated(UserEvent, frozen=True, kw_only=True, tag="user.created"):
    """A user came into being."""

    state: User
    """The user as it is now."""


class UserEdited(UserEvent, frozen=True, kw_only=True, tag="user.edited"):
    """A user changed."""

    diff: UserDiff
    """What changed."""


class UserOnlineChanged(UserEvent, frozen=True, kw_only=True, tag="user.online.changed"):
    """A user's first connection began, or the last one ended."""

    diff: OnlineDiff
    """How it is now."""


class SideCreated(ConversationEvent, frozen=True, kw_only=True, tag="side.created"):
    """I joined a conversation."""

    state: Conversation
    """The conversation as I see it."""


class SideEdited(ConversationEvent, frozen=True, kw_only=True, tag="side.edited"):
    """My side of a conversation changed."""

    diff: SideDiff
    """What changed."""


class SideDeleted(ConversationEvent, frozen=True, kw_only=True, tag="side.deleted"):
    """I left a conversation, or it is gone."""


class ConversationEdited(ConversationEvent, frozen=True, kw_only=True, tag="conversation.edited"):
    """A conversation changed, for all who are in it."""

    diff: ConversationDiff
    """What changed."""


class ParticipantCreated(ParticipantEvent, frozen=True, kw_only=True, tag="participant.created"):
    """Somebody joined."""

    state: Participant
    """The membership as it is now."""


class ParticipantEdited(ParticipantEvent, frozen=True, kw_only=True, tag="participant.edited"):
    """Somebody's access or notify changed."""

    diff: ParticipantDiff
    """What changed."""


class ParticipantDeleted(ParticipantEvent, frozen=True, kw_only=True, tag="participant.deleted"):
    """Somebody left."""


class MessageCreated(MessageEvent, frozen=True, kw_only=True, tag="message.created"):
    """Somebody said something."""

    state: Message
    """The message."""


class MessageEdited(MessageEvent, frozen=True, kw_only=True, tag="message.edited"):
    """A message changed."""

    diff: MessageDiff
    """What changed."""


class MessageDeleted(MessageEvent, frozen=True, kw_only=True, tag="message.deleted"):
    """A message is gone, and with it the reactions to it. Replies to it refer to nothing now."""

    new_last_message: Message | UnsetType | None = UNSET
    """The newest message now, if that changed; null: none is left. In its `reactions` nobody is the
    receiver; a `message.edited` in the same frame tells whether he is."""


class ConversationCleared(ConversationEvent, frozen=True, kw_only=True, tag="conversation.cleared"):
    """All messages of a conversation are gone."""


class ReactionAdded(ReactionEvent, frozen=True, kw_only=True, tag="reaction.added"):
    """Somebody reacted to a message."""

    created_at: int
    """When (unix ms)."""


class ReactionRemoved(ReactionEvent, frozen=True, kw_only=True, tag="reaction.removed"):
    """Somebody took a reaction back."""


class TypingAvailable(ConversationEvent, frozen=True, kw_only=True, tag="typing.available"):
    """I joined a conversation in which somebody is writing, or may."""

    state: Typing
    """Who is writing there."""


class TypingChanged(ConversationEvent, frozen=True, kw_only=True, tag="typing.changed"):
    """Somebody began to write, or stopped."""

    diff: TypingDiff
    """Who."""


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
