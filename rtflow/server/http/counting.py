"""Counts what is asked over HTTP: by method and route, and how it was answered.

A route, never a path: paths hold ids and tokens, and anybody can invent some. A method only where
it is one of HTTP's, for the same reason.
"""

from time import perf_counter
from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rtflow.server.figures import Figures

__all__ = ["Counting"]

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CUT: Final = 499  # as nginx has it: there was nobody left to answer


class Counting:
    """Middleware, around all other."""

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app, self._figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = CUT, perf_counter()

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            self._figures.of_http(request_in(scope)).add(status, perf_counter() - began)


def request_in(scope: Scope) -> str:
    """Return the method and the route of a request that was served."""
    method = scope["method"] if scope["method"] in METHODS else "OTHER"
    route = scope.get("route")
    return f"{method} {route.path}" if isinstance(route, Route) else f"{method} elsewhere"
