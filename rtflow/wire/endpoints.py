"""Every request, once: method, path, parameters, result, and what repeating it does.

The client builds calls from this table, the server routes and decodes by it, and the reference is
printed from it. Not here: who may ask (server/domain/permissions.py).
"""

from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from rtflow.errors import (
    BadRequest,
    InvalidFrame,
    MethodNotAllowed,
    NotFound,
    RequestRefused,
    refusal,
)
from rtflow.model.content import Block, camel_cased
from rtflow.model.entities import (
    Conversation,
    Message,
    Online,
    Page,
    Participant,
    Reaction,
    Typing,
    User,
)
from rtflow.model.ids import MAX_ID_LENGTH
from rtflow.model.params import (
    ConversationPage,
    ConversationParams,
    CreateUser,
    EditMessage,
    Empty,
    GetConversation,
    ListPage,
    MarkParams,
    ParticipantActions,
    Renew,
    SendMessage,
    SetUser,
    Translate,
    UserIds,
    ValidateFile,
)
from rtflow.wire import codec

__all__ = ["ALL", "AnyEndpoint", "Endpoint", "Kind", "Repeat", "route"]

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


class Kind(Enum):
    """What a request does to the server."""

    __hash__ = object.__hash__  # members are single; that of Enum is slow, and asked by each frame

    READ = "read"
    WRITE = "write"
    WATCH = "watch"  # SUBSCRIBE and UNSUBSCRIBE
    SIGNAL = "signal"  # told to others now, never stored
    SESSION = "session"  # about the connection itself


class Repeat(Enum):
    """What a client may do with a request whose answer got lost (guarantee 13)."""

    SAFE = "safe to repeat"
    WITH_KEY = "safe to repeat if it carries an idempotency key, or `until`"
    DROPPED = "means nothing later: given up in silence when the connection is lost"
    NEVER = "may happen twice: never repeated"


class Done(Struct, frozen=True):
    """A result without content. Unknown fields are ignored."""


class Renewed(Struct, frozen=True, rename="camel"):
    """The token was accepted."""

    expires_in_seconds: float | None = None
    """When it expires; null: never."""

    acks: bool = True
    """Whether publishes have to be acknowledged (an extension)."""


class Sent(Struct, frozen=True):
    """The message is there."""

    id: str
    """Its id."""


class ParticipantAnswer(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What became of one step of a batch of participant actions."""

    status: int
    """200 for success, else as in any refusal."""

    error_code: str | None = None
    """Why it was refused, for programs."""

    reasons: tuple[str, ...] = ()
    """Why it was refused, for people."""


class ParticipantAnswers(Struct, frozen=True):
    """What became of a batch of participant actions."""

    responses: tuple[ParticipantAnswer, ...]
    """One answer per step, in the same order."""


class Translation(Struct, frozen=True):
    """A message in another language, in one of two forms."""

    content: tuple[Block, ...] | UnsetType = UNSET
    """As blocks."""

    markup: str | UnsetType = UNSET
    """As text with markup, to be read like that of `send`."""


class Translations(Struct, frozen=True):
    """Messages in another language."""

    data: dict[str, Translation | None]
    """By message id; null: there is no such message, or no translation of it."""


class Problem(Struct, frozen=True, rename="camel"):
    """What every answer other than 200 carries."""

    error_code: str = "UNKNOWN"
    """A constant for programs."""

    reasons: Any = []  # Any: a list of sentences from us, anything at all from others
    """Sentences for people."""

    def refusal(self, status: int, request: str) -> RequestRefused:
        """Return the error to raise for it."""
        match self.reasons:
            case [*several]:
                reasons = tuple(map(str, several))
            case _:
                reasons = (str(self.reasons),)
        return refusal(status, self.error_code, reasons, request)


_made: list["AnyEndpoint"] = []  # in the order of this page


class Endpoint(Generic[P, R]):
    """One kind of request. `template` has None where an id stands.

    A refusal with the status `done_if_repeated` is a success for a request that was sent twice,
    its first answer being lost: a DELETE finds nothing (404), a POST to an id finds it taken (409),
    each by itself.
    """

    __slots__ = (
        "_params",
        "_result",
        "done_if_repeated",
        "kind",
        "method",
        "name",
        "params",
        "repeat",
        "template",
    )

    def __init__(
        self, line: str, params: type[P], result: Any, kind: Kind, repeat: Repeat = Repeat.SAFE
    ) -> None:  # result: Any because a generic type is not a type[R]
        self.method, path = line.split()
        self.template = tuple(
            None if part.startswith("{") else part for part in path.removeprefix("/").split("/")
        )
        self.name, self.kind, self.repeat, self.params = line, kind, repeat, params
        is_creation = self.method == "POST" and self.template[-1] is None
        self.done_if_repeated = 404 if self.method == "DELETE" else 409 if is_creation else None
        self._params = msgspec.json.Decoder(params)
        self._result: msgspec.json.Decoder[R] = msgspec.json.Decoder(result)
        _made.append(self)

    @property
    def result(self) -> Any:  # Any: as above
        """The type of what a 200 carries."""
        return self._result.type

    def path(self, *ids: str) -> str:
        """Return the path for these ids, percent-encoded."""
        return codec.join_path(self.template, ids)

    def decode_params(self, raw: Raw) -> P:
        """Read what a client gave. Raises `BadRequest` that names the place."""
        try:
            return codec.decode_part(self._params, raw)
        except InvalidFrame as exc:
            if self.params in (SendMessage, EditMessage):
                with suppress(msgspec.ValidationError, InvalidFrame, RecursionError):
                    tree = camel_cased(codec.decode_part(_anything, raw))
                    return msgspec.convert(tree, self.params)
            raise BadRequest("INVALID_PARAMETERS", str(exc)) from exc

    def decode_result(self, raw: Raw) -> R:
        """Read what a server answered. Raises `InvalidFrame`."""
        return codec.decode_part(self._result, raw)

    def __repr__(self) -> str:
        return f"<Endpoint {self.name}>"


_anything = msgspec.json.Decoder()
AnyEndpoint: TypeAlias = Endpoint[Any, Any]  # Any: the table mixes all kinds

RENEW: Final = Endpoint[Renew, Renewed]("POST /session/renew", Renew, Renewed, Kind.SESSION)
PING: Final = Endpoint[Empty, Done]("GET /ping", Empty, Done, Kind.SESSION)

GET_USERS: Final = Endpoint[UserIds, dict[str, User]](
    "GET /users", UserIds, dict[str, User], Kind.READ
)
CREATE_USER: Final = Endpoint[CreateUser, Done]("POST /users/{user}", CreateUser, Done, Kind.WRITE)
SET_USER: Final = Endpoint[SetUser, Done]("PUT /users/{user}", SetUser, Done, Kind.WRITE)
WATCH_USERS: Final = Endpoint[UserIds, Done]("SUBSCRIBE /users", UserIds, Done, Kind.WATCH)
UNWATCH_USER: Final = Endpoint[Empty, Done]("UNSUBSCRIBE /users/{user}", Empty, Done, Kind.WATCH)

GET_ONLINE: Final = Endpoint[Empty, Online]("GET /users/{user}/online", Empty, Online, Kind.READ)
WATCH_ONLINE: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /users/{user}/online", Empty, Done, Kind.WATCH
)
UNWATCH_ONLINE: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /users/{user}/online", Empty, Done, Kind.WATCH
)

CREATE_CONVERSATION: Final = Endpoint[ConversationParams, Done](
    "POST /conversations/{conversation}", ConversationParams, Done, Kind.WRITE
)
SET_CONVERSATION: Final = Endpoint[ConversationParams, Done](
    "PUT /conversations/{conversation}", ConversationParams, Done, Kind.WRITE
)
GET_CONVERSATION: Final = Endpoint[GetConversation, Conversation](
    "GET /me/conversations/{conversation}", GetConversation, Conversation, Kind.READ
)
GET_CONVERSATIONS: Final = Endpoint[ConversationPage, Page[Conversation]](
    "GET /me/conversations", ConversationPage, Page[Conversation], Kind.READ
)
WATCH_CONVERSATION: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /me/conversations/{conversation}", Empty, Done, Kind.WATCH
)
UNWATCH_CONVERSATION: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /me/conversations/{conversation}", Empty, Done, Kind.WATCH
)
WATCH_CONVERSATIONS: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /me/conversations", Empty, Done, Kind.WATCH
)
UNWATCH_CONVERSATIONS: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /me/conversations", Empty, Done, Kind.WATCH
)
MARK_READ: Final = Endpoint[MarkParams, Done](
    "POST /me/conversations/{conversation}/read", MarkParams, Done, Kind.WRITE, Repeat.WITH_KEY
)
MARK_UNREAD: Final = Endpoint[MarkParams, Done](
    "POST /me/conversations/{conversation}/unread", MarkParams, Done, Kind.WRITE, Repeat.WITH_KEY
)

PARTICIPANTS: Final = Endpoint[ParticipantActions, ParticipantAnswers](
    "POST /conversations/{conversation}/participants",
    ParticipantActions,
    ParticipantAnswers,
    Kind.WRITE,
)
DELETE_PARTICIPANT: Final = Endpoint[Empty, Done](
    "DELETE /conversations/{conversation}/participants/{user}", Empty, Done, Kind.WRITE
)

GET_PARTICIPANTS: Final = Endpoint[ListPage, Page[Participant]](
    "GET /me/conversations/{conversation}/participants", ListPage, Page[Participant], Kind.READ
)
WATCH_PARTICIPANTS: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /me/conversations/{conversation}/participants", Empty, Done, Kind.WATCH
)
UNWATCH_PARTICIPANTS: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /me/conversations/{conversation}/participants", Empty, Done, Kind.WATCH
)
GET_PARTICIPANT: Final = Endpoint[Empty, Participant](
    "GET /me/conversations/{conversation}/participants/{user}", Empty, Participant, Kind.READ
)
WATCH_PARTICIPANT: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /me/conversations/{conversation}/participants/{user}", Empty, Done, Kind.WATCH
)
UNWATCH_PARTICIPANT: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /me/conversations/{conversation}/participants/{user}", Empty, Done, Kind.WATCH
)

GET_TYPING: Final = Endpoint[Empty, Typing](
    "GET /me/conversations/{conversation}/typing", Empty, Typing, Kind.READ
)
MARK_TYPING: Final = Endpoint[Empty, Done](
    "POST /me/conversations/{conversation}/typing", Empty, Done, Kind.SIGNAL, Repeat.DROPPED
)
WATCH_TYPING: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /me/conversations/{conversation}/typing", Empty, Done, Kind.WATCH
)
UNWATCH_TYPING: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /me/conversations/{conversation}/typing", Empty, Done, Kind.WATCH
)

SEND_MESSAGE: Final = Endpoint[SendMessage, Sent](
    "POST /conversations/{conversation}/messages", SendMessage, Sent, Kind.WRITE, Repeat.WITH_KEY
)
EDIT_MESSAGE: Final = Endpoint[EditMessage, Done](
    "PATCH /conversations/{conversation}/messages/{message}", EditMessage, Done, Kind.WRITE
)
DELETE_MESSAGE: Final = Endpoint[Empty, Done](
    "DELETE /conversations/{conversation}/messages/{message}", Empty, Done, Kind.WRITE
)
GET_MESSAGE: Final = Endpoint[Empty, Message](
    "GET /me/conversations/{conversation}/messages/{message}", Empty, Message, Kind.READ
)
GET_MESSAGES: Final = Endpoint[ListPage, Page[Message]](
    "GET /me/conversations/{conversation}/messages", ListPage, Page[Message], Kind.READ
)
WATCH_MESSAGES: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /me/conversations/{conversation}/messages", Empty, Done, Kind.WATCH
)
UNWATCH_MESSAGES: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /me/conversations/{conversation}/messages", Empty, Done, Kind.WATCH
)

TRANSLATE: Final = Endpoint[Translate, Translations](
    "GET /me/conversations/{conversation}/translate", Translate, Translations, Kind.READ
)

ADD_REACTION: Final = Endpoint[Empty, Done](
    "PUT /conversations/{conversation}/messages/{message}/reactions/{emoji}/{user}",
    Empty,
    Done,
    Kind.WRITE,
)
REMOVE_REACTION: Final = Endpoint[Empty, Done](
    "DELETE /conversations/{conversation}/messages/{message}/reactions/{emoji}/{user}",
    Empty,
    Done,
    Kind.WRITE,
)
GET_REACTIONS: Final = Endpoint[ListPage, Page[Reaction]](
    "GET /me/conversations/{conversation}/messages/{message}/reactions/{emoji}",
    ListPage,
    Page[Reaction],
    Kind.READ,
)
WATCH_REACTIONS: Final = Endpoint[Empty, Done](
    "SUBSCRIBE /me/conversations/{conversation}/messages/{message}/reactions/{emoji}",
    Empty,
    Done,
    Kind.WATCH,
)
UNWATCH_REACTIONS: Final = Endpoint[Empty, Done](
    "UNSUBSCRIBE /me/conversations/{conversation}/messages/{message}/reactions/{emoji}",
    Empty,
    Done,
    Kind.WATCH,
)

VALIDATE_FILE: Final = Endpoint[ValidateFile, Done](
    "POST /files/validate", ValidateFile, Done, Kind.READ
)

ALL: Final = tuple(_made)

_ROUTES: dict[tuple[str | None, ...], dict[str, AnyEndpoint]] = {}
for _endpoint in ALL:
    _ROUTES.setdefault(_endpoint.template, {})[_endpoint.method] = _endpoint


@lru_cache(maxsize=1024)
def route(method: str, path: str) -> tuple[AnyEndpoint, tuple[str, ...]]:
    """Find the endpoint and the ids of a request.

    Raises `NotFound` for an unknown path, `MethodNotAllowed` for a known one with another method,
    and `BadRequest` for an id that cannot be one.
    """
    try:
        segments = codec.split_path(path)
    except InvalidFrame as exc:
        raise BadRequest("INVALID_PATH", str(exc)) from exc
    for template in _shapes(segments):
        methods = _ROUTES.get(template)
        if methods is None:
            continue
        endpoint = methods.get(method)
        if endpoint is None:
            allowed = ", ".join(sorted(methods))
            raise MethodNotAllowed("METHOD_NOT_ALLOWED", f"{path} knows {allowed}, not {method}")
        ids = tuple(s for s, part in zip(segments, template, strict=True) if part is None)
        for given in ids:
            if not 1 <= len(given) <= MAX_ID_LENGTH:
                raise BadRequest(
                    "INVALID_ID", f"an id has 1 to {MAX_ID_LENGTH} characters, not {len(given)}"
                )
        return endpoint, ids
    raise NotFound("UNKNOWN_PATH", f"there is nothing at {path[:200]}")


def _shapes(segments: tuple[str, ...]) -> Iterator[tuple[str | None, ...]]:
    """Yield the templates that a path may belong to: an id follows its collection.

    That of who reacted follows that of the emoji.
    """
    first = 1 if segments[0] != "me" else 2
    shape = tuple(
        None if i >= first and (i - first) % 2 == 0 else s for i, s in enumerate(segments)
    )
    yield shape
    yield (*shape[:-1], None)
    yield segments
