"""REST: requests over HTTP that carry the session's token; what is tried again, and when it ends.

Not here: HTTP itself (http.py), tokens (credentials.py), what is asked (refs/).

A request is tried again while it could not be sent, for as long as the session's patience lasts;
once when it was sent and the answer was 5xx or none, since all that is asked this way can be asked
twice; and once with another token when it was refused with 401 (protocol.md 1.2).

Invariant: when the session is closed nothing is left. Who waits is woken, what is open is closed.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlencode

from rtflow.client.address import Address
from rtflow.client.credentials import Credentials, Unavailable
from rtflow.client.http import Body, HttpFailed, Reply, send
from rtflow.errors import (
    InvalidFrame,
    OutcomeUnknown,
    ProtocolError,
    RequestTimedOut,
    RtflowError,
    SessionClosed,
    Unauthorized,
)
from rtflow.wire.codec import decode_part, decoder
from rtflow.wire.endpoints import Problem

__all__ = ["Rest"]

FIRST_REST: Final = 0.2  # seconds between two attempts (protocol.md 1.2)
REST_FACTOR: Final = 1.2

HEADER: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
NO_HEADER: Final = "the token has a character that HTTP cannot carry, such as an end of line"

_problem = decoder(Problem)


class Rest:
    """The HTTP half of a session. `patience`: seconds for each step of a request."""

    def __init__(self, address: Address, credentials: Credentials, *, patience: float) -> None:
        self.patience = patience
        self._address, self._credentials = address, credentials
        self._open = set[Reply]()
        self._abandoned = list[Reply]()
        self._leashes = set[asyncio.Timeout]()

    async def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str | int] | None = None,
        body: Body | None = None,
    ) -> Reply:
        """Ask for what is at a path under the app's REST base; return an answer of 200.

        Whoever gets it reads it, and gives it back with `done`. Raises a `RequestRefused`,
        `RequestTimedOut`, `OutcomeUnknown`, `ProtocolError`, or `SessionExpired`.
        """
        await self._sweep()
        request = f"{method} /{'/'.join(path)}"
        url = self._address.rest(*path) + (f"?{urlencode(query)}" if query else "")
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self.patience, FIRST_REST
        may_fail, refused = True, ""  # whether one more may fail; the token that was refused
        while True:
            try:
                token = await self._token(refused)
                if not HEADER.fullmatch(token):  # an HTTP client would show it in its complaint
                    raise Unauthorized("TOKEN_INVALID", NO_HEADER, request=request)
                reply = await send(method, url, patience=self.patience, token=token, body=body)
            except (Unavailable, HttpFailed) as exc:
                was_sent = isinstance(exc, HttpFailed) and exc.was_sent
                if not was_sent and loop.time() + pause > deadline:
                    raise RequestTimedOut(request, self.patience, exc.reason) from exc
                if isinstance(exc, HttpFailed) and was_sent and (exc.was_slow or not may_fail):
                    raise self.failure(request, exc) from exc
                may_fail = may_fail and not was_sent
            else:
                self._open.add(reply)
                if reply.status == 200:
                    return reply
                if reply.status == 401 and not refused and self._credentials.can_refresh:
                    refused = token
                elif reply.status >= 500 and may_fail:
                    may_fail = False
                else:
                    raise await self._refusal(reply, request)
                await self.done(reply)
            await asyncio.sleep(pause)
            pause *= REST_FACTOR

    def failure(self, request: str, exc: HttpFailed) -> RtflowError:
        """Return the error for an answer that did not come, or broke off."""
        if exc.was_slow:
            return RequestTimedOut(request, self.patience)
        return OutcomeUnknown(request)

    async def done(self, reply: Reply) -> None:
        """Close an answer. Idempotent."""
        self._open.discard(reply)
        await reply.aclose()

    def abandon(self, reply: Reply) -> None:
        """Close an answer at the next occasion: nobody who could wait for that has it any more."""
        if reply in self._open:
            self._abandoned.append(reply)

    @asynccontextmanager
    async def leash(self, check: Callable[[], None]) -> AsyncGenerator[None]:
        """End what happens inside when the session is closed, with what `check` raises then."""
        check()
        leash = asyncio.timeout(None)
        try:
            async with leash:
                self._leashes.add(leash)
                yield
        except TimeoutError:
            if not leash.expired():
                raise
            check()
            raise SessionClosed from None
        finally:
            self._leashes.discard(leash)

    async def close(self) -> None:
        """End whatever goes on. Idempotent."""
        now = asyncio.get_running_loop().time()
        for leash in tuple(self._leashes):
            leash.reschedule(now)
        for reply in tuple(self._open):
            await self.done(reply)

    async def _sweep(self) -> None:
        while self._abandoned:
            await self.done(self._abandoned.pop())

    async def _token(self, refused: str) -> str:
        """Return a token that is not the refused one; somebody else may have got it by now."""
        token = await self._credentials.get()
        return await self._credentials.another() if token == refused else token

    async def _refusal(self, reply: Reply, request: str) -> RtflowError:
        try:
            body = await reply.whole()
        except HttpFailed as exc:
            return self.failure(request, exc)
        finally:
            await self.done(reply)
        if reply.status < 400:
            return ProtocolError(f"{request} was answered with {reply.status}")
        try:
            problem = decode_part(_problem, body)
        except InvalidFrame:  # a proxy's, perhaps
            problem = Problem()
        return problem.refusal(reply.status, request)
