"""The HTTP half of the API: all routes; does the app exist, tokens for development, health.

    GET  /api/v0/{app}                                   200 if the app exists
    GET  /api/v0/{app}/bokens/{user}                     a token, in development mode only
    GET  /public_api/v1/{app}/me/messages/search         search.py
    GET  /public_api/v1/{app}/me/conversations/search
    GET  /healthz                                        200 when the store reads and commits

Not here: the websocket (gateway/endpoint.py), what a token is worth (rtflow.server.auth).
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rtflow.errors import RequestRefused, ServerFailed, Unauthorized
from rtflow.server.auth import Authenticator
from rtflow.server.domain.search import ConversationSearch, MessageSearch
from rtflow.server.http.limits import HttpLimits
from rtflow.server.http.refusals import HANDLERS, Faults
from rtflow.server.http.requests import ids_in, json, require_app
from rtflow.server.http.search import SearchPage
from rtflow.server.http.turns import Turns
from rtflow.server.store.awaited import committed, nothing
from rtflow.server.store.interface import Steps, Store

__all__ = ["http_app"]

logger = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that the store gets to show that it is well


class Boken(Struct, frozen=True):
    """The token that the official client asks for when its app has not given it one."""

    boken: str


class Health(Struct, frozen=True):
    """`number` is the last change that is committed."""

    status: str
    number: int


class Routes:
    """The handlers, and what they need. `store` gives None while the app does not run."""

    def __init__(self, authenticator: Authenticator, store: Callable[[], Store | None]) -> None:
        self._authenticator, self._store = authenticator, store

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

    async def health(self, _request: Request) -> Response:
        """Read the store and commit to it."""
        store = self._store()
        if store is None:
            raise ServerFailed("NOT_RUNNING", "the app has not been started", status=503)
        try:
            async with asyncio.timeout(PATIENCE):
                await store.read(_glance)
                return json(Health("ok", (await committed(store, nothing)).number))
        except (RequestRefused, TimeoutError) as exc:
            raise ServerFailed("STORAGE_UNAVAILABLE", str(exc), status=503) from exc


def _glance() -> Steps[None]:
    yield from ()


def http_app(
    authenticator: Authenticator,
    store: Callable[[], Store | None],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    limits: HttpLimits,
) -> Starlette:
    """Build the application for everything but websockets."""
    routes = Routes(authenticator, store)
    searches = Turns("searches", per_user=limits.searches_per_user, in_all=limits.searches)
    search = partial(SearchPage, store=store, authenticator=authenticator, turns=searches)
    # Browsers ask before each request of the official client; tokens are no cookies, so any page
    # may.
    cors = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    here = "/public_api/v1/{app}"
    app = Starlette(
        routes=[
            Route("/api/v0/{app}", routes.app),
            Route("/api/v0/{app}/bokens/{user:path}", routes.token),
            Route(f"{here}/me/messages/search", search(MessageSearch), methods=["GET"]),
            Route(f"{here}/me/conversations/search", search(ConversationSearch), methods=["GET"]),
            Route("/healthz", routes.health),
        ],
        middleware=[cors, Middleware(Faults)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
