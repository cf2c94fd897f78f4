"""Who may read the metrics: whoever shows the token that was set, else this machine only.

"This machine" is the other end of the connection, or what a proxy says of it. A request that came
through a proxy is not local, nor is one that a web page makes, whatever page somebody has open
here.

Not here: what the metrics are (rtflow.server.metrics).
"""

import hmac
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from rtflow.errors import Forbidden, Unauthorized
from rtflow.server.http.requests import is_local
from rtflow.server.http.site import Site

__all__ = ["Scraping"]

OF_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


class Scraping:
    """The handler. `token`: what a scraper has to show; None: nothing, but it has to be here."""

    def __init__(self, site: Site, token: str | None) -> None:
        self._site, self._token = site, token

    async def scrape(self, request: Request) -> Response:
        """Write all metrics."""
        if self._token is not None:
            self._require(self._token, request)
        elif not _is_from_here(request):
            raise Forbidden(
                "METRICS_ARE_LOCAL", "only this machine may read the metrics: set `metrics_token`"
            )
        text, content_type = self._site.scrape(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type, "cache-control": "no-store"})

    @staticmethod
    def _require(token: str, request: Request) -> None:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(shown.strip().encode(), token.encode())
        if scheme.lower() != "bearer" or not is_right:
            raise Unauthorized(
                "METRICS_TOKEN_REQUIRED", "give `metrics_token`: `Authorization: Bearer ...`"
            )


def _is_from_here(request: Request) -> bool:
    headers = request.headers
    came_through = any(name in headers for name in OF_PROXIES)
    return is_local(request.scope) and not came_through and "origin" not in headers
