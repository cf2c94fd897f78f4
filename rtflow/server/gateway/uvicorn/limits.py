"""The bounds that the host keeps, whatever clients and application do.

Not here: bounds of the protocol (rtflow.server.settings), of one client's outbox (peer.py).
Invariant: a stop takes `drain_timeout + close_timeout + lifespan_timeout` seconds and half a
second more, at most: 4.5 by default.
"""

from msgspec import Struct

__all__ = ["HostLimits"]


class HostLimits(Struct, frozen=True, kw_only=True):
    """Bounds of the host. Sizes are bytes, durations are seconds."""

    message_size: int = 1024 * 1024
    """A longer websocket message closes the connection with 1009."""

    head_size: int = 64 * 1024
    """A longer HTTP request head is answered with 431 (checked after each read of the socket)."""

    pipelined: int = 32
    """Requests of an HTTP connection that may wait for the one before; with more it is closed."""

    head_timeout: float = 10
    """A connection that has not sent a whole request head by then is cut."""

    send_buffer: int = 256 * 1024
    """What the kernel holds for a websocket whose client does not read (Linux doubles it)."""

    close_timeout: float = 1
    """How long the closing of a websocket may take; when the server stops, also a request."""

    response_timeout: float = 30
    """How long the rest of an HTTP response may take to leave when the connection ends with it."""

    standstill: float = 60
    """How long a client may take nothing of an HTTP response that waits for it."""

    ping_interval: float | None = 20
    """How often to ask whether a websocket's client is there; None: never."""

    ping_timeout: float | None = 20
    """How long it may take to answer."""

    keep_alive: int = 5
    """How long an HTTP connection may rest between two requests."""

    drain_timeout: float = 2
    """How long the application may take, when the server stops, to say goodbye to its clients."""

    lifespan_timeout: float = 1
    """How long the application may take to end after the last connection has."""
