"""uvicorn's configuration, with every choice that matters to us made.

Not here: the limits' defaults (limits.py).
Invariant: nothing that a client sends in a URL or a header is ever logged; no logger is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from rtflow.server.gateway.uvicorn.http import HttpProtocol
from rtflow.server.gateway.uvicorn.websocket import WebSocketProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from rtflow.server.gateway.uvicorn.limits import HostLimits

__all__ = ["HostConfig"]


class HostConfig(uvicorn.Config):
    """What uvicorn's server and our protocol classes are made from."""

    def __init__(self, app: ASGIApp, limits: HostLimits) -> None:
        self.limits = limits
        super().__init__(
            app,
            http=HttpProtocol,
            ws=WebSocketProtocol,
            ws_max_size=limits.message_size,
            ws_per_message_deflate=False,
            ws_ping_interval=limits.ping_interval,
            ws_ping_timeout=limits.ping_timeout,
            timeout_keep_alive=limits.keep_alive,
            interface="asgi3",
            server_header=False,
            log_config=None,
        )
        self.load()
        # What load() made of it would log whole scopes when the root logger is set to NOTSET.
        # Trusted are FORWARDED_ALLOW_IPS of the environment, by default this machine.
        asgi = cast("Any", app)  # Any: uvicorn's ASGI types and Starlette's are one in spirit only
        self.loaded_app = ProxyHeadersMiddleware(asgi, self.forwarded_allow_ips)
