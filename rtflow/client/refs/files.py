"""Files: upload one, to send it in a message after that.

Not here: HTTP and what is tried again (rest.py). A file is streamed from where it is, never held in
memory as a whole. An upload whose outcome is unknown is tried once more:
a server keeps the same bytes once, and nobody sends the token that got lost.
"""

import math
import mimetypes
import secrets
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias, get_args

from msgspec import Struct

from rtflow.client.http import Body, HttpFailed
from rtflow.client.mirror import Mirror
from rtflow.client.rest import Rest
from rtflow.errors import InvalidFrame, ProtocolError
from rtflow.model.arguments import checked
from rtflow.model.params import ValidateFile
from rtflow.wire.codec import decode_part, decoder
from rtflow.wire.endpoints import VALIDATE_FILE

__all__ = ["Subtype", "form", "form_fields", "upload"]

Subtype: TypeAlias = Literal["image", "video", "audio", "voice"]
PIECE: Final = 64 * 1024  # bytes; reading so much of a file takes no longer than a short callback
DEFAULT_TYPE: Final = "application/octet-stream"
IN_QUOTES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class Uploaded(Struct, frozen=True, rename="camel"):
    """The answer to an upload."""

    file_token: str


_uploaded = decoder(Uploaded)


async def upload(
    mirror: Mirror,
    rest: Rest,
    data: bytes | Path | BinaryIO,
    *,
    filename: str | None,
    fields: dict[str, str],
) -> str:
    """Upload a file and return its token. `fields` are more parts of the form. See `Session`."""
    with _opened(data, filename) as (file, name):
        return await _upload(mirror, rest, file, name, fields)


@contextmanager
def _opened(data: bytes | Path | BinaryIO, filename: str | None) -> Generator[tuple[BinaryIO, str]]:
    """Give a file and its name; what was open before stays open."""
    if isinstance(data, Path):
        with data.open("rb") as file:
            yield file, data.name if filename is None else filename
        return
    if isinstance(data, bytes):
        data = BytesIO(data)
    elif not hasattr(data, "seek") or data.read(0) != b"":
        raise TypeError(
            "upload takes bytes, a pathlib.Path, or a binary file that is open for reading, not "
            f"{type(data).__name__}"
        )
    if filename is None:
        name: object = getattr(data, "name", None)
        if not isinstance(name, str):
            raise ValueError("upload: this has no name of its own: pass filename=")
        filename = Path(name).name
    yield data, filename


async def _upload(
    mirror: Mirror, rest: Rest, file: BinaryIO, filename: str, fields: dict[str, str]
) -> str:
    start = file.tell()
    size = file.seek(0, SEEK_END) - start
    params = checked(ValidateFile, "upload", filename=filename, filesize=size)
    await mirror.ask(VALIDATE_FILE, (), params)
    body = form(file, start, size, filename, fields)
    request = "POST /files"
    async with rest.leash(mirror.check):
        reply = await rest.ask("POST", "files", body=body)
        try:
            return decode_part(_uploaded, await reply.whole()).file_token
        except HttpFailed as exc:
            raise rest.failure(request, exc) from exc
        except InvalidFrame as exc:
            raise ProtocolError(f"{request} was not answered with a file token") from exc
        finally:
            await rest.done(reply)


def form(file: BinaryIO, start: int, size: int, filename: str, fields: dict[str, str]) -> Body:
    """Make the body of a form (multipart/form-data) with a file in it."""
    boundary = secrets.token_hex(16)
    kind = mimetypes.guess_type(filename)[0] or DEFAULT_TYPE
    parts = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; '
        f'filename="{filename.translate(IN_QUOTES)}"\r\ncontent-type: {kind}\r\n\r\n'
    )
    head, tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield head
        file.seek(start)
        left = size
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                raise ValueError(f"upload: {filename!r} became shorter while it was uploaded")
            left -= len(piece)
            yield piece
        yield tail

    content_type = f"multipart/form-data; boundary={boundary}"
    return Body(content_type, len(head) + size + len(tail), pieces)


def form_fields(
    subtype: Subtype | None, width: int | None, height: int | None, duration: float | None
) -> dict[str, str]:
    """Return what is known of a file as parts of a form. Raises `TypeError` or `ValueError`."""
    fields: dict[str, str] = {}
    if subtype is not None:
        if subtype not in get_args(Subtype):
            raise ValueError(f"upload: subtype is one of {get_args(Subtype)}, not {subtype!r}")
        fields["subtype"] = subtype
    for name, value, kinds in (
        ("width", width, int),
        ("height", height, int),
        ("duration", duration, int | float),
    ):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise TypeError(f"upload: {name} is a number, not {type(value).__name__}: {value!r}")
        if not 0 <= value < math.inf:
            raise ValueError(f"upload: {name} is not negative and finite, not {value}")
        fields[name] = str(value)
    return fields
