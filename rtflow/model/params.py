"""Parameters of requests: Structs for the wire, TypedDicts for keyword arguments.

An absent key (`UNSET`) leaves the property alone, `None` resets it. Unknown keys are ignored on
the wire (a newer peer may send some) and a `TypeError` in a Python call.
"""

from functools import cache
from typing import Annotated, Any, Literal, Required, TypeAlias, TypedDict, TypeVar

import msgspec
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
    "checked",
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
    """`token` is a JWT, or what the token endpoint of the app gave."""

    token: Annotated[str, Meta(max_length=16_384)]

    def __repr__(self) -> str:
        return "Renew(token=...)"


class UserIds(Params, frozen=True, kw_only=True):
    """1 to 1000 user ids."""

    ids: Annotated[tuple[Id, ...], Meta(max_length=1_000)]


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
    locale: Word | UnsetType | None = UNSET
    phone: Contacts | UnsetType | None = UNSET
    photo_url: Url | UnsetType | None = UNSET
    push_tokens: Tokens | UnsetType | None = UNSET
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
    """One step of a batch. POST creates only, PUT creates or edits, PATCH edits only."""

    id: Id
    method: Literal["POST", "PUT", "PATCH"]
    params: ParticipantParams = ParticipantParams()


class ParticipantActions(Params, frozen=True, kw_only=True):
    """1 to 100 steps, done in order, each with an answer of its own."""

    actions: Annotated[tuple[ParticipantAction, ...], Meta(max_length=100)]


Content = Annotated[tuple[SendBlock, ...], Meta(min_length=1, max_length=20)]


class SendMessage(Params, frozen=True, kw_only=True):
    """A message to send. The same `idempotency_key` twice is one message."""

    content: Content
    referenced_message_id: Id | UnsetType | None = UNSET
    custom: Custom | UnsetType | None = UNSET
    idempotency_key: Id | UnsetType = UNSET


class EditMessage(Params, frozen=True, kw_only=True):
    """What to change of a message."""

    content: Content | UnsetType = UNSET
    custom: Custom | UnsetType | None = UNSET


class MarkParams(Params, frozen=True, kw_only=True):
    """`until` (unix ms, an extension) pins what is marked, so that repeating is safe."""

    until: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class ConversationPage(Params, frozen=True, kw_only=True):
    """The first page of my conversations (`filter`) or the next one (`cursor`)."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    filter: Filter | UnsetType = UNSET
    cursor: str | UnsetType | None = UNSET
    expand: Expand = ()


class GetConversation(Params, frozen=True, kw_only=True):
    """`expand` puts the last message and its sender into the answer."""

    expand: Expand = ()


class ListPage(Params, frozen=True, kw_only=True):
    """A page of `limit` items, from the start or from `cursor`."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 30
    cursor: str | UnsetType | None = UNSET


class ValidateFile(Params, frozen=True, kw_only=True):
    """A file that is about to be uploaded. `filesize` is bytes."""

    filename: Annotated[str, Meta(min_length=1, max_length=1_000)]
    filesize: Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Translate(Params, frozen=True, kw_only=True):
    """1 to 100 messages to translate into `lang`, such as "nl" or "pt-BR"."""

    ids: Annotated[tuple[Id, ...], Meta(max_length=100)]
    lang: Word


class CreateUserFields(TypedDict, total=False):
    """Keyword arguments of `user.create_if_not_exists`. `email` and `phone`: one or several."""

    name: Required[str]
    custom: dict[str, str] | None
    email: str | list[str] | None
    locale: str | None
    phone: str | list[str] | None
    photo_url: str | None
    push_tokens: dict[str, bool | None] | None
    role: str | None
    welcome_message: str | None


class SetUserFields(TypedDict, total=False):
    """Keyword arguments of `user.set`: absent leaves a property alone, `None` resets it."""

    name: str
    custom: dict[str, str | None] | None
    email: str | list[str] | None
    locale: str | None
    phone: str | list[str] | None
    photo_url: str | None
    push_tokens: dict[str, bool | None] | None
    role: str | None
    welcome_message: str | None


class ConversationFields(TypedDict, total=False):
    """Keyword arguments of `conversation.create_if_not_exists` and `.set`."""

    subject: str | None
    photo_url: str | None
    welcome_messages: list[str] | None
    custom: dict[str, str | None] | None
    access: Access
    notify: Notify


class ParticipantFields(TypedDict, total=False):
    """Keyword arguments of the writes of a participant."""

    access: Access
    notify: Notify


class MessageFields(TypedDict, total=False):
    """Keyword arguments of `message.edit`."""

    custom: dict[str, str | None] | None


P = TypeVar("P", bound=Params)


@cache
def _fields(kind: type[Params]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


def checked(
    kind: type[P], call: str, **fields: Any
) -> P:  # Any: whatever the user passed is checked here
    """Build parameters from keyword arguments.

    Raises `TypeError` for an unknown name or a wrong type and `ValueError` for a value out of
    bounds, both naming `call` and the place.
    """
    known = _fields(kind)
    for name in fields:
        if name not in known:
            raise TypeError(
                f"{call} got an unexpected keyword argument {name!r}; it knows {', '.join(known)}"
            )
    for name, field in known.items():
        if field.required and name not in fields:
            raise TypeError(f"{call} is missing the keyword argument {name!r}")
    wire = {known[name].encode_name: value for name, value in fields.items()}
    try:
        return msgspec.convert(msgspec.json.decode(msgspec.json.encode(wire)), type=kind)
    except RecursionError as exc:
        raise ValueError(f"{call}: nested too deep") from exc
    except (msgspec.ValidationError, UnicodeEncodeError, TypeError) as exc:
        of_value = isinstance(exc, UnicodeEncodeError) or " of length " in str(exc)
        raise (ValueError if of_value else TypeError)(f"{call}: {exc}") from exc
