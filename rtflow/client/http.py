"""HTTP: the few requests that do not go over the websocket.

The only import of `httpx2`, made when first needed: it takes as long as all the rest of rtflow.
No exception of it leaves this room.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from rtflow.client.address import BUILD, tls
from rtflow.client.reasons import reason_of, root_of
from rtflow.errors import InvalidFrame
from rtflow.wire.codec import decode_part, decoder

__all__ = ["HttpFailed", "fetch_boken"]

TEMPORARY: Final = frozenset({408, 429, *range(500, 600)})

logger = logging.getLogger(__name__)


class HttpFailed(Exception):
    """There is no usable answer. `status` is None when there was none at all."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status

    @property
    def is_final(self) -> bool:
        """Whether the same request would fail again."""
        return self.status is not None and self.status not in TEMPORARY


class Boken(Struct, frozen=True):
    """The answer of the token endpoint."""

    boken: str

    def __repr__(self) -> str:
        return "Boken(boken=...)"


_boken = decoder(Boken)


async def fetch_boken(url: str, *, patience: float) -> str:
    """Fetch a development-mode token. Raises `HttpFailed`."""
    status, body = await _get(url, _headers(), patience)
    if status != 200:
        raise HttpFailed(f"the token endpoint answered with {status}", status)
    try:
        return decode_part(_boken, body).boken
    except InvalidFrame as exc:
        raise HttpFailed("the token endpoint answered with something else") from exc


def _headers() -> dict[str, str]:
    return {
        "x-talkjs-client-build": BUILD,
        "x-talkjs-client-date": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


async def _get(url: str, headers: Mapping[str, str], patience: float) -> tuple[int, bytes]:
    import httpx2

    try:
        async with httpx2.AsyncClient(
            timeout=patience,
            verify=tls() if url.startswith("https:") else False,
            trust_env=False,  # no proxies: the websocket knows none either
        ) as client:
            response = await client.get(url, headers=headers)
            return response.status_code, response.content
    except httpx2.ConnectError as exc:
        raise HttpFailed(reason_of(root_of(exc))) from exc
    except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
        raise HttpFailed(f"HTTP failed ({type(exc).__name__})") from exc
