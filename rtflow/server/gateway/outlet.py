"""How frames leave: joined per turn of the loop, bounded, and never waited for.

Under our own host the frames of a turn are one write to the transport, which knows how much waits
there; the answers to what one read of the socket has brought leave together when all of it is
carried out, which saves them the rest of that turn. Under another host ASGI's `send` waits when a
client does not read, so there a task writes from a queue of ours.

How much waits decides three things. Above half of the bound the outlet is full: nothing more is
read from the client until it has taken what waits, so answers do not pile up. Events cannot be held
back: above the bound a client that takes nothing for some seconds is cut off. Above `MOST` times
the bound any client is, but never for what one batch alone holds, such as a very long page. To be
slow is no reason: a client behind a slow link reads all that it is given.

While full the outlet looks at the buffer every `TICK`: neither asyncio nor ASGI tells of progress.
Otherwise all this costs one comparison per batch.

Not here: which frames (rtflow.wire.server), how a connection dies (gateway/uvicorn).
Invariant: once closed, nothing is sent and nothing is kept. An outlet that is full has a timer.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

from starlette.types import Send

from rtflow.server.figures import Figures
from rtflow.server.gateway.limits import Limits
from rtflow.server.gateway.transport import Transport
from rtflow.wire.server import ServerProtocol

__all__ = ["AsgiOutlet", "Outlet", "TransportOutlet"]

logger = logging.getLogger(__name__)

OFTEN = 16  # wakes after which frames leave before the turn ends: answers can be large
MOST = 4  # times the bound
TICK = 0.05  # seconds
STUCK = 1013, "too much was left unread"


class Outlet(ABC):
    """The way out of one connection. `on_stuck` is called once with the bytes that wait, if the
    client is cut off for them."""

    __slots__ = (
        "_bound",
        "_ceiling",
        "_figures",
        "_is_closed",
        "_is_gathering",
        "_loop",
        "_moved",
        "_on_drained",
        "_on_stuck",
        "_patience",
        "_protocol",
        "_seen",
        "_timer",
        "_wakes",
    )

    def __init__(
        self,
        protocol: ServerProtocol,
        limits: Limits,
        figures: Figures,
        on_stuck: Callable[[int], None],
    ) -> None:
        self._protocol, self._figures, self._on_stuck = protocol, figures, on_stuck
        self._bound, self._patience = limits.outbox, limits.standstill
        self._loop = asyncio.get_running_loop()
        self._wakes = 0
        self._is_closed = self._is_gathering = False
        self._timer: asyncio.TimerHandle | None = None  # while full
        self._on_drained: list[Callable[[], None]] = []
        self._seen = self._ceiling = 0  # what waited last; what may
        self._moved = 0.0  # when the client last took something

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Bytes that have not left this process."""

    def wake(self) -> None:
        """There may be frames: they leave at the end of this turn of the loop, or of `gather`."""
        self._wakes += 1
        if self._wakes == 1 and not self._is_gathering:
            self._loop.call_soon(self._turn_ends)
        elif self._wakes % OFTEN == 0:
            self.flush()

    def gather(self) -> None:
        """Frames leave with `let_go` from now on. It must follow in this turn."""
        self._is_gathering = True

    def let_go(self) -> None:
        """What was gathered leaves. Without effect when nothing was to be."""
        if self._is_gathering:
            self._is_gathering = False
            self._turn_ends()

    def flush(self) -> None:
        """Let the frames that there are leave now, not at the end of the turn."""
        if frames := self._protocol.data_to_send():
            self.send(frames)

    def send(self, frames: Sequence[bytes]) -> None:
        """Let these frames of the protocol leave now. There is one at least."""
        if self._is_closed:
            return
        if self._timer is not None:
            self._look()
        size = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        figures = self._figures
        figures.frames_out += len(frames)
        figures.bytes_out += size
        if (waiting := self._write(frames)) * 2 > self._bound:
            self._watch(waiting, size)

    def close(self, code: int, reason: str) -> None:
        """Send what there is, say goodbye, and end the connection. Idempotent."""
        self.flush()
        if not self._is_closed:
            self._is_closed = True
            self._figures.cut_off[reason] += 1
            logger.debug("a connection is closed with %d (%s)", code, reason)
            self._part(code, reason)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that nothing should be added that can be held back."""
        return self._timer is not None

    def when_drained(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the outlet is not full any more, or closed. It must be full now."""
        self._on_drained.append(tell)

    def end(self) -> None:
        """The connection is over: send nothing, watch nothing. Idempotent."""
        self._is_closed = True
        self._drained()

    def _turn_ends(self) -> None:
        self._wakes = 0
        self.flush()

    def _watch(self, waiting: int, added: int) -> None:
        self._seen, most = waiting, self._bound * MOST + added
        if self._timer is None:
            self._moved, self._ceiling = self._loop.time(), most
            self._timer = self._loop.call_later(TICK, self._tick)
        self._ceiling = max(self._ceiling, most)
        if waiting > self._ceiling:
            self._give_up()

    def _look(self) -> None:
        waiting = self.waiting
        if waiting < self._seen or waiting <= self._bound:
            self._moved = self._loop.time()
        self._seen = waiting

    def _tick(self) -> None:
        self._look()
        if self._is_closed or self._seen * 2 <= self._bound:
            self._drained()
        elif self._loop.time() - self._moved >= self._patience:
            self._give_up()
        else:
            self._timer = self._loop.call_later(TICK, self._tick)

    def _drained(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tells, self._on_drained = self._on_drained, []
        for tell in tells:
            tell()

    def _give_up(self) -> None:
        self._is_closed = True
        self._figures.cut_off[STUCK[1]] += 1
        self._on_stuck(self.waiting)
        self._cut()
        self._drained()

    @abstractmethod
    def _write(self, frames: Sequence[bytes]) -> int:
        """Let frames leave; return what waits then."""

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
        limits: Limits,
        figures: Figures,
        on_stuck: Callable[[int], None],
        transport: Transport,
    ) -> None:
        super().__init__(protocol, limits, figures, on_stuck)
        self._transport = transport

    @property
    def waiting(self) -> int:
        """Bytes in the transport."""
        return self._transport.buffered

    def _write(self, frames: Sequence[bytes]) -> int:
        return self._transport.send_texts(frames)

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
        limits: Limits,
        figures: Figures,
        on_stuck: Callable[[int], None],
        send: Send,
    ) -> None:
        super().__init__(protocol, limits, figures, on_stuck)
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

    def _write(self, frames: Sequence[bytes]) -> int:
        self._queue.extend(frames)
        self._queued += sum(map(len, frames))
        self._is_news.set()
        return self._queued

    def _part(self, code: int, reason: str) -> None:
        self._goodbye = (code, reason)
        self._is_news.set()

    def _cut(self) -> None:
        self._queue.clear()
        if self._writer is not None:
            self._writer.cancel()
