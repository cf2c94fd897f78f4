"""What is fed with whatever an attacker may send: each target takes bytes, and raises only for a
defect of ours.

A refusal of the kind that its caller expects is no defect; every other exception is, and so is a
wrong result: what is not refused must mean the same when it is written and read again.

Not here: how bytes are found (hypothesis in test_targets.py, atheris in __main__.py).
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from starlette.datastructures import QueryParams

from rtflow.errors import BadRequest, InvalidFrame, NotFound, RequestRefused, Unauthorized
from rtflow.model.entities import Conversation
from rtflow.model.filters import Filter, as_filter, matches, normalised
from rtflow.model.ids import MAX_ID_LENGTH
from rtflow.model.links import links
from rtflow.model.markup import parse, to_markup
from rtflow.server.auth import Authenticator
from rtflow.server.domain import messages, participants, reactions, search, sides
from rtflow.server.domain.filenames import MAX_NAME, harmless
from rtflow.server.domain.media import media_type_of
from rtflow.server.domain.paging import place, resume
from rtflow.server.http import search as pages
from rtflow.server.http.form import Form
from rtflow.server.http.requests import ids_in
from rtflow.wire import codec, endpoints
from rtflow.wire.client import ClientProtocol
from rtflow.wire.server import ServerProtocol
from rtflow.wire.streamed import FoundConversation, FoundMessage, StreamedPage

__all__ = ["TARGETS", "Target", "target"]

SECRET: Final = "a secret of more than thirty-two bytes"
GOOD: Final = Authenticator("demo", SECRET)
DEVELOPMENT: Final = Authenticator("demo", None)


class Target(Struct, frozen=True):
    """`words` are what its language is made of: chance alone would hardly find them."""

    feed: Callable[[bytes], None]
    words: tuple[bytes, ...]


TARGETS: Final[dict[str, Target]] = {}


def target(*words: str | bytes) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Note a target under its name."""

    def note(feed: Callable[[bytes], None]) -> Callable[[bytes], None]:
        encoded = tuple(word.encode() if isinstance(word, str) else word for word in words)
        TARGETS[feed.__name__] = Target(feed, encoded)
        return feed

    return note


JSON: Final = (
    *[
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '"',
        "\\",
        "null",
        "true",
        "false",
        "-1",
        "0",
        "1e999",
        "9007199254740993",
        "NaN",
        "\\ud800",
        "\\u0000",
    ],
    "99999999999999999999",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    '{"a":{"a":{"a":{"a":{"a":{"a":',
)
NAMES: Final = tuple(
    f'"{field.encode_name}":'
    for kind in {it.params for it in endpoints.ALL}
    for field in msgspec.structs.fields(kind)
)
METHODS: Final = tuple(sorted({f'"{it.method}",' for it in endpoints.ALL}))
PATHS: Final = tuple(
    "/" + "/".join("x" if part is None else part for part in it.template) for it in endpoints.ALL
)


def as_text(data: bytes) -> str:
    """Return text with all that a str may hold, lone surrogates too."""
    return data.decode(errors="surrogateescape")


def is_json(data: bytes) -> object:
    """Read our own JSON as strictly as anybody may."""
    return json.loads(data, parse_constant=lambda name: 1 / 0 if name else None)


@target(*JSON, *METHODS, *(f'"{path}",' for path in PATHS), *NAMES)
def client_frame(data: bytes) -> None:
    """A message of a client: it is a call that can be written again, or it is refused."""
    for message in (data, as_text(data)):
        protocol = ServerProtocol()
        protocol.accept()
        call = protocol.receive(message)
        answers = protocol.data_to_send()
        assert len(answers) <= 1
        assert call is None or not answers
        for answer in answers:
            is_json(answer)
        if call is not None:
            again = call.endpoint.decode_params(Raw(codec.encode(call.params)))
            assert codec.encode(again) == codec.encode(call.params)
            assert all(1 <= len(it) <= MAX_ID_LENGTH for it in call.ids)


@target(*JSON, '"PUBLISH",', '{"type":"', '"message.created"', '"state":', '"diff":', '"reasons":')
def server_frame(data: bytes) -> None:
    """A message of a server."""
    for message in (data, as_text(data)):
        with suppress(InvalidFrame):
            ClientProtocol().receive(message)


@target(*JSON, *NAMES, '"type":"text"', '"children":', '"bulletlist"', '"location"', '"file"')
def parameters(data: bytes) -> None:
    """The parameters of every request."""
    for endpoint in endpoints.ALL:
        try:
            params = endpoint.decode_params(Raw(data))
        except BadRequest as refusal:
            codec.encode(refusal.reasons)
        else:
            encoded = codec.encode(params)
            is_json(encoded)
            assert codec.encode(endpoint.decode_params(Raw(encoded))) == encoded


_filter = codec.decoder(Filter)  # pyright: ignore[reportArgumentType]  a union is no class
CONVERSATION: Final = Conversation(
    id="c",
    subject=None,
    photo_url=None,
    welcome_messages=(),
    custom={"a": "b"},
    created_at=1,
    joined_at=2,
    last_message_at=3,
    unread_message_count=0,
    is_unread=False,
    read_until=0,
    everyone_read_until=0,
    access="Read",
    notify=True,
)


@target(*JSON, '["any",', '"custom":', '"access":', '"between"', '"oneOf"', '"!exists"', '">="')
def conversation_filter(data: bytes) -> None:
    """A filter: its normal form is one, means the same, and is its own normal form."""
    found: Any = None
    with suppress(InvalidFrame):
        found = codec.decode_part(_filter, data)
    if found is not None:
        normal = normalised(found)
        assert normalised(normal) == normal
        assert matches(normal, CONVERSATION) == matches(found, CONVERSATION)
        assert codec.decode_part(_filter, codec.encode(normal)) == normal
    with suppress(TypeError, ValueError, RecursionError):
        as_filter(json.loads(data))


@target(
    *[
        "*",
        "_",
        "~",
        "```",
        "<",
        ">",
        "|",
        "-",
        "+",
        "<!!mention:",
        "<!!customemoji:",
        "<http://x.y|z>",
        "<actionlink:",
        "?",
        "=",
        "&",
        "%",
    ],
    *["https://", "www.", "@", ".com", "+31", "(", ")", "\ufeff", "\u200d", "👍"],
)
def markup(data: bytes) -> None:
    """What people type: it becomes a tree that can be sent, and no text is too hard."""
    text = as_text(data)[:5_000]
    tree = parse(text)
    to_markup(tree)
    list(links(text))
    if not any("\ud800" <= character <= "\udfff" for character in text):
        is_json(codec.encode(tree))


@target(
    "--B",
    "--B--",
    "\r\n",
    "Content-Disposition: form-data; ",
    'name="file"; ',
    'filename="a"',
    "filename*=UTF-8''",
    "Content-Type: image/png",
    'name="width"',
    "%22",
    "=?",
)
def form(data: bytes) -> None:
    """The body of an upload: it is the same, however it is cut."""
    cut = len(data) // 3
    results = list[object]()
    for pieces in ((data,), (data[:cut], data[cut:]), (data[:1], data[1:])):
        try:
            read = Form("multipart/form-data; boundary=B")
            content = b"".join(read.feed(piece) for piece in pieces)
            read.finish()
        except BadRequest:
            results.append(None)
        else:
            results.append((content, read.fields, read.filename, read.media_type))
    assert results[0] == results[1] == results[2]


@target("multipart/form-data", ";", "boundary=", '"', "\\", "\r\n", "=", "*=utf-8''%", ",")
def content_type(data: bytes) -> None:
    """What a form calls itself."""
    with suppress(BadRequest):
        Form(data.decode("latin-1"))


PLACES: Final[tuple[Any, ...]] = (  # Any: private, and each of its own kind
    messages.Before,
    search.BeforeMessage,
    search.AfterConversation,
    sides.After,
    reactions.After,
    participants.After,
)
_places = [msgspec.json.Decoder(kind) for kind in PLACES]


@target("W", "=", "==", "[", "]", ",", *JSON, *(f'["{it.__struct_config__.tag}",' for it in PLACES))
def cursor(data: bytes) -> None:
    """Where a page goes on: as it is, and as what base64 is made of."""
    from base64 import urlsafe_b64encode

    for given in (as_text(data), urlsafe_b64encode(data).decode()):
        for decoder in _places:
            try:
                found = resume(decoder, given)
            except BadRequest:
                continue
            assert found is None or resume(decoder, place(found)) == found


@target("searchString=", "&", "cursor=", "limit=", "conversationFilter=", "%25", "%", "+", *JSON)
def query(data: bytes) -> None:
    """What stands behind the path of a search."""
    given = QueryParams(data.decode("latin-1"))
    with suppress(BadRequest):
        pages._asked(given)  # pyright: ignore[reportPrivateUsage]  it has no other door
    with suppress(BadRequest):
        assert 1 <= pages._limit(given) <= 100  # pyright: ignore[reportPrivateUsage]


@target("/", "%2F", "%", "%ff", "..", "%00", "me", *PATHS)
def path(data: bytes) -> None:
    """Where a request goes: what is found has ids that lead there again."""
    text = as_text(data)
    for method in ("GET", "PUT", "SUBSCRIBE"):
        try:
            endpoint, ids = endpoints.route(method, text)
        except RequestRefused:
            continue
        with suppress(UnicodeEncodeError):  # ids with lone surrogates, which the store refuses
            assert endpoints.route(method, endpoint.path(*ids)) == (endpoint, ids)
    scope: Any = {"path": "/", "raw_path": data, "root_path": ""}  # Any: ASGI's free-form dict
    with suppress(NotFound, BadRequest):
        ids_in(scope, "public_api", "v1", None, "realtime", None)


def is_good(text: str) -> bool:
    try:
        GOOD.holder(text)
    except Unauthorized as refused:
        return len(text) > 7 and text in str(refused)
    return True


@target(".", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJub25lIn0", "e30", "development:", "%", "=", "-_")
def token(data: bytes) -> None:
    """A token that nobody has signed."""
    text = as_text(data)
    assert not is_good(text)
    with suppress(Unauthorized):
        assert 1 <= len(DEVELOPMENT.holder(text).user_id) <= MAX_ID_LENGTH


@target(
    "/", "\\", "..", "con", ".", " ", "\u202e", "\x00", ":", "nul.txt", "\x89PNG", "RIFF", "ftyp"
)
def file(data: bytes) -> None:
    """A name of a file, and how it begins."""
    name = harmless(as_text(data))
    assert 1 <= len(name) <= MAX_NAME
    assert name not in {".", ".."}
    assert not set(name) & set("/\\\0")
    name.encode()
    assert "html" not in media_type_of(data)


@target('{"data":[', "\n", "]", ',"cursor":', '"c"', "}", ",", '{"id":"x"}', *JSON)
def streamed(data: bytes) -> None:
    """A page of a search, as a server may send it: it is the same, however it is cut."""
    for kind in (FoundConversation, FoundMessage):
        results = list[object]()
        for pieces in ((data,), (data[: len(data) // 2], data[len(data) // 2 :])):
            page: StreamedPage[Any] = StreamedPage(kind)
            try:
                found = [item for piece in pieces for item in page.feed(piece)] + page.end()
            except InvalidFrame:
                results.append(None)
            else:
                results.append((found, page.cursor))
        assert results[0] == results[1]
