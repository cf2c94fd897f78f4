"""Connection: over one socket calls go out, answers and events come back, and the heart beats.

Not here: when to connect again, and authentication (link.py), what is asked (requests.py), bytes
and the socket (websocket.py).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from rtflow.client.stats import Counts
from rtflow.client.websocket import Socket, open_socket
from rtflow.errors import BadRequest, InvalidFrame, RequestRefused
from rtflow.model.events import Event
from rtflow.model.params import Empty
from rtflow.wire.client import Answer, ClientProtocol, Published
from rtflow.wire.codec import MAX_FRAME
from rtflow.wire.endpoints import PING, AnyEndpoint

__all__ = ["Connection", "Heartbeat", "connect"]

logger = logging.getLogger(__name__)
wire = logging.getLogger("rtflow.wire.client")


class Heartbeat(Struct, frozen=True):
    """When to ask for a sign of life, and how long to wait for it, in seconds (protocol.md 2.3)."""

    unheard: float = 10.0  # nothing came for so long
    unsaid: float = 25.0  # nothing was sent for so long
    grace: float = 5.0  # silence after the question: the connection is dead


class Connection:
    """What the link talks to: calls go in, answers and events come out, the heart beats.

    The four callables are called synchronously as frames are read.
    """

    __slots__ = (
        "_answered",
        "_asked_at",
        "_counts",
        "_heartbeat",
        "_is_lone",
        "_pinged_at",
        "_protocol",
        "_published",
        "_socket",
        "_tell_lost",
        "_tell_resumed",
        "_timer",
        "lost_because",
    )

    def __init__(
        self,
        answered: Callable[[Answer], None],
        published: Callable[[tuple[Event, ...]], None],
        resumed: Callable[[], None],
        lost: Callable[[str], None],
        heartbeat: Heartbeat,
        counts: Counts,
    ) -> None:
        self._answered, self._published = answered, published
        self._tell_resumed, self._tell_lost = resumed, lost
        self._heartbeat, self._counts = heartbeat, counts
        self._protocol = ClientProtocol()
        self._socket: Socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pinged_at: float | None = None
        self._asked_at: float | None = None  # the last ping, while it is not answered
        self._is_lone = False  # no other was on its way when the last call was made
        self.lost_because: str | None = None

    @property
    def is_writable(self) -> bool:
        """Whether a request may be handed over now. `resumed` is called when it may again."""
        return self._socket is not None and self._socket.is_writable

    def call(self, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any) -> int:
        """Send a request; return the number that its answer will carry. Any: the endpoint's Struct.

        Raises `BadRequest` for one that cannot be sent.
        """
        try:
            seq = self._protocol.call(endpoint, ids, params)
        except UnicodeEncodeError as exc:
            raise BadRequest("INVALID_TEXT", str(exc), request=endpoint.name) from exc
        frames = self._protocol.data_to_send()
        if len(frames[-1]) > MAX_FRAME:
            self._protocol.forget(seq)
            size = f"a request has at most {MAX_FRAME} bytes, not {len(frames[-1])}"
            raise BadRequest("REQUEST_TOO_LARGE", size, request=endpoint.name)
        assert self._socket is not None
        if wire.isEnabledFor(logging.DEBUG):
            wire.debug("> %d %s, %d bytes", seq, endpoint.name, len(frames[-1]))
        # Of many that leave together, again and again, the first is alone for a moment, too.
        was_lone, self._is_lone = self._is_lone, self._protocol.under_way == 1
        self._send(self._socket, frames, at_once=was_lone and self._is_lone)
        return seq

    def forget(self, seq: int) -> None:
        """Ignore the answer to a request, should it still come."""
        self._protocol.forget(seq)

    async def close(self) -> None:
        """Say goodbye; leave no socket and no timer. `lost` is not called."""
        self._stop_beating()
        if self._socket is not None:
            await self._socket.close()

    # What the socket calls

    def begin(self, socket: Socket) -> None:
        """The handshake is done: messages may be sent."""
        self._socket = socket
        self._beat()

    def take(self, message: bytes) -> None:
        """A message came."""
        self._counts.frames_received += 1
        self._counts.bytes_received += len(message)
        try:
            taken = self._protocol.receive(message)
        except InvalidFrame as exc:
            logger.warning("the server sent a message that cannot be read: %s", exc)
            return
        if wire.isEnabledFor(logging.DEBUG):
            wire.debug("< %s, %d bytes", _said(taken), len(message))
        if isinstance(taken, Answer):
            if taken.endpoint is PING:
                self._take_pong()
            else:
                self._answered(taken)
        elif taken is not None:
            self._published(taken.events)
        if (acks := self._protocol.data_to_send()) and self._socket is not None:
            self._send(self._socket, acks)

    def resumed(self) -> None:
        """The socket takes requests again."""
        self._tell_resumed()

    def lost(self, reason: str) -> None:
        """The socket has come to its end."""
        self._stop_beating()
        self.lost_because = reason
        self._tell_lost(reason)

    # The heartbeat: one timer, which looks at the clock instead of being set anew by each message

    def _beat(self) -> None:
        socket, heartbeat = self._socket, self._heartbeat
        assert socket is not None
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._pinged_at is not None and socket.heard_at > self._pinged_at:
            self._pinged_at = None
        if self._pinged_at is not None and now >= self._pinged_at + heartbeat.grace:
            socket.abort(f"no sign of life for {now - socket.heard_at:.1f} s")
            return
        if self._pinged_at is None and now >= socket.heard_at + heartbeat.unheard:
            self._pinged_at = now
            self._ping(socket)
        elif now >= socket.said_at + heartbeat.unsaid:
            self._ping(socket)
        judged_at = (
            socket.heard_at + heartbeat.unheard
            if self._pinged_at is None
            else min(self._pinged_at + heartbeat.grace, now + heartbeat.unheard)
        )
        self._timer = loop.call_at(min(judged_at, socket.said_at + heartbeat.unsaid), self._beat)

    def _ping(self, socket: Socket) -> None:
        self._protocol.call(PING, (), Empty())
        wire.debug("> ping")
        self._asked_at = asyncio.get_running_loop().time()
        self._send(socket, self._protocol.data_to_send())

    def _take_pong(self) -> None:
        if self._asked_at is not None:
            self._counts.round_trip = asyncio.get_running_loop().time() - self._asked_at
            self._asked_at = None

    def _send(self, socket: Socket, frames: list[bytes], *, at_once: bool = False) -> None:
        self._counts.frames_sent += len(frames)
        self._counts.bytes_sent += sum(map(len, frames))
        socket.send(frames, at_once=at_once)

    def _stop_beating(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __repr__(self) -> str:
        return f"<Connection {self.lost_because or 'open'}>"


def _said(taken: Answer | Published | None) -> str:
    """Say what kind of message it was, and nothing of what is in it."""
    match taken:
        case Answer(seq=seq, endpoint=endpoint, error=None):
            return f"{seq} {endpoint.name}: 200"
        case Answer(seq=seq, endpoint=endpoint, error=RequestRefused(status=status, code=code)):
            return f"{seq} {endpoint.name}: {status} {code}"
        case Answer(seq=seq, endpoint=endpoint):
            return f"{seq} {endpoint.name}: unreadable"
        case Published(events=events):
            return " ".join(("PUBLISH", *(type(event).__name__ for event in events)))
        case None:
            return "what nobody waits for"


async def connect(
    url: str,
    *,
    answered: Callable[[Answer], None],
    published: Callable[[tuple[Event, ...]], None],
    resumed: Callable[[], None],
    lost: Callable[[str], None],
    heartbeat: Heartbeat,
    patience: float,
    counts: Counts | None = None,
) -> Connection:
    """Open a connection within `patience` seconds. Raises `Lost`."""
    connection = Connection(
        answered, published, resumed, lost, heartbeat, Counts() if counts is None else counts
    )
    socket = await open_socket(
        url,
        take=connection.take,
        resumed=connection.resumed,
        lost=connection.lost,
        patience=patience,
    )
    connection.begin(socket)
    return connection
