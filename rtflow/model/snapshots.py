"""What you see: immutable values, comparable, hashable and picklable. Times are unix milliseconds.

Not here: how they are kept fresh (rtflow.client). Email, phone and push tokens never appear: they
are private.
"""

from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from rtflow.model.content import Block
from rtflow.model.entities import Access, Notify, Origin
from rtflow.model.frozen import FrozenDict

__all__ = [
    "ConnectionState",
    "ConversationSnapshot",
    "MessageSnapshot",
    "ParticipantSnapshot",
    "ReactionSnapshot",
    "ReactionSummarySnapshot",
    "ReferencedMessageSnapshot",
    "SearchMessageSnapshot",
    "TranslatedMessage",
    "TypingSnapshot",
    "UserOnlineSnapshot",
    "UserSnapshot",
    "Window",
]

S = TypeVar("S")
Custom: TypeAlias = FrozenDict[str, str]


class UserSnapshot(Struct, frozen=True, kw_only=True):
    """A user, as everybody sees it. `locale`, `photo_url` and `welcome_message` may be None."""

    id: str
    name: str
    custom: Custom
    locale: str | None
    photo_url: str | None
    role: str
    welcome_message: str | None


class UserOnlineSnapshot(Struct, frozen=True, kw_only=True):
    """Whether a user has a connection at this moment."""

    user: UserSnapshot
    is_connected: bool


class ReactionSummarySnapshot(Struct, frozen=True, kw_only=True):
    """How many reacted to a message with one emoji, and whether the session's user is one."""

    emoji: str
    count: int
    current_user_reacted: bool


class ReferencedMessageSnapshot(Struct, frozen=True, kw_only=True):
    """A message that another one replies to. As a `MessageSnapshot`, but one level deep: what it
    replies to itself is only named, by `referenced_message_id`."""

    id: str
    type: Literal["UserMessage", "SystemMessage"]
    sender: UserSnapshot | None
    content: tuple[Block, ...]
    plaintext: str
    custom: Custom
    created_at: int
    edited_at: int | None
    origin: Origin
    referenced_message_id: str | None
    reactions: tuple[ReactionSummarySnapshot, ...]


class MessageSnapshot(Struct, frozen=True, kw_only=True):
    """A message. `sender` is None for system messages and for users that are gone.

    `plaintext` is the content without markup; `edited_at` is None when it was never edited.
    `referenced_message` is what it replies to; None when it is no reply, or that is gone.
    `reactions` are in the order in which their emoji were first used.
    """

    id: str
    type: Literal["UserMessage", "SystemMessage"]
    sender: UserSnapshot | None
    content: tuple[Block, ...]
    plaintext: str
    custom: Custom
    created_at: int
    edited_at: int | None
    origin: Origin
    referenced_message: ReferencedMessageSnapshot | None
    reactions: tuple[ReactionSummarySnapshot, ...]


class ConversationSnapshot(Struct, frozen=True, kw_only=True):
    """A conversation as the session's user sees it.

    `last_message_at` is `created_at` while there is no message. `is_unread` can be true with a
    count of 0: somebody marked it. `everyone_read_until` is the earliest `read_until` of all
    participants.
    """

    id: str
    subject: str | None
    photo_url: str | None
    welcome_messages: tuple[str, ...]
    custom: Custom
    created_at: int
    joined_at: int
    last_message_at: int
    last_message: MessageSnapshot | None
    unread_message_count: int
    is_unread: bool
    read_until: int
    everyone_read_until: int
    access: Access
    notify: Notify


class ParticipantSnapshot(Struct, frozen=True, kw_only=True):
    """A membership of a conversation. `user` is None when the user is gone."""

    user: UserSnapshot | None
    access: Access
    notify: Notify
    joined_at: int


class ReactionSnapshot(Struct, frozen=True, kw_only=True):
    """Somebody's reaction with one emoji. `user` is None when the user is gone."""

    user: UserSnapshot | None
    created_at: int


class TypingSnapshot(Struct, frozen=True, kw_only=True):
    """Who is writing in a conversation, the session's user aside, longest first.

    `many` True: more than five, who are not named, and `users` is empty.
    """

    many: bool
    users: tuple[UserSnapshot, ...]


class SearchMessageSnapshot(Struct, frozen=True, kw_only=True):
    """A message that a search has found, and where."""

    conversation: ConversationSnapshot
    message: MessageSnapshot


class TranslatedMessage(Struct, frozen=True, kw_only=True):
    """What a message says in another language. `plaintext` is `content` without markup."""

    content: tuple[Block, ...]
    plaintext: str


class Window(Struct, Generic[S], frozen=True):
    """The newest part of a list. `loaded_all` says that there is nothing beyond it."""

    items: tuple[S, ...]
    loaded_all: bool


class ConnectionState(Struct, frozen=True, kw_only=True):
    """What the session's link to the server does.

    `idle` (nothing was asked yet), `connecting`, `live`, `waiting` (lost; `reason` says why,
    `retry_in` after how many seconds it tries again) and `closed` (`reason` says why; it will not
    come back).
    """

    status: Literal["idle", "connecting", "live", "waiting", "closed"]
    reason: str | None = None
    retry_in: float | None = None
