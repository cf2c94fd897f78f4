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


class UserSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """A user, as everybody sees it."""

    id: str
    """The user's id."""

    name: str
    """What others see."""

    custom: Custom
    """What the application keeps here, under keys of its own."""

    locale: str | None
    """The user's language, such as `en` or `pt-BR`."""

    photo_url: str | None
    """Where a picture of the user is."""

    role: str
    """Names what the application has decided about such users; `default` when it has not."""

    welcome_message: str | None
    """What others are shown when they begin to talk with the user."""


class UserOnlineSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """Whether a user is connected."""

    user: UserSnapshot
    """Who it is about."""

    is_connected: bool
    """Whether the user has a connection at this moment, from whatever program or device."""


class ReactionSummarySnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """How many reacted to a message with one emoji."""

    emoji: str
    """The emoji, or the name of one of the application's between colons, such as `:cat:`."""

    count: int
    """How many users reacted with it; at least 1."""

    current_user_reacted: bool
    """Whether the session's user is one of them."""


class BaseMessage(Struct, frozen=True, kw_only=True, gc=False):
    """What messages have in common, however deep inside each other."""

    id: str
    """The message's id, unique within its conversation."""

    type: Literal["UserMessage", "SystemMessage"]
    """Who speaks: a user, or the application."""

    sender: UserSnapshot | None
    """Who sent it; nobody in a system message, and when the user is gone."""

    content: tuple[Block, ...]
    """What it says: blocks of text, files, places."""

    plaintext: str
    """What it says, as text without markup."""

    custom: Custom
    """What the application keeps here, under keys of its own."""

    created_at: int
    """When it was sent (unix ms); of two in a conversation the later one has the higher number."""

    edited_at: int | None
    """When its content was last edited (unix ms), if ever."""

    origin: Origin
    """Which way it came in: `web` is a client such as this one."""

    reactions: tuple[ReactionSummarySnapshot, ...]
    """Who reacted how, in the order in which the emoji were first used."""


class ReferencedMessageSnapshot(BaseMessage, frozen=True, kw_only=True):
    """A message that another one replies to: as that one, but the chain ends here."""

    referenced_message_id: str | None
    """The id of the message that this one itself replies to."""


class MessageSnapshot(BaseMessage, frozen=True, kw_only=True):
    """A message."""

    referenced_message: ReferencedMessageSnapshot | None
    """The message that it replies to; nothing when it is no reply, or that one is gone."""


class ConversationSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """A conversation as the session's user sees it."""

    id: str
    """The conversation's id."""

    subject: str | None
    """What it is about."""

    photo_url: str | None
    """Where a picture for it is."""

    welcome_messages: tuple[str, ...]
    """What a client shows at its beginning, before the first message."""

    custom: Custom
    """What the application keeps here, under keys of its own."""

    created_at: int
    """When it was created (unix ms)."""

    joined_at: int
    """When the session's user joined (unix ms)."""

    last_message_at: int
    """When the last message was sent (unix ms); `created_at` while there is none."""

    last_message: MessageSnapshot | None
    """The newest message, if there is one."""

    unread_message_count: int
    """How many messages the session's user has not read."""

    is_unread: bool
    """Whether there is something to read; also with a count of 0, after `mark_as_unread`."""

    read_until: int
    """Up to when the session's user has read (unix ms)."""

    everyone_read_until: int
    """Up to when everybody has read (unix ms): the earliest `read_until` of all participants."""

    access: Access
    """What the session's user may do: only read, or take part."""

    notify: Notify
    """Whether the session's user wants to be notified of new messages, or of mentions only."""


class ParticipantSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody's membership of a conversation."""

    user: UserSnapshot | None
    """Who takes part; nobody when the user is gone."""

    access: Access
    """What this user may do: only read, or take part."""

    notify: Notify
    """Whether this user wants to be notified of new messages, or of mentions only."""

    joined_at: int
    """When this user joined (unix ms)."""


class ReactionSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody's reaction to a message with one emoji."""

    user: UserSnapshot | None
    """Who reacted; nobody when the user is gone."""

    created_at: int
    """When (unix ms)."""


class TypingSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """Who is writing in a conversation, the session's user aside."""

    many: bool
    """Whether more than five are writing; they are not named."""

    users: tuple[UserSnapshot, ...]
    """Who is writing, the longest first; empty when there are `many`."""


class SearchMessageSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """A message that a search has found, and where."""

    conversation: ConversationSnapshot
    """Where it was found."""

    message: MessageSnapshot
    """What was found."""


class TranslatedMessage(Struct, frozen=True, kw_only=True):
    """What a message says in another language."""

    content: tuple[Block, ...]
    """What it says: blocks of text, files, places."""

    plaintext: str
    """What it says, as text without markup."""


class Window(Struct, Generic[S], frozen=True):
    """The first part of a list, as long as was asked for."""

    items: tuple[S, ...]
    """What is in it, in the order of the list: newest first, but for reactions."""

    loaded_all: bool
    """Whether that is all. If not, there may be more: `load_more` tells."""


class ConnectionState(Struct, frozen=True, kw_only=True):
    """What the session's link to the server does."""

    status: Literal["idle", "connecting", "live", "waiting", "closed"]
    """`idle`: nothing was asked yet; `waiting`: lost, or not found, and trying again later;
    `closed`: for good."""

    reason: str | None = None
    """Why it is `waiting` or `closed`."""

    retry_in: float | None = None
    """After how many seconds a `waiting` one tries again."""
