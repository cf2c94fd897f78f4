"""Uploads: a file comes in, and its sender gets a token to send it with (protocol.md 8.2).

It goes to the disk as it comes, and is refused as soon as it is seen to be too large, so it takes
the same memory whatever its size. The row that names it commits when it is on the disk for good.

Not here: the form (form.py), the folder (rtflow.server.files), what a file may be
(domain/files.py).
Invariant: whatever way an upload ends, other than well, no row is left of it, and no file, but for
a content whose row was to be written when its sender or the server left: that one is collected
(chores.py).
"""

import asyncio
import logging
import math
import re
import secrets
import time
from contextlib import suppress
from functools import partial
from typing import Final, get_args
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rtflow.errors import BadRequest, ServerFailed
from rtflow.server.domain.files import (
    Stored,
    add_file,
    checked_name,
    known_contents,
    too_large,
)
from rtflow.server.domain.media import HEAD, Subtype, can_be, media_type_of
from rtflow.server.files import Incoming
from rtflow.server.http.form import Form
from rtflow.server.http.requests import base_url, json
from rtflow.server.http.site import Site
from rtflow.server.store.awaited import committed
from rtflow.server.trouble import Trouble

__all__ = ["Uploads"]

logger = logging.getLogger(__name__)

PIECE: Final = 256 * 1024  # bytes that go to the disk at once
OVERHEAD: Final = 64 * 1024  # bytes that a form may have besides its file
STANDSTILL: Final = 30.0  # seconds that nothing may come
MOST_PIXELS: Final = 100_000  # of a width or a height
MOST_SECONDS: Final = 7 * 24 * 3600.0
SUBTYPES: Final[dict[str, Subtype]] = {name: name for name in get_args(Subtype)}


class FileToken(Struct, frozen=True, rename="camel"):
    """The answer: what a message names the file by."""

    file_token: str


class Uploads:
    """The handler."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._trouble = Trouble(
            logger, time.monotonic, "uploads cannot be stored", "uploads can be stored again"
        )

    async def receive(self, request: Request) -> Response:
        """Take in a file."""
        site = self._site
        user_id = site.caller(request)
        with site.uploads.taken(user_id):
            try:
                async with asyncio.timeout(site.limits.upload_seconds):
                    token = await self._take(request, user_id)
            except TimeoutError:
                raise BadRequest(
                    "UPLOAD_TOO_SLOW", "the upload took too long", status=408
                ) from None
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            except OSError as exc:
                self._trouble.met(exc)
                raise ServerFailed(
                    "STORAGE_UNAVAILABLE", "the file cannot be stored now; try again later"
                ) from exc
            self._trouble.over()
            return json(FileToken(token))

    async def _take(self, request: Request, user_id: str) -> str:
        site = self._site
        form = Form(request.headers.get("content-type", ""))
        base = site.public_url or base_url(request)
        async with site.vault.receiving() as incoming:
            head = await self._read(request, form, incoming)
            assert form.filename is not None, "a form that is finished has one"
            filename = checked_name(form.filename, site.rules)
            media_type = media_type_of(head)
            token = f"file_{secrets.token_hex(16)}"
            app = quote(request.path_params["app"], safe="")
            file = Stored(
                token=token,
                user_id=user_id,
                sha256="",
                filename=filename,
                size=incoming.size,
                media_type=media_type,
                subtype=_subtype(form, filename, media_type),
                width=_pixels(form, "width"),
                height=_pixels(form, "height"),
                duration=_seconds(form),
                url=f"{base}/public_api/v1/{app}/files/{token}/{quote(filename, safe='')}",
            )
            await incoming.settle()
            async with site.vault.changing:
                file = replace(file, sha256=await incoming.keep())
                try:
                    await committed(site.store, partial(add_file, file, site.clock()))
                    site.figures.uploaded += incoming.size
                except ServerFailed:
                    await self._let_go(file.sha256)
                    raise
        return token

    async def _let_go(self, content: str) -> None:
        """Remove a content whose row could not be written, unless a row names it all the same."""
        with suppress(ServerFailed):  # asked in vain: it is garbage
            known = await self._site.store.read(partial(known_contents, (content,)))
            await self._site.vault.remove({content} - known.value)

    async def _read(self, request: Request, form: Form, incoming: Incoming) -> bytes:
        """Read the body to its end; return how the file begins."""
        rules, read, head, piece = self._site.rules, 0, b"", bytearray()
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > rules.max_file_bytes + OVERHEAD:
            raise too_large(rules, status=413)
        body = request.stream()
        while True:
            async with asyncio.timeout(STANDSTILL):
                chunk = await anext(body, b"")
            if not chunk:
                break
            read += len(chunk)
            piece += form.feed(chunk)
            if not incoming.size:
                head = bytes(piece[:HEAD])
            if incoming.size + len(piece) > rules.max_file_bytes:
                raise too_large(rules, status=413)
            if read - incoming.size - len(piece) > OVERHEAD:
                raise BadRequest("INVALID_FORM", f"there are over {OVERHEAD} bytes beside the file")
            if len(piece) >= PIECE:
                await incoming.write(bytes(piece))
                piece.clear()
        form.finish()
        await incoming.write(bytes(piece))
        return head


def _subtype(form: Form, filename: str, media_type: str) -> Subtype | None:
    given = form.fields.get("subtype")
    if given is None:
        return None
    if (subtype := SUBTYPES.get(given)) is None:
        raise BadRequest("INVALID_SUBTYPE", f"`subtype` is one of {', '.join(SUBTYPES)}")
    if not can_be(subtype, form.media_type, filename, media_type):
        raise BadRequest(
            "SUBTYPE_MISMATCH",
            f"a file {filename!r} of type {form.media_type[:100]!r} is no {subtype}",
        )
    return subtype


def _pixels(form: Form, name: str) -> int | None:
    number = _number(form, name, MOST_PIXELS)
    return None if number is None else max(1, round(number))


def _seconds(form: Form) -> float | None:
    return _number(form, "duration", MOST_SECONDS)


def _number(form: Form, name: str, most: float) -> float | None:
    given = form.fields.get(name)
    if given is None:
        return None
    if not re.fullmatch(r"\d{1,12}(\.\d{1,30})?", given, re.ASCII):
        number = math.inf
    else:
        number = float(given)
    if number > most:
        raise BadRequest("INVALID_NUMBER", f"`{name}` is a number from 0 to {most:g}")
    return number
