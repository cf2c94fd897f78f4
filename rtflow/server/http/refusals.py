"""Refusals and faults as HTTP responses, all of one form: `{"errorCode", "reasons"}`.

Not here: what is refused, and why.
"""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from rtflow.errors import NotFound, RequestRefused, ServerFailed, refusal
from rtflow.server.http.requests import refused

__all__ = ["HANDLERS", "Faults"]

logger = logging.getLogger(__name__)


async def _refuse(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestRefused)
    return refused(exc)


async def _refuse_plainly(request: Request, exc: Exception) -> Response:
    """Give Starlette's own refusals, such as 404 and 405, the form of ours."""
    assert isinstance(exc, HTTPException)
    if exc.status_code == 404:
        return refused(NotFound("UNKNOWN_PATH", f"there is nothing at {request.url.path[:200]}"))
    code = exc.detail.upper().replace(" ", "_")
    return refused(refusal(exc.status_code, code, (exc.detail,)))


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    RequestRefused: _refuse,
    HTTPException: _refuse_plainly,
}


class Faults:
    """Middleware that answers for what fails, and logs it.

    Starlette's own stands outside of all others, so a page of another origin could not read what
    it says.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception:
            if has_begun or scope["type"] != "http":
                raise  # the host logs it, and cuts the connection: half an answer is none
            logger.exception("a request failed")
            fault = ServerFailed("INTERNAL", "the server failed on this request; its log says why")
            await refused(fault)(scope, receive, send)
