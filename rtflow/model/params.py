"""Parameters of requests: Structs for the wire, TypedDicts for keyword arguments.

An absent key (`UNSET`) leaves the property alone, `None` resets it. Unknown keys are ignored on
the wire (a newer peer may send some).

Not here: how keyword arguments are checked (arguments.py).

A field that sets what a snapshot shows is told there (snapshots.py); a keyword argument is told
with the field of that name in the Struct that it goes into.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Required, TypeAlias, TypedDict

from msgspec import UNSET, Meta, Struct, UnsetType

from rtflow.model.content import SendBlock
from rtflow.model.entities import Access, Notify
from rtflow.model.filters import Filter
from rtflow.model.ids import Id

__all__ = [
    "ConversationFields",
    "ConversationPage",
    "ConversationParams",
    "CreateUser",
    "CreateUserFields",
    "EditMessage",
    "Empty",
    "Expand",
    "GetConversation",
    "ListPage",
    "MarkParams",
    "MessageFields",
    "Params",
    "ParticipantAction",
    "ParticipantActions",
    "ParticipantFields",
    "ParticipantParams",
    "Renew",
    "SendMessage",
    "SetUser",
    "SetUserFields",
    "Translate",
    "UserIds",
    "ValidateFile",
]

Name = Annotated[str, Meta(min_length=1, max_length=1_000)]
Text = Annotated[str, Meta(max_length=10_000)]
Url = Annotated[str, Meta(max_length=4_000)]
Word = Annotated[str, Meta(min_length=1, max_length=255)]
Custom = Annotated[dict[Word, Annotated[str, Meta(max_length=10_000)] | None], Meta(max_length=200)]
Contacts: TypeAlias = str | Annotated[tuple[Word, ...], Meta(max_length=20)]
Tokens = Annotated[
    dict[Annotated[str, Meta(max_length=4_000)], Literal[1] | bool | None], Meta(max_length=50)
]
Expand: TypeAlias = tuple[Literal["lastMessage"], ...]


class Params(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of all parameters."""


class Empty(Params, frozen=True, kw_only=True):
    """No parameters."""


class Renew(Params, frozen=True, kw_only=True):
    """Who I am, shown once more."""

    token: Annotated[str, Meta(max_length=16_384)]
    """A JWT, or what the token endpoint of the app gave."""

    def __repr__(self) -> str:
        return "Renew(token=...)"


class UserIds(Params, frozen=True, kw_only=True):
    """Which users."""

    ids: Annotated[tuple[Id, ...], Meta(max_length=1_000)]
    """Their ids."""


class CreateUser(Params, frozen=True, kw_only=True):
    """Properties of a new user."""

    name: Name
    custom: Custom | UnsetType | None = UNSET
    email: Contacts | UnsetType | None = UNSET
    locale: Word | UnsetType | None = UNSET
    phone: Contacts | UnsetType | None = UNSET
    photo_url: Url | UnsetType | None = UNSET
    push_tokens: Tokens | UnsetType | None = UNSET
    role: Word | UnsetType | None = UNSET
    welcome_message: Text | UnsetType | None = UNSET


class SetUser(Params, frozen=True, kw_only=True):
    """Properties to change of a user; with `name` it is created when it is not there."""

    name: Name | UnsetType = UNSET
    custom: Custom | UnsetType | None = UNSET

    email: Contacts | UnsetType | None = UNSET
    """Mail addresses, one or several. Private: they can be set and never come back."""

    locale: Word | UnsetType | None = UNSET

    phone: Contacts | UnsetType | None = UNSET
    """Phone numbers, one or several. Private."""

    photo_url: Url | UnsetType | None = UNSET

    push_tokens: Tokens | UnsetType | None = UNSET
    """Devices that get push notifications, by their tokens. Private; merges as `custom` does."""

    role: Word | UnsetType | None = UNSET
    welcome_message: Text | UnsetType | None = UNSET


class ConversationParams(Params, frozen=True, kw_only=True):
    """Properties of a conversation, and of the caller's membership of it.

    Both halves of "create" and "set" carry all of it; each ignores what is the other's
    (protocol.md 5.3).
    """

    subject: Annotated[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    photo_url: Url | UnsetType | None = UNSET
    welcome_messages: Annotated[tuple[Text, ...], Meta(max_length=20)] | UnsetType | None = UNSET
    custom: Custom | UnsetType | None = UNSET
    access: Access | UnsetType = UNSET
    notify: Notify | UnsetType = UNSET


class ParticipantParams(Params, frozen=True, kw_only=True):
    """Properties of a membership."""

    access: Access | UnsetType = UNSET
    notify: Notify | UnsetType = UNSET


class ParticipantAction(Params, frozen=True, kw_only=True):
    """One step of a batch."""

    id: Id
    """Whose membership it is."""

    method: Literal["POST", "PUT", "PATCH"]
    """POST creates only, PUT creates or edits, PATCH edits only."""

    params: ParticipantParams = ParticipantParams()
    """What to set."""


class ParticipantActions(Params, frozen=True, kw_only=True):
    """A batch of steps."""

    actions: Annotated[tuple[ParticipantAction, ...], Meta(max_length=100)]
    """The steps: done in order, each with an answer of its own."""


Content = Annotated[tuple[SendBlock, ...], Meta(min_length=1, max_length=20)]


class SendMessage(Params, frozen=True, kw_only=True):
    """A message to send."""

    content: Content
    referenced_message_id: Id | UnsetType | None = UNSET
    """The id of the message that it replies to."""

    custom: Custom | UnsetType | None = UNSET

    idempotency_key: Id | UnsetType = UNSET
    """Names this message: the same key twice is one message."""


class EditMessage(Params, frozen=True, kw_only=True):
    """What to change of a message."""

    content: Content | UnsetType = UNSET
    custom: Custom | UnsetType | None = UNSET


class MarkParams(Params, frozen=True, kw_only=True):
    """What to mark as read, or as unread."""

    until: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    """What was said up to then (unix ms; an extension), so that repeating is safe; absent: all."""


class ConversationPage(Params, frozen=True, kw_only=True):
    """A page of my conversations."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    """How many it has at the most."""

    filter: Filter | UnsetType = UNSET
    """Which conversations, for the first page; a cursor knows it by itself."""

    cursor: str | UnsetType | None = UNSET
    """That of the page before; the first page has none."""

    expand: Expand = ()
    """What else to put into the answer (an extension): the last message of each, and its sender."""


class GetConversation(Params, frozen=True, kw_only=True):
    """How to answer."""

    expand: Expand = ()
    """What else to put into the answer (an extension): the last message, and its sender."""


class ListPage(Params, frozen=True, kw_only=True):
    """A page of a list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 30
    """How many items it has at the most."""

    cursor: str | UnsetType | None = UNSET
    """That of the page before; the first page has none."""


class ValidateFile(Params, frozen=True, kw_only=True):
    """A file that is about to be uploaded."""

    filename: Annotated[str, Meta(min_length=1, max_length=1_000)]
    """Its name."""

    filesize: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    """Its size in bytes."""


class Translate(Params, frozen=True, kw_only=True):
    """What to translate."""

    ids: Annotated[tuple[Id, ...], Meta(max_length=100)]
    """The ids of the messages."""

    lang: Word
    """Into which language, such as `nl` or `pt-BR`."""


Texts: TypeAlias = str | list[str] | tuple[str, ...]


class CreateUserFields(TypedDict, total=False):
    """Keyword arguments of `user.create_if_not_exists`."""

    name: Required[str]
    custom: Mapping[str, str] | None
    email: Texts | None
    locale: str | None
    phone: Texts | None
    photo_url: str | None
    push_tokens: Mapping[str, bool | None] | None
    role: str | None
    welcome_message: str | None


class SetUserFields(TypedDict, total=False):
    """Keyword arguments of `user.set`."""

    name: str
    custom: Mapping[str, str | None] | None
    email: Texts | None
    locale: str | None
    phone: Texts | None
    photo_url: str | None
    push_tokens: Mapping[str, bool | None] | None
    role: str | None
    welcome_message: str | None


class ConversationFields(TypedDict, total=False):
    """Keyword arguments of `conversation.create_if_not_exists` and `.set`."""

    subject: str | None
    photo_url: str | None
    welcome_messages: list[str] | tuple[str, ...] | None
    custom: Mapping[str, str | None] | None
    access: Access
    notify: Notify


class ParticipantFields(TypedDict, total=False):
    """Keyword arguments of the writes of a participant."""

    access: Access
    notify: Notify


class MessageFields(TypedDict, total=False):
    """Keyword arguments of `message.edit`."""

    custom: Mapping[str, str | None] | None
