"""Downloads: files, to whoever has their address.

An address holds a token that nobody guesses; it is in the messages that show the file, so who may
read one of them can fetch it, also a browser, which sends no token with a picture.

What people upload is not to be trusted: it is served as what it is, not as what it was called, and
runs nothing. Only pictures, sounds and films are shown in place; all else is saved.

Not here: what a file is (domain/media.py), the folder (rtflow.server.files).
"""

import asyncio
import os
from contextlib import suppress
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from rtflow.errors import NotFound
from rtflow.server.domain.files import file_by_token
from rtflow.server.domain.media import BYTES
from rtflow.server.http.requests import require_app
from rtflow.server.http.site import Site

__all__ = ["Downloads"]

STANDSTILL: Final = 60.0  # seconds that a client may read nothing
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # pages of applications show it
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=31536000, immutable",
}


class Downloads:
    """The handler."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def send(self, request: Request) -> Response:
        """Send a file, or a range of it."""
        site, token = self._site, request.path_params["token"]
        require_app(request.scope, request.path_params["app"], site.authenticator)
        file = (await site.store.read(partial(file_by_token, token))).value
        if file is None:
            raise _no_file()
        path = site.vault.path(file.sha256)
        try:
            status = await site.vault.run(partial(os.stat, path))
        except FileNotFoundError as exc:
            raise _no_file() from exc
        return _PatientResponse(
            path,
            headers={**HEADERS, "ETag": f'"{file.sha256}"'},
            media_type=file.media_type,
            filename=file.filename,
            stat_result=status,
            content_disposition_type="attachment" if file.media_type == BYTES else "inline",
        )


class _PatientResponse(FileResponse):
    """Gives up on a client that does not read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(STANDSTILL):
                await send(message)

        # With half an answer sent, the host cuts the connection and says so in the log.
        with suppress(TimeoutError):
            await super().__call__(scope, receive, send_in_time)


def _no_file() -> NotFound:
    return NotFound("FILE_NOT_FOUND", "there is no such file, or not any more")
