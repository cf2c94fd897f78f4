"""The HTTP half of the API: all routes; does the app exist, tokens for development.

    GET  /api/v0/{app}                                   200 if the app exists
    GET  /api/v0/{app}/bokens/{user}                     a token, in development mode only
    GET  /public_api/v1/{app}/me/messages/search         search.py
    GET  /public_api/v1/{app}/me/conversations/search
    POST /public_api/v1/{app}/files                      uploads.py
    GET  /public_api/v1/{app}/files/{token}/{name}       downloads.py
    GET  /healthz                                        health.py
    GET  /metrics                                        scraping.py

Not here: the websocket (gateway/endpoint.py), what a token is worth (rtflow.server.auth).
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rtflow.errors import Unauthorized
from rtflow.server.domain.search import ConversationSearch, MessageSearch
from rtflow.server.http.counting import Counting
from rtflow.server.http.downloads import Downloads
from rtflow.server.http.health import HealthCheck
from rtflow.server.http.refusals import HANDLERS, Faults
from rtflow.server.http.requests import ids_in, json, require_app
from rtflow.server.http.scraping import Scraping
from rtflow.server.http.search import SearchPage
from rtflow.server.http.site import Site
from rtflow.server.http.uploads import Uploads

__all__ = ["http_app"]


class Boken(Struct, frozen=True):
    """The token that the official client asks for when its app has not given it one."""

    boken: str


class Routes:
    """The handlers of what is small."""

    def __init__(self, site: Site) -> None:
        self._site, self._authenticator = site, site.authenticator

    async def app(self, request: Request) -> Response:
        """Say that the app exists."""
        require_app(request.scope, request.path_params["app"], self._authenticator)
        return json({})

    async def token(self, request: Request) -> Response:
        """Give a token to anybody on this machine; with a secret, to nobody."""
        app_id, user_id = ids_in(request.scope, "api", "v0", None, "bokens", None)
        require_app(request.scope, app_id, self._authenticator)
        if not self._authenticator.is_development:
            raise Unauthorized(
                "TOKEN_REQUIRED", "this app wants tokens signed with its secret (`rtflow token`)"
            )
        return json(Boken(self._authenticator.boken(user_id)))


def http_app(
    site: Site,
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    origins: frozenset[str] | None = None,
    metrics_token: str | None = None,
) -> Starlette:
    """Build the application for everything but websockets.

    `origins` are those whose pages may read what it says; None: any. `metrics_token` is what has to
    be shown to read the metrics; None: they are for this machine.
    """
    routes, uploads, downloads = Routes(site), Uploads(site), Downloads(site)
    messages, conversations = SearchPage(site, MessageSearch), SearchPage(site, ConversationSearch)
    # Browsers ask before each request of the official client; tokens are no cookies, so any page
    # may, unless told otherwise.
    allowed = ["*"] if origins is None else sorted(origins)
    cors = Middleware(
        CORSMiddleware, allow_origins=allowed, allow_methods=["*"], allow_headers=["*"]
    )
    here = "/public_api/v1/{app}"
    app = Starlette(
        routes=[
            Route("/api/v0/{app}", routes.app),
            Route("/api/v0/{app}/bokens/{user:path}", routes.token),
            Route(f"{here}/me/messages/search", messages, methods=["GET"]),
            Route(f"{here}/me/conversations/search", conversations, methods=["GET"]),
            Route(f"{here}/files", uploads.receive, methods=["POST"]),
            Route(f"{here}/files/{{token}}/{{name:path}}", downloads.send),
            Route("/healthz", HealthCheck(site).report),
            Route("/metrics", Scraping(site, metrics_token).scrape),
        ],
        middleware=[Middleware(Counting, figures=site.figures), cors, Middleware(Faults)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
