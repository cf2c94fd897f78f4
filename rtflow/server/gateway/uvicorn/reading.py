"""What comes over one websocket connection: uvicorn's way, and a faster one.

For each message uvicorn runs a generator of `websockets`, stops reading, wakes a task and reads
again. An application that wants to (`hand_to`) gets whole text messages as soon as they are cut out
of what came; `websockets` sees the handshake and every other frame (rtflow.wire.cutting).

Read next to `uvicorn/protocols/websockets/websockets_sansio_impl.py`.
Not here: what leaves, and how a connection ends (websocket.py).
Invariant: messages are taken in their order, each once; none while held, and none after a close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from rtflow.server.gateway.uvicorn.mailbox import Mailbox
from rtflow.wire.cutting import Cutter

try:
    from websockets.speedups import apply_mask
except ImportError:  # there is no wheel for this machine
    from websockets.utils import apply_mask

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn._types import ASGIReceiveEvent
    from uvicorn.server import ServerState
    from websockets.frames import Frame

    from rtflow.server.gateway.uvicorn.config import HostConfig
    from rtflow.server.gateway.uvicorn.leash import Leash

__all__ = ["ReadingProtocol"]

MOST_FRAGMENTS = 1_024  # of one message; clients send theirs whole
END_OF_HEAD = b"\r\n\r\n"


class ReadingProtocol(WebSocketsSansIOProtocol):
    """First what the application calls (see `Transport`), then what asyncio and uvicorn call."""

    leash: Leash

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
        self.limits = config.limits
        self._cutter = Cutter(
            self._hand_over, self._pass_on, most=config.limits.message_size, unmask=apply_mask
        )
        self._take: Callable[[str | None], None] | None = None
        self._done: Callable[[], None] = _nothing
        self._is_bare_head = False  # so far nothing but the handshake has come
        self._is_cutting = False

    def hand_to(self, take: Callable[[str | None], None], done: Callable[[], None]) -> None:
        """Hand messages over as they come."""
        if self._is_bare_head:
            self._is_cutting, self._take, self._done = True, take, done

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

    def data_received(self, data: bytes) -> None:
        """Parse, unless the peer broke the protocol: then only its end is of interest."""
        if self.conn.parser_exc is not None:
            return
        if self._is_cutting:
            try:
                self._cutter.cut(data)
            finally:
                self._done()
            return
        ends_with_head = 0 <= data.find(END_OF_HEAD) == len(data) - len(END_OF_HEAD)
        self._is_bare_head = ends_with_head and not self.handshake_initiated
        super().data_received(data)
        if not self.handshake_initiated:  # a head that websockets refuses, with no event for it
            self._flush()
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over nothing more."""
        self._take, self._done = None, _nothing
        super().connection_lost(exc)

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

    def _flush(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))


def _nothing() -> None: ...
