"""Websocket: one socket from handshake to close, and messages over it.

Not here: what messages say and whether the server is alive (connection.py).
The only client import of `websockets`. Neither its exceptions nor an OSError leaves this room:
what ends a socket is a reason, a few words for people.
Invariant: `lost` is called at most once, and after it nothing else is.

`websockets` has a face for asyncio, but there each message goes through a queue and wakes a task,
which is most of the cost of a frame. So its sans-I/O protocol runs under an
`asyncio.BufferedProtocol` of our own: a message is taken apart, applied and settled inside
`buffer_updated`, in the order of the frames. There is no queue to bound. All sockets of a thread
read into one buffer: for a `data_received` asyncio would take 256 KiB from the system, and give
them back, for each little message, which costs more than to read it.

What is sent in one turn of the loop leaves in one write, at its end: at 16 requests in flight that
is 1.4 times as many for the same CPU time. A request that follows others that were alone leaves at
once, which saves it a turn. `is_writable` tells when to hold requests back, and a server that
leaves `MOST_UNREAD` bytes unread is given up.

Whole text messages are cut out, and made, by ourselves (rtflow.wire.cutting). Every other frame and
the handshake are for `websockets`.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from os import urandom
from typing import Final, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, PayloadTooBig
from websockets.frames import CLOSE_CODE_EXPLANATIONS, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from rtflow.client.address import tls
from rtflow.client.reasons import reason_of
from rtflow.wire.codec import MAX_SERVER_FRAME
from rtflow.wire.cutting import Cutter, text_frame

try:
    from websockets.speedups import apply_mask
except ImportError:  # there is no wheel for this machine
    from websockets.utils import apply_mask

__all__ = ["Lost", "Socket", "open_socket"]

LONGEST_RETRY_AFTER: Final = 600.0  # seconds
MOST_UNREAD: Final = 8 * 1024 * 1024  # bytes
WRITTEN_AT_ONCE: Final = 64 * 1024  # bytes
FAREWELL: Final = 1.0  # seconds for the closing handshake
READ_AT_ONCE: Final = 256 * 1024  # bytes
CONTROL: Final = frozenset({Opcode.PING, Opcode.PONG, Opcode.CLOSE})

mute = logging.Logger("websockets, whose debug lines would show tokens", logging.CRITICAL + 1)


class Lost(Exception):
    """There is no connection (any more). `reason` says why, for people.

    `retry_after`: the server's own wish, in seconds. `is_final`: it makes no sense to come back.
    """

    def __init__(self, reason: str, *, retry_after: float = 0.0, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry_after, self.is_final = reason, retry_after, is_final


class Socket(Protocol):
    """What a `Connection` needs from below: messages out, and the end."""

    is_writable: bool
    heard_at: float
    said_at: float

    def send(self, messages: list[bytes], *, at_once: bool = False) -> None:
        """Send messages, in order, together; and with what follows in this turn, or `at_once`."""
        ...

    def abort(self, reason: str) -> None:
        """Be gone at once."""
        ...

    async def close(self) -> None:
        """Say goodbye, wait a little for the echo, and be gone when this returns."""
        ...


class Buffer(threading.local):
    """What the sockets of a thread read into, one after the other."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_AT_ONCE))


_shared = Buffer()


class WebSocket(asyncio.BufferedProtocol):
    """A `Socket`: the websocket of a client, driven by the event loop."""

    __slots__ = (
        "_buffer",
        "_cutter",
        "_frames",
        "_gone",
        "_has_parsed",
        "_is_cutting",
        "_is_over",
        "_loop",
        "_lost",
        "_parts",
        "_protocol",
        "_reading",
        "_resumed",
        "_take",
        "_transport",
        "_unwritten",
        "_writing",
        "heard_at",
        "is_writable",
        "opened",
        "said_at",
    )

    def __init__(
        self,
        uri: WebSocketURI,
        take: Callable[[bytes], None],
        resumed: Callable[[], None],
        lost: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._protocol = ClientProtocol(uri, max_size=MAX_SERVER_FRAME, logger=mute)
        self._take, self._resumed, self._lost = take, resumed, lost
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes | bytearray] = []  # of a fragmented message
        self._cutter = Cutter(take, self._parse, most=MAX_SERVER_FRAME)
        self._is_cutting = False  # else all that comes is for `websockets`
        self._has_parsed = False  # `websockets` has read something: it may answer, or have ended
        # On Windows a socket holds its buffer all the time until something comes.
        is_own = sys.platform == "win32"
        self._buffer = memoryview(bytearray(READ_AT_ONCE)) if is_own else _shared.view
        self._reading = False
        self._writing: asyncio.Handle | None = None
        self._frames: list[bytes] = []  # to be written
        self._unwritten = 0  # bytes of them
        self._is_over = False
        self.is_writable = True
        self.heard_at = self.said_at = self._loop.time()
        self.opened = self._loop.create_future()
        self._gone = asyncio.Event()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # not a subclass of it in uvloop
        request = self._protocol.connect()
        request.headers["User-Agent"] = "rtflow"
        self._protocol.send_request(request)
        self._write()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_over:
            return
        data = bytes(self._buffer[:nbytes])
        self.heard_at = self._loop.time()
        self._reading = True
        try:
            if self._is_cutting:
                self._cutter.cut(data)
            else:
                self._parse(data)
        finally:
            self._reading = False
        if self._frames or self._has_parsed:
            self._write()
        if self._has_parsed:
            self._has_parsed = False
            if not self.opened.done():
                self._judge_handshake(data)
            elif self._protocol.state is not State.OPEN:
                self._end(Lost(self._why_closed()))

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._end(Lost("the connection was lost"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Lost("the connection was lost" if exc is None else reason_of(exc)))
        self._gone.set()

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        if not self._is_over and self.opened.done():
            self._resumed()

    # What we call

    def send(self, messages: list[bytes], *, at_once: bool = False) -> None:
        if self._is_over or self._protocol.state is not State.OPEN:
            return
        for message in messages:
            key = urandom(4)  # what others made of a message must not be foreseen (RFC 6455, 10.3)
            self._frames.append(text_frame(apply_mask(message, key), key))
            self._unwritten += len(message)
        if self._unwritten > WRITTEN_AT_ONCE:  # or `is_writable` would learn of it too late
            self._write()
        elif self._reading or self._writing is not None:
            pass  # it leaves with others
        elif at_once:
            self._write()
        else:
            self._writing = self._loop.call_soon(self._write)

    def abort(self, reason: str) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end(Lost(reason))

    async def close(self) -> None:
        self._is_over = self._cutter.is_held = True
        if self._transport is None:
            return
        try:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._write()
            async with asyncio.timeout(FAREWELL):
                await self._gone.wait()
        except TimeoutError:
            pass
        finally:
            self._transport.abort()
        await self._gone.wait()  # a turn of the loop: the socket is closed in it

    # Inside

    def _parse(self, data: bytes) -> bool:
        """Let `websockets` read; return whether a text frame may follow that is a message."""
        self._has_parsed = True
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
        return self._protocol.state is State.OPEN and self._protocol.current_size is None

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in CONTROL or self._is_over:
            return
        message = frame.data
        assert not isinstance(message, memoryview)  # that is for outgoing frames
        if self._parts or not frame.fin:
            self._parts.append(message)
            if not frame.fin:
                return
            message = b"".join(self._parts)
            self._parts.clear()
        self._take(bytes(message))

    def _write(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        self._unwritten = 0
        data = [*self._frames, *self._protocol.data_to_send()]  # a farewell comes last
        self._frames.clear()
        if not data or self._transport is None or self._transport.is_closing():
            return
        self.said_at = self._loop.time()
        self._transport.write(data[0] if len(data) == 1 else b"".join(data))
        if not self.is_writable and self._transport.get_write_buffer_size() > MOST_UNREAD:
            # Not now: the caller is in the middle of handing over requests.
            self._loop.call_soon(self.abort, "the server does not read what is sent")

    def _judge_handshake(self, data: bytes) -> None:
        if self._protocol.state is State.OPEN:
            head = data.find(b"\r\n\r\n")
            self._is_cutting = 0 <= head == len(data) - 4  # no frame has begun
            self.opened.set_result(None)
        elif self._protocol.handshake_exc is not None:
            self._end(_refusal(self._protocol.handshake_exc))

    def _why_closed(self) -> str:
        closed = self._protocol.close_rcvd
        if closed is not None:
            words = closed.reason or CLOSE_CODE_EXPLANATIONS.get(closed.code, "no reason given")
            return f"closed with {closed.code} ({words})"
        if isinstance(self._protocol.parser_exc, PayloadTooBig):
            return f"the server sent a message of more than {MAX_SERVER_FRAME} bytes"
        return f"the server broke the websocket protocol: {self._protocol.parser_exc}"

    def _end(self, lost: Lost) -> None:
        if self._is_over:
            return
        self._is_over = self._cutter.is_held = True
        if self.opened.done():
            self._lost(lost.reason)
        else:
            self.opened.set_exception(lost)
            self.opened.exception()  # whoever opened it may have left: then nobody need know


async def open_socket(
    url: str,
    *,
    take: Callable[[bytes], None],
    resumed: Callable[[], None],
    lost: Callable[[str], None],
    patience: float,
) -> Socket:
    """Open a socket within `patience` seconds. Raises `Lost`.

    The callables are called synchronously: `take` for each message, `resumed` when it is writable
    again, `lost` with the reason when it has come to its end by itself or by `abort`.
    """
    uri = parse_uri(url)
    made: WebSocket | None = None
    try:
        async with asyncio.timeout(patience):
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: WebSocket(uri, take, resumed, lost),
                uri.host,
                uri.port,
                ssl=tls() if uri.secure else None,
            )
            await made.opened
    except BaseException as exc:
        if made is not None:
            made.abort("given up")
        if isinstance(exc, TimeoutError):
            raise Lost(f"no answer within {patience:g} s") from exc
        if isinstance(exc, OSError):
            raise Lost(reason_of(exc)) from exc
        raise
    return made


def _refusal(exc: Exception) -> Lost:
    """Say why a handshake failed."""
    if isinstance(exc, InvalidStatus):
        response = exc.response
        status = f"{response.status_code} {response.reason_phrase}".rstrip()
        wish = str(response.headers.get("Retry-After", ""))
        return Lost(
            f"the server refused the connection with {status}",
            retry_after=min(float(wish), LONGEST_RETRY_AFTER) if wish.isdecimal() else 0.0,
            is_final=response.status_code == 404,
        )
    if isinstance(exc, InvalidHandshake):
        return Lost(f"the server does not speak websocket: {exc}")
    return Lost(reason_of(exc))
