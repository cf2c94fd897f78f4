"""One websocket connection: uvicorn's, with a proper end, and a `Transport` for its application.

uvicorn closes TCP right behind its close frame and flushes without limit. Here every farewell of
ours is one closing handshake with a deadline (`_part`). In the flags of the base class:
`close_sent`, our close frame is out; `disconnected`, a `send` of ASGI raises; `close_timer`, a
deadline runs and nobody closes before it.

For each message uvicorn runs a generator of `websockets`, stops reading, wakes a task and reads
again. An application that wants to (`hand_to`) gets whole text messages as soon as they are cut out
of what came; `websockets` sees the handshake and every other frame (rtflow.wire.cutting).

Read next to `uvicorn/protocols/websockets/websockets_sansio_impl.py`.
Not here: how much a client may leave unread (peer.py), when the server stops (server.py).
Invariant: what is written is whole frames; of each connection the last one is at most one close.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from rtflow.server.gateway.transport import EXTENSION, SILENT
from rtflow.server.gateway.uvicorn.leash import LOGGER, Leash
from rtflow.server.gateway.uvicorn.mailbox import Mailbox
from rtflow.wire.cutting import Cutter, text_frame

try:
    from websockets.speedups import apply_mask
except ImportError:  # there is no wheel for this machine
    from websockets.utils import apply_mask

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
    from uvicorn.server import ServerState
    from websockets.frames import Frame
    from websockets.http11 import Request

    from rtflow.server.gateway.transport import Transport
    from rtflow.server.gateway.uvicorn.config import HostConfig

__all__ = ["WebSocketProtocol"]

MOST_FRAGMENTS = 1_024  # of one message; clients send theirs whole
END_OF_HEAD = b"\r\n\r\n"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """First what the application calls (see `Transport`), then what asyncio and uvicorn call."""

    def __init__(
        self,
        config: HostConfig,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: as in uvicorn, the lifespan's state
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn's type; a mailbox has all that it uses of that
        self.queue = cast("asyncio.Queue[ASGIReceiveEvent]", Mailbox["ASGIReceiveEvent"]())
        self.logger = self.conn.logger = LOGGER
        self.conn.debug = False  # it was taken from uvicorn's logger
        self.limits = config.limits
        self.close_timeout = config.limits.close_timeout
        self._cutter = Cutter(
            self._hand_over, self._pass_on, most=config.limits.message_size, unmask=apply_mask
        )
        self._take: Callable[[str | None], None] | None = None
        self._is_bare_head = False  # so far nothing but the handshake has come
        self._is_cutting = False
        self._owed_pong: list[bytes] = []
        self._is_silent = False  # so it is given up
        self._written = 0  # bytes of messages
        self._seen = 0, 0  # bytes taken and bytes waiting, when its life was last in question

    @property
    def peer(self) -> str:
        """The client's address."""
        client = self.scope["client"]  # not self.client: it is corrected behind a trusted proxy
        return client[0] if client else ""

    @property
    def buffered(self) -> int:
        """Bytes the kernel has not taken yet."""
        return self.leash.raw.get_write_buffer_size()

    def hand_to(self, take: Callable[[str | None], None]) -> None:
        """Hand messages over as they come."""
        if self._is_bare_head:
            self._is_cutting, self._take = True, take

    def hold(self) -> None:
        """Leave what has come, and what comes, where it is."""
        self._cutter.is_held = True
        if not self.read_paused and not self.leash.raw.is_closing():
            self.read_paused = True
            self.leash.raw.pause_reading()

    def go_on(self) -> None:
        """Go on with what has come, then with what comes."""
        if self._cutter.is_held:
            self._cutter.is_held = False
            self.loop.call_soon(self.data_received, b"")
        if self.read_paused and not self.leash.raw.is_closing():
            self.read_paused = False
            self.leash.raw.resume_reading()

    def send_text(self, data: bytes) -> None:
        """Write a message now."""
        self.send_texts((data,))

    def send_texts(self, frames: Sequence[bytes]) -> None:
        """Write messages now, in one go."""
        if self._is_open():
            joined = b"".join(map(text_frame, frames))
            self._written += len(joined)
            self.leash.raw.write(joined)

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

    def _flush(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))

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
        self._take = None
        reason = SILENT if self._is_silent else ""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006, "reason": reason})
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Close, as asyncio would do now, but on the leash."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse, unless the peer broke the protocol: then only its end is of interest."""
        if self.conn.parser_exc is not None:
            return
        if self._is_cutting:
            self._cutter.cut(data)
            return
        ends_with_head = 0 <= data.find(END_OF_HEAD) == len(data) - len(END_OF_HEAD)
        self._is_bare_head = ends_with_head and not self.handshake_initiated
        super().data_received(data)
        if not self.handshake_initiated:  # a head that websockets refuses, with no event for it
            self._flush()
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Give the application its transport."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            transport: Transport = self
            # uvicorn has dicts here; to ASGI the value is the extension's own matter
            cast("dict[str, object]", self.scope.get("extensions"))[EXTENSION] = transport

    def _pass_on(self, frame: bytes) -> bool:
        """Let `websockets` read a frame; return whether a text frame after it is a message."""
        super().data_received(frame)
        return self.conn.state is OPEN and self.conn.current_size is None

    def _hand_over(self, data: bytes) -> None:
        """Hand over a text message."""
        if self._take is None or self.close_sent:
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()
        else:
            self._take(text)

    def send_receive_event_to_app(self) -> None:
        """Hand over what is no text, or came in fragments."""
        if not self._is_cutting:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        self.frames = []
        if self.curr_msg_data_type == "text":
            self._hand_over(data)
        elif self._take is not None and not self.close_sent:
            self._take(None)

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment, but not for ever: empty ones have no size that `message_size` bounds."""
        if self.close_sent:
            return
        if len(self.frames) < MOST_FRAGMENTS:
            super().handle_cont(event)
        else:
            self.frames = []
            self.conn.send_close(1009, "too many fragments")
            self.handle_parser_exception()

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
