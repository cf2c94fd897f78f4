"""One websocket connection: uvicorn's, with a proper end, and a `Transport` for its application.

uvicorn closes TCP right behind its close frame and flushes without limit. Here every farewell of
ours is one closing handshake with a deadline (`_part`). In the flags of the base class:
`close_sent`, our close frame is out; `disconnected`, a `send` of ASGI raises; `close_timer`, a
deadline runs and nobody closes before it.

Read next to `uvicorn/protocols/websockets/websockets_sansio_impl.py`.
Not here: what comes (reading.py), how much a client may leave unread (peer.py), when the server
stops (server.py).
Invariant: what is written is whole frames; of each connection the last one is at most one close.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, cast

from websockets.protocol import OPEN

from rtflow.server.gateway.transport import EXTENSION, SILENT
from rtflow.server.gateway.uvicorn.leash import LOGGER, Leash
from rtflow.server.gateway.uvicorn.reading import ReadingProtocol
from rtflow.wire.cutting import text_frame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from uvicorn._types import ASGISendEvent
    from uvicorn.server import ServerState
    from websockets.http11 import Request

    from rtflow.server.gateway.transport import Transport
    from rtflow.server.gateway.uvicorn.config import HostConfig

__all__ = ["WebSocketProtocol"]


class WebSocketProtocol(ReadingProtocol):
    """First what the application calls (see `Transport`), then what asyncio and uvicorn call."""

    def __init__(
        self,
        config: HostConfig,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: as in uvicorn, the lifespan's state
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = self.conn.logger = LOGGER
        self.conn.debug = False  # it was taken from uvicorn's logger
        self.close_timeout = config.limits.close_timeout
        self._owed_pong: list[bytes] = []
        self._is_silent = False  # so it is given up
        self._written = 0  # bytes of messages
        self._seen = 0, 0  # bytes taken and bytes waiting, when its life was last in question

    @property
    def buffered(self) -> int:
        """Bytes the kernel has not taken yet."""
        return self.leash.raw.get_write_buffer_size()

    def send_texts(self, frames: Sequence[bytes]) -> int:
        """Write messages now, in one go."""
        raw = self.leash.raw
        if self.conn.state is OPEN and not raw.is_closing():
            one = len(frames) == 1
            joined = text_frame(frames[0]) if one else b"".join(map(text_frame, frames))
            self._written += len(joined)
            raw.write(joined)
        return raw.get_write_buffer_size()

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake."""
        if self._is_open():
            self.conn.send_close(code, reason)
            self._part(code, reason)
        elif not self.handshake_complete:
            self.abort()

    def abort(self) -> None:
        """End it with a reset."""
        self.leash.abort()

    def _is_open(self) -> bool:
        """Whether a message may be written: after the handshake, before any close."""
        return self.conn.state is OPEN and not self.leash.raw.is_closing()

    def _part(self, code: int, reason: str) -> None:
        """Send the close frame that `conn` has made, tell the application, give the peer time."""
        self._flush()
        self.stop_keepalive()
        self.close_sent = self.disconnected = True
        self.writable.set()  # wakes a send that waits for the buffer: it shall see that
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.go_on()  # the peer's answer is behind what was not read yet
        self.close_timer = self.loop.call_later(self.close_timeout, self.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection from HTTP."""
        self.leash = cast("Leash", transport)  # only HttpProtocol makes websockets
        self.leash.linger = self.close_timeout
        self.leash.set_option(socket.SOL_SOCKET, socket.SO_SNDBUF, self.limits.send_buffer)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application 1006 (uvicorn: 1005), if it was not told of a close before."""
        self.leash.end()
        reason = SILENT if self._is_silent else ""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006, "reason": reason})
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Close, as asyncio would do now, but on the leash."""
        self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Give the application its transport."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            transport: Transport = self
            # uvicorn has dicts here; to ASGI the value is the extension's own matter
            cast("dict[str, object]", self.scope.get("extensions"))[EXTENSION] = transport

    def handle_ping(self) -> None:
        """Answer; to a peer that does not read, only its last ping (RFC 6455, 5.5.3).

        Else its pings would fill our memory with pongs.
        """
        if self.writable.is_set() or not self._is_open():
            super().handle_ping()
        else:
            self._owed_pong = self.conn.data_to_send()[-1:] or self._owed_pong

    def resume_writing(self) -> None:
        """Pay the pong that is owed: the peer reads again."""
        super().resume_writing()
        if self._owed_pong and self._is_open():
            self.transport.writelines(self._owed_pong)
        self._owed_pong = []

    def send_keepalive_ping(self) -> None:
        """Ask whether the peer is there, and remember how far it has come."""
        super().send_keepalive_ping()
        self._seen = self._progress()

    def keepalive_timeout(self) -> None:
        """End it, unless it is only slow: its pong waits behind what it has to read first.

        While something waits here the kernel's buffer is full, and it takes more only when the
        peer does. That is a sign of life; what the kernel takes without waiting is none.
        """
        taken, waiting = self._seen
        self._seen = self._progress()
        is_alive = self._seen[0] > taken if waiting else self._seen[1] > 0
        if is_alive and self._is_open():
            assert self.ping_timeout is not None
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            self._is_silent = True
            super().keepalive_timeout()

    def _progress(self) -> tuple[int, int]:
        return self._written - self.buffered, self.buffered

    def handle_parser_exception(self) -> None:
        """Say what was wrong (1002, 1007, 1009), so that the words arrive: reading on, half-closed.

        To close with the peer's bytes unread would be a reset, which can overtake them.
        """
        if not self.close_sent:
            close = self.conn.close_sent
            assert close is not None
            self._part(close.code, close.reason)
            if self.transport.can_write_eof():
                self.transport.write_eof()

    async def send(self, message: ASGISendEvent) -> None:
        """Send for ASGI. uvicorn forgets that a refusal completes the handshake too, and logs it
        as a fault of the application. It, and `websockets`, keep the heads until the connection
        ends: 3 KiB that nobody reads."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            self.request.headers.clear()
            self.response.headers.clear()
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def shutdown(self) -> None:
        """Say 1012, "service restart". What is closing already has its deadline."""
        if self._is_open():
            self.close(1012)
        elif not self.handshake_complete:
            super().shutdown()
