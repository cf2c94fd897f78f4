"""How frames leave: joined per turn of the loop, bounded, and never waited for.

Under our own host the frames of a turn are one write to the transport, which knows how much waits
there. Under another host ASGI's `send` waits when a client does not read, so there a task writes
from a queue of ours. Either way a client that leaves more than the bound unread is cut off: others
must not pay for it.

Not here: which frames (rtflow.wire.server), how a connection dies (gateway/uvicorn).
Invariant: once closed, nothing is sent and nothing is kept.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

from starlette.types import Send

from rtflow.server.gateway.transport import Transport
from rtflow.wire.server import ServerProtocol

__all__ = ["AsgiOutlet", "Outlet", "TransportOutlet"]

OFTEN = 64  # wakes after which frames leave before the turn ends: answers can be large
STUCK = 1013, "too much was left unread"


class Outlet(ABC):
    """The way out of one connection. `on_stuck` is called once with the bytes that wait, if too
    many do."""

    __slots__ = ("_bound", "_is_closed", "_loop", "_on_stuck", "_protocol", "_wakes")

    def __init__(
        self, protocol: ServerProtocol, bound: int, on_stuck: Callable[[int], None]
    ) -> None:
        self._protocol, self._bound, self._on_stuck = protocol, bound, on_stuck
        self._loop = asyncio.get_running_loop()
        self._wakes = 0
        self._is_closed = False

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Bytes that have not left this process."""

    def wake(self) -> None:
        """There may be frames: they leave at the end of this turn of the loop."""
        self._wakes += 1
        if self._wakes == 1:
            self._loop.call_soon(self._turn_ends)
        elif self._wakes % OFTEN == 0:
            self._flush()

    def close(self, code: int, reason: str) -> None:
        """Send what there is, say goodbye, and end the connection. Idempotent."""
        self._flush()
        if not self._is_closed:
            self._is_closed = True
            self._part(code, reason)

    def _turn_ends(self) -> None:
        self._wakes = 0
        self._flush()

    def _flush(self) -> None:
        frames = self._protocol.data_to_send()
        if not frames or self._is_closed:
            return
        self._write(frames)
        if self.waiting > self._bound:
            self._is_closed = True
            self._on_stuck(self.waiting)
            self._cut()

    @abstractmethod
    def _write(self, frames: Sequence[bytes]) -> None: ...

    @abstractmethod
    def _part(self, code: int, reason: str) -> None: ...

    @abstractmethod
    def _cut(self) -> None: ...


class TransportOutlet(Outlet):
    """Straight into the transport of our own host, which aborts whoever does not take a goodbye."""

    __slots__ = ("_transport",)

    def __init__(
        self,
        protocol: ServerProtocol,
        bound: int,
        on_stuck: Callable[[int], None],
        transport: Transport,
    ) -> None:
        super().__init__(protocol, bound, on_stuck)
        self._transport = transport

    @property
    def waiting(self) -> int:
        """Bytes in the transport."""
        return self._transport.buffered

    def _write(self, frames: Sequence[bytes]) -> None:
        self._transport.send_texts(frames)

    def _part(self, code: int, reason: str) -> None:
        self._transport.close(code, reason)

    def _cut(self) -> None:
        self._transport.close(*STUCK)


class AsgiOutlet(Outlet):
    """Through plain ASGI, by `run`, which some task has to run. Cutting off cancels that task."""

    __slots__ = ("_goodbye", "_is_news", "_queue", "_queued", "_send", "_writer")

    def __init__(
        self,
        protocol: ServerProtocol,
        bound: int,
        on_stuck: Callable[[int], None],
        send: Send,
    ) -> None:
        super().__init__(protocol, bound, on_stuck)
        self._send = send
        self._queue, self._queued = deque[bytes](), 0
        self._goodbye: tuple[int, str] | None = None
        self._is_news = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Send until the connection is closed, by us or by the client."""
        self._writer = asyncio.current_task()
        try:
            while self._goodbye is None:
                await self._is_news.wait()
                self._is_news.clear()
                await self._send_queue()
            code, reason = self._goodbye
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            self._is_closed = True  # the client has gone; `receive` tells of it

    async def _send_queue(self) -> None:
        while self._queue:
            frame = self._queue.popleft()
            await self._send({"type": "websocket.send", "text": frame.decode()})
            self._queued -= len(frame)

    @property
    def waiting(self) -> int:
        """Bytes in the queue, and in the `send` that waits."""
        return self._queued

    def _write(self, frames: Sequence[bytes]) -> None:
        self._queue.extend(frames)
        self._queued += sum(map(len, frames))
        self._is_news.set()

    def _part(self, code: int, reason: str) -> None:
        self._goodbye = (code, reason)
        self._is_news.set()

    def _cut(self) -> None:
        self._queue.clear()
        if self._writer is not None:
            self._writer.cancel()
