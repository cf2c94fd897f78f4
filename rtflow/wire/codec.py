"""Bytes to frames and back, paths, and limits. The only place in the library with JSON.

Nearly all frames are read in one go, at a quarter to half of the cost. One in which something is
not as it should be, or an event is not known, is cut into raw parts first and each part is decoded
once its type is known, so an event of an unknown type costs only itself. Whatever cannot be read is
an `InvalidFrame` that names the place.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar, get_args
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw, Struct

from rtflow.errors import InvalidFrame
from rtflow.model.events import Event
from rtflow.wire.frames import Ack, FromClient, FromServer, Headers, Publish, Request, Response

__all__ = [
    "EMPTY",
    "MAX_FRAME",
    "MAX_SERVER_FRAME",
    "decode_client_frame",
    "decode_part",
    "decode_server_frame",
    "decoder",
    "encode",
    "encode_ack",
    "encode_publish",
    "encode_request",
    "encode_response",
    "join_path",
    "split_path",
]

MAX_FRAME: Final = 1024 * 1024  # bytes that a client may send
MAX_SERVER_FRAME: Final = 16 * MAX_FRAME  # bytes that a server may: a page of the longest messages
MAX_SEQ: Final = 2**53 - 1  # what a JavaScript number holds
MAX_PATH: Final = 8_192  # characters, percent-encoded: three ids of 255 in UTF-8 fit
PUBLISH: Final = b'"PUBLISH"'
EMPTY: Final = Raw(b"{}")
UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeError)

LONGEST_START: Final = 32  # characters that the first two elements of a frame are

T = TypeVar("T")
F = TypeVar("F", Request, Response)
decoder = msgspec.json.Decoder
"""Make a decoder for a type, once, at import."""


class _Tag(Struct):
    type: str


_request = msgspec.json.Decoder(Request)
_response = msgspec.json.Decoder(Response)
_cut = msgspec.json.Decoder(list[Raw])
_int = msgspec.json.Decoder(int)
_str = msgspec.json.Decoder(str)
_tag = msgspec.json.Decoder(_Tag)
_headers = msgspec.json.Decoder(Headers)
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_whole_publish = msgspec.json.Decoder(tuple[int | str | Event, ...])
_encoder = msgspec.json.Encoder()
encode = _encoder.encode
"""Encode any value of the model as JSON."""


def decode_part(decoder: "msgspec.json.Decoder[T]", raw: Raw | bytes, where: str = "$") -> T:
    """Decode one part of a frame. Raises `InvalidFrame` that names the place in the part."""
    try:
        return decoder.decode(raw)
    except UNREADABLE as exc:
        raise InvalidFrame(*_why(exc, where)) from exc


def decode_client_frame(message: bytes | str) -> FromClient:
    """Read what a client sent. Raises `InvalidFrame`, with the request's `seq` if readable."""
    frame = _at_once(_request, message, MAX_FRAME)
    if frame is not None and frame.method != "ACK" and len(frame.path) <= MAX_PATH:
        return frame
    parts = _parts(message, MAX_FRAME)
    if len(parts) < 2:
        raise InvalidFrame(f"a frame has at least 2 elements, not {len(parts)}")
    seq = _seq(parts[0])
    method = _text(parts[1], "$[1]", seq)
    if method == "ACK":
        return Ack(seq)
    if len(parts) < 3:
        raise InvalidFrame("a request has a path", "$[2]", seq)
    path = _text(parts[2], "$[2]", seq)
    if len(path) > MAX_PATH:
        raise InvalidFrame(f"a path has at most {MAX_PATH} characters", "$[2]", seq)
    data = parts[3] if len(parts) > 3 else EMPTY
    headers = _headers_in(parts[4]) if len(parts) > 4 else Headers()
    return Request(seq, method, path, data, headers)


def _headers_in(part: Raw) -> Headers:
    try:
        return _headers.decode(part)
    except UNREADABLE:
        return Headers()  # no request is lost for them


def decode_server_frame(message: bytes | str) -> FromServer:
    """Read what a server sent. Raises `InvalidFrame`. Events of unknown types are left out."""
    frame: FromServer | None
    if isinstance(message, bytes) and PUBLISH in message[:LONGEST_START]:
        frame = _publish_at_once(message)
    else:
        frame = _at_once(_response, message, MAX_SERVER_FRAME, lowest=-1)
    if frame is not None:
        return frame
    parts = _parts(message, MAX_SERVER_FRAME)
    if len(parts) < 2:
        raise InvalidFrame(f"a frame has at least 2 elements, not {len(parts)}")
    seq = _seq(parts[0], lowest=-1)  # -1 answers a frame whose number the server could not read
    if bytes(parts[1]) == PUBLISH:
        return Publish(seq, tuple(_events(parts[2:])))
    try:
        status = _int.decode(parts[1])
    except UNREADABLE as exc:
        raise InvalidFrame(*_why(exc, "$[1]"), seq) from exc
    return Response(seq, status, parts[2] if len(parts) > 2 else EMPTY)


def _at_once(
    decoder: "msgspec.json.Decoder[F]", message: bytes | str, most: int, lowest: int = 0
) -> F | None:
    """Return the frame if nothing is wrong with it at first sight."""
    if len(message) > most:
        return None
    try:
        frame = decoder.decode(message)
    except UNREADABLE:
        return None
    return frame if lowest <= frame.seq <= MAX_SEQ else None


def _publish_at_once(message: bytes) -> Publish | None:
    """Do the same with a PUBLISH, if all its events are known."""
    if len(message) > MAX_SERVER_FRAME:
        return None
    try:
        seq, method, *events = _whole_publish.decode(message)
    except (ValueError, RecursionError):  # UNREADABLE, and too few parts
        return None
    if not isinstance(seq, int) or method != "PUBLISH" or not 0 <= seq <= MAX_SEQ:
        return None
    known = tuple([event for event in events if not isinstance(event, (int, str))])
    return Publish(seq, known) if len(known) == len(events) else None


def _events(parts: Sequence[Raw]) -> Iterable[Event]:
    for index, part in enumerate(parts):
        try:
            yield _event.decode(part)
        except msgspec.ValidationError as exc:
            if not _is_unknown(part):
                raise InvalidFrame(*_why(exc, f"$[{index + 2}]")) from exc
        except UNREADABLE as exc:
            raise InvalidFrame(*_why(exc, f"$[{index + 2}]")) from exc


def _is_unknown(part: Raw) -> bool:
    try:
        return _tag.decode(part).type not in KNOWN_EVENTS
    except UNREADABLE:
        return False


KNOWN_EVENTS: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Event))


def _parts(message: bytes | str, most: int) -> list[Raw]:
    if len(message) > most:
        raise InvalidFrame(f"a frame has at most {most} bytes, not {len(message)}")
    try:
        return _cut.decode(message)
    except UNREADABLE as exc:
        raise InvalidFrame(*_why(exc, "$")) from exc


def _seq(part: Raw, lowest: int = 0) -> int:
    try:
        seq = _int.decode(part)
    except UNREADABLE as exc:
        raise InvalidFrame(*_why(exc, "$[0]")) from exc
    if not lowest <= seq <= MAX_SEQ:
        raise InvalidFrame(f"a frame's number is {lowest} to 2**53 - 1", "$[0]")
    return seq


def _text(part: Raw, where: str, seq: int) -> str:
    try:
        return _str.decode(part)
    except UNREADABLE as exc:
        raise InvalidFrame(*_why(exc, where), seq) from exc


def _why(exc: Exception, where: str) -> tuple[str, str]:
    if isinstance(exc, RecursionError):
        return "the JSON is nested too deep", where
    what, _, place = str(exc).partition(" - at `$")
    return what, where + place.removesuffix("`")


def encode_request(
    seq: int, method: str, path: str, data: Any, refused: int | None = None
) -> bytes:  # Any: a params Struct
    """Encode `[seq, METHOD, path, data, headers]`; without `refused` the headers are empty."""
    headers = _NO_HEADERS if refused is None else {"rtflow-refused": str(refused)}
    return encode((seq, method, path, data, headers))


_NO_HEADERS: Final[dict[str, str]] = {}


def encode_response(seq: int, status: int, data: Any) -> bytes:  # Any: a result Struct or Raw
    """Encode `[seq, status, data]`."""
    return encode((seq, status, data))


def encode_publish(seq: int, events: Iterable[bytes]) -> bytes:
    """Encode `[seq, "PUBLISH", event, ...]` from one or more events that were each encoded once."""
    return b'[%d,"PUBLISH",%b]' % (seq, b",".join(events))


def encode_ack(seq: int) -> bytes:
    """Encode `[seq, "ACK"]`."""
    return b'[%d,"ACK"]' % seq


def join_path(template: Sequence[str | None], ids: Sequence[str]) -> str:
    """Fill the holes (None) of a path with percent-encoded ids."""
    remaining = iter(ids)
    return "".join("/" + (_quoted(next(remaining)) if p is None else p) for p in template)


@lru_cache(maxsize=4096)
def _quoted(segment: str) -> str:
    return quote(segment, safe="-_.!~*'()")  # what encodeURIComponent leaves as it is


def split_path(path: str) -> tuple[str, ...]:
    """Return the decoded segments of a path. Raises `InvalidFrame` if it is not one."""
    if not path.startswith("/"):
        raise InvalidFrame("a path starts with '/'", "$[2]")
    if "%" not in path:
        return tuple(path[1:].split("/"))
    try:
        return tuple(unquote(segment, errors="strict") for segment in path[1:].split("/"))
    except UnicodeDecodeError as exc:
        raise InvalidFrame("a path is percent-encoded UTF-8", "$[2]") from exc
