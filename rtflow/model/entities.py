"""Raw entities as they travel (protocol.md 7). Times are unix milliseconds; null is "not set".

Not here: what a user of the library sees (snapshots.py). Unknown fields are ignored.
"""

from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Struct, UnsetType

from rtflow.model.content import Block

__all__ = [
    "Access",
    "Conversation",
    "Message",
    "Notify",
    "Online",
    "Origin",
    "Page",
    "Participant",
    "Reaction",
    "ReactionDiff",
    "ReactionSummary",
    "Typing",
    "User",
]

Access: TypeAlias = Literal["Read", "ReadWrite"]
Notify: TypeAlias = bool | Literal["MentionsOnly"]
Origin: TypeAlias = Literal["rest", "import", "email", "web"]
T = TypeVar("T")


class Entity(Struct, frozen=True, rename="camel", gc=False):
    """Base of all entities."""


class User(Entity, frozen=True, kw_only=True):
    """The public half of a user. Email, phone and push tokens never travel this way."""

    id: str
    name: str
    role: str
    custom: dict[str, str] = {}
    locale: str | None = None
    photo_url: str | None = None
    welcome_message: str | None = None


class ReactionDiff(Entity, frozen=True, kw_only=True, omit_defaults=True):
    """What changed of a `ReactionSummary`; what is not known to the receiver comes whole."""

    created_at: int | UnsetType = UNSET
    count: int | UnsetType = UNSET
    current_user_reacted: bool | UnsetType = UNSET


class ReactionSummary(ReactionDiff, frozen=True, kw_only=True):
    """How often one emoji was added to a message, and whether the receiver did.

    `created_at` is when it was first used: summaries are in that order. It can stand where a diff
    does, with nothing left out.
    """

    # pyright wants defaults where the base has some; keywords need no order
    created_at: int  # pyright: ignore[reportGeneralTypeIssues]
    count: int  # pyright: ignore[reportGeneralTypeIssues]
    current_user_reacted: bool  # pyright: ignore[reportGeneralTypeIssues]


class Reaction(Entity, frozen=True, kw_only=True):
    """Somebody's reaction to a message with one emoji."""

    user_id: str
    created_at: int


class Online(Entity, frozen=True, kw_only=True):
    """Whether a user has at least one connection."""

    is_connected: bool


class Typing(Entity, frozen=True, kw_only=True):
    """Who is writing in a conversation, never the receiver.

    `users_typing` maps each to since when; null when there are `many` (more than five).
    """

    many: bool = False
    users_typing: dict[str, int] | None = {}


class Message(Entity, frozen=True, kw_only=True):
    """A message. `sender_id` is null for system messages.

    `sender` comes only with `expand` (architecture.md 4): the sending user, null when it is gone.
    """

    id: str
    type: Literal["UserMessage", "SystemMessage"] = "UserMessage"
    sender_id: str | None
    custom: dict[str, str] = {}
    created_at: int
    edited_at: int | None = None
    referenced_message_id: str | None = None
    origin: Origin = "web"
    content: tuple[Block, ...]
    reactions: dict[str, ReactionSummary] = {}
    sender: User | UnsetType | None = UNSET


class Conversation(Entity, frozen=True, kw_only=True):
    """A conversation as one participant sees it: the conversation and that participant's side.

    `last_message_at` equals `joined_at` while there is no message. `last_message` comes only with
    `expand`.
    """

    id: str
    subject: str | None = None
    photo_url: str | None = None
    welcome_messages: tuple[str, ...] = ()
    custom: dict[str, str] = {}
    created_at: int
    joined_at: int
    last_message_at: int
    unread_message_count: int
    is_unread: bool
    read_until: int
    everyone_read_until: int
    access: Access
    notify: Notify
    last_message: Message | UnsetType | None = UNSET


class Participant(Entity, frozen=True, kw_only=True):
    """Somebody's membership of a conversation. `id` is the user's."""

    id: str
    access: Access
    notify: Notify
    joined_at: int


class Page(Struct, Generic[T], frozen=True):
    """Part of a list. `cursor` asks for the next part; null: there is no more."""

    data: tuple[T, ...]
    cursor: str | None = None
