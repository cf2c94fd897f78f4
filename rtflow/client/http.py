"""HTTP: one request and its answer, for the few that do not go over the websocket.

The only import of `httpx2`, made when first needed: it takes as long as all the rest of rtflow.
No exception of it leaves this room. Not here: the session's token and repeating (rest.py).
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from rtflow.client.address import BUILD, tls
from rtflow.client.reasons import reason_of, root_of
from rtflow.errors import InvalidFrame
from rtflow.wire.codec import decode_part, decoder

if TYPE_CHECKING:
    import httpx2

__all__ = ["Body", "HttpFailed", "Reply", "fetch_boken", "send"]

TEMPORARY: Final = frozenset({408, 429, *range(500, 600)})
MOST_BYTES: Final = 64 * 1024  # of an answer that is read as a whole


class HttpFailed(Exception):
    """There is no usable answer. `status` is None when there was none at all.

    `was_sent` says whether the server may have seen the request, `was_slow` that it was given too
    little time.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        *,
        was_sent: bool = True,
        was_slow: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status
        self.was_sent, self.was_slow = was_sent, was_slow

    @property
    def is_final(self) -> bool:
        """Whether the same request would fail again."""
        return self.status is not None and self.status not in TEMPORARY


class Body(Struct, frozen=True):
    """What a request carries: `pieces` begins anew each time it is called; `size` is bytes."""

    content_type: str
    size: int
    pieces: Callable[[], AsyncIterator[bytes]]


class Reply:
    """An answer whose body is still to be read. Whoever has one closes it."""

    def __init__(self, client: "httpx2.AsyncClient", response: "httpx2.Response") -> None:
        self._client, self._response = client, response
        self._pieces = response.aiter_bytes()
        self.status = response.status_code

    async def read(self) -> bytes:
        """Return the next piece of the body, as it comes; empty: there is no more.

        Raises `HttpFailed`.
        """
        import httpx2

        try:
            return await anext(self._pieces, b"")
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            raise _failed(exc) from exc

    async def whole(self) -> bytes:
        """Read the body, or as much of it as anybody needs. Raises `HttpFailed`."""
        body = bytearray()
        while len(body) < MOST_BYTES and (piece := await self.read()):
            body += piece
        return bytes(body[:MOST_BYTES])

    async def aclose(self) -> None:
        """Close the connection. Idempotent."""
        try:
            await self._response.aclose()
        finally:
            await self._client.aclose()


async def send(
    method: str,
    url: str,
    *,
    patience: float,
    token: str | None = None,
    body: Body | None = None,
) -> Reply:
    """Send a request, and return as soon as the answer begins.

    `patience` is how many seconds any step of it may take: connecting, sending a piece, waiting for
    the next one. A redirection is an answer like any other: the token is for this server alone.
    Raises `HttpFailed`, or what the body raises.
    """
    import httpx2

    headers = {
        "x-talkjs-client-build": BUILD,
        "x-talkjs-client-date": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "accept-encoding": "identity",  # no bombs
    }
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if body is not None:
        headers |= {"content-type": body.content_type, "content-length": str(body.size)}
    client = httpx2.AsyncClient(
        timeout=patience,
        verify=tls() if url.startswith("https:") else False,
        trust_env=False,  # no proxies: the websocket knows none either
    )
    try:
        content = None if body is None else body.pieces()
        request = client.build_request(method, url, headers=headers, content=content)
        return Reply(client, await client.send(request, stream=True))
    except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
        await client.aclose()
        raise _failed(exc) from exc
    except BaseException:
        await client.aclose()
        raise


def _failed(exc: Exception) -> HttpFailed:
    import httpx2

    if isinstance(exc, httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return HttpFailed("it did not answer in time", was_sent=False, was_slow=True)
    if isinstance(exc, httpx2.ConnectError):
        return HttpFailed(reason_of(root_of(exc)), was_sent=False)
    if isinstance(exc, httpx2.TimeoutException):
        return HttpFailed("it did not answer in time", was_slow=True)
    return HttpFailed(f"HTTP failed ({type(exc).__name__})")


class Boken(Struct, frozen=True):
    """The answer of the token endpoint."""

    boken: str

    def __repr__(self) -> str:
        return "Boken(boken=...)"


_boken = decoder(Boken)


async def fetch_boken(url: str, *, patience: float) -> str:
    """Fetch a development-mode token. Raises `HttpFailed`."""
    reply = await send("GET", url, patience=patience)
    try:
        if reply.status != 200:
            raise HttpFailed(f"the token endpoint answered with {reply.status}", reply.status)
        return decode_part(_boken, await reply.whole()).boken
    except InvalidFrame as exc:
        raise HttpFailed("the token endpoint answered with something else") from exc
    finally:
        await reply.aclose()
