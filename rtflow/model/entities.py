"""Raw entities as they travel (protocol.md 7). Times are unix milliseconds; null is "not set".

Not here: what a user of the library sees (snapshots.py). Fields that are told there are not told
again here. Unknown fields are ignored.
"""

from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Struct, UnsetType

from rtflow.model.content import Block

__all__ = [
    "Access",
    "Conversation",
    "FoundMessage",
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
    """When somebody first reacted with it (unix ms): the order of the reactions of a message."""

    count: int | UnsetType = UNSET
    current_user_reacted: bool | UnsetType = UNSET


class ReactionSummary(ReactionDiff, frozen=True, kw_only=True):
    """How often one emoji was added to a message, and whether the receiver did.

    It can stand where a diff does, with nothing left out.
    """

    # pyright wants defaults where the base has some; keywords need no order
    created_at: int  # pyright: ignore[reportGeneralTypeIssues]
    count: int  # pyright: ignore[reportGeneralTypeIssues]
    current_user_reacted: bool  # pyright: ignore[reportGeneralTypeIssues]


class Reaction(Entity, frozen=True, kw_only=True):
    """Somebody's reaction to a message with one emoji."""

    user_id: str
    """The id of who reacted."""

    created_at: int


class Online(Entity, frozen=True, kw_only=True):
    """Whether a user has at least one connection."""

    is_connected: bool


class Typing(Entity, frozen=True, kw_only=True):
    """Who is writing in a conversation, never the receiver."""

    many: bool = False

    users_typing: dict[str, int] | None = {}
    """By user id: since when (unix ms); null when there are `many`."""


class Message(Entity, frozen=True, kw_only=True):
    """A message."""

    id: str
    type: Literal["UserMessage", "SystemMessage"] = "UserMessage"
    sender_id: str | None
    """The id of the user who sent it; null in a system message."""

    custom: dict[str, str] = {}
    created_at: int
    edited_at: int | None = None
    referenced_message_id: str | None = None
    """The id of the message that it replies to."""

    origin: Origin = "web"
    content: tuple[Block, ...]
    reactions: dict[str, ReactionSummary] = {}
    """By emoji: who reacted how."""

    sender: User | UnsetType | None = UNSET
    """Only with `expand` (protocol.md 5.3): who sent it; null when that user is gone."""


class FoundMessage(Message, frozen=True, kw_only=True):
    """A message that a search has found, and where."""

    conversation_id: str
    """The id of the conversation that it is in."""


class Conversation(Entity, frozen=True, kw_only=True):
    """A conversation as one participant sees it: the conversation and that participant's side."""

    id: str
    subject: str | None = None
    photo_url: str | None = None
    welcome_messages: tuple[str, ...] = ()
    custom: dict[str, str] = {}
    created_at: int
    joined_at: int
    last_message_at: int
    """When the last message was sent (unix ms); equal to `joined_at` while there is none."""

    unread_message_count: int
    is_unread: bool
    read_until: int
    everyone_read_until: int
    access: Access
    notify: Notify
    last_message: Message | UnsetType | None = UNSET
    """Only with `expand`: the newest message, with its `sender`."""


class Participant(Entity, frozen=True, kw_only=True):
    """Somebody's membership of a conversation."""

    id: str
    """The user's id."""

    access: Access
    notify: Notify
    joined_at: int


class Page(Struct, Generic[T], frozen=True):
    """Part of a list."""

    data: tuple[T, ...]
    """The items."""

    cursor: str | None = None
    """Asks for the next part; null: there is no more."""
