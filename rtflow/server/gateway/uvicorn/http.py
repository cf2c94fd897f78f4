"""One HTTP connection, until it ends or becomes a websocket: uvicorn's, with bounded request heads.

uvicorn has neither a deadline nor a size for a head, and none for a connection that sends nothing.
What may follow a body, or a piece of one (trailers, extensions of a chunk), it keeps with the head,
so it counts as one: what is bounded is how much may come that brings neither a body nor an end.

A connection is in one of four states, each with its guard: its head is awaited (our deadline); a
request runs (the application's matter, but if the client takes nothing of the answer: our
deadline); it rests after a response (uvicorn's keep-alive timer, which any byte stops); it sends
what begins no request, such as blank lines, or the rest of a body that nobody reads (our deadline).

Requests may wait for the one before, but few, as uvicorn goes on to read after each answer; and a
websocket may not, as the request would neither be answered alone nor hear of the end.

Read next to `uvicorn/protocols/http/httptools_impl.py`.
Not here: websockets (websocket.py), how a connection is ended (leash.py).
Invariant: a connection that owes us a request head has a deadline.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rtflow.server.gateway.uvicorn.leash import LOGGER, Leash

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from rtflow.server.gateway.uvicorn.config import HostConfig

__all__ = ["HttpProtocol"]

HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\n"
    b"content-length: 0\r\n"
    b"\r\n"
)


class HttpProtocol(HttpToolsProtocol):
    """asyncio calls it with bytes, its parser calls it back with what they mean."""

    def __init__(
        self,
        config: HostConfig,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: as in uvicorn, the lifespan's state
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger, self.access_log = LOGGER, False
        self.limits = config.limits
        self._deadline: asyncio.TimerHandle | None = None
        self._standstill: asyncio.TimerHandle | None = None  # while an answer waits for the client
        self._is_head = True
        self._aside = 0  # bytes since the last that were of use

    def connection_made(  # type: ignore[override]  # as in uvicorn: asyncio promises less
        self, transport: asyncio.Transport
    ) -> None:
        """Put it on the leash and wait for the first head."""
        self.leash = Leash(transport, self.loop, self.limits.response_timeout)
        # asyncio does that only for sockets that were made with a protocol number; ours were not
        self.leash.set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(self.leash.as_transport())
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._stop_deadline()
        self._stop_standstill()
        self.leash.end()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Close, as asyncio would do now, but on the leash."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse; then see to it that a connection which is not in a request has a guard."""
        self._aside += len(data)
        super().data_received(data)
        if self not in self.connections or self.transport.is_closing():
            return  # a websocket now, or over
        if self._aside > self.limits.head_size:
            if self._is_head and not self._is_answering:
                self.transport.write(HEAD_TOO_LARGE)
            self.transport.close()
        elif not self._is_answering:
            self._start_deadline()

    def on_headers_complete(self) -> None:
        """Parser: the head is here. Of a connection that is over, no request is begun."""
        self._is_head, self._aside = False, 0
        self._stop_deadline()
        assert self.parser is not None, "it calls"
        is_too_much = len(self.pipeline) >= self.limits.pipelined
        if self._is_answering and (is_too_much or self.parser.should_upgrade()):
            self.transport.close()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Parser: a piece of the body is here."""
        self._aside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Parser: what follows is the next head."""
        self._is_head, self._aside = True, 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Give the connection away, if it is not over."""
        if not self.transport.is_closing():
            self._stop_standstill()
            super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """The client does not read. The application waits, but not for ever."""
        super().pause_writing()
        self._watch_standstill()

    def resume_writing(self) -> None:
        """It has read."""
        self._stop_standstill()
        super().resume_writing()

    @property
    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # uvicorn's type forgets None
        return cycle is not None and not cycle.response_complete

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.head_timeout, self.leash.abort)

    def _watch_standstill(self) -> None:
        waiting = self.leash.raw.get_write_buffer_size()
        self._standstill = self.loop.call_later(
            self.limits.standstill, self._look_at_standstill, waiting
        )

    def _look_at_standstill(self, before: int) -> None:
        if self.leash.raw.get_write_buffer_size() < before:
            self._watch_standstill()
        else:
            self.leash.abort()

    def _stop_standstill(self) -> None:
        if self._standstill is not None:
            self._standstill.cancel()
            self._standstill = None

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
