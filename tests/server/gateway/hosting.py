"""An application and clients without manners, for the tests of the host.

Run as a program, it is the server that the tests about signals talk to.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import uvloop

from rtflow.server.gateway.transport import Transport, transport_of
from rtflow.server.serve import Address, HostLimits, serve

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from starlette.types import Receive, Scope, Send


UPGRADE = (
    "GET /{path}?token=hush HTTP/1.1\r\n"
    "Host: here\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
uvloop.new_event_loop().close()  # libuv opens a pipe for signals with its first loop, and keeps it
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
BRIEF = HostLimits(
    head_timeout=0.3,
    standstill=0.3,
    close_timeout=0.3,
    drain_timeout=0.3,
    lifespan_timeout=0.3,
)
FLOOD = 10_000_000  # bytes: more than a kernel keeps for somebody who does not read
SOON = 1.0  # in seconds; well below every default that a test has not shortened


def on_each_loop(test: Callable[[], Awaitable[None]]) -> Callable[..., None]:
    """Run the test on asyncio's loop and on uvloop; no task may be left."""

    async def check() -> None:
        async with asyncio.timeout(20):
            await test()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def run(loop: str) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(check())

    run.__name__ = run.__qualname__ = test.__name__
    return pytest.mark.parametrize("loop", LOOPS)(run)


class Connection:
    """What the application holds of one websocket, lent to the test."""

    def __init__(self, transport: Transport, send: Send) -> None:
        self.transport, self._send = transport, send
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()

    async def send(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    def fill(self) -> None:
        """Send more than the kernel takes for a client that does not read."""
        self.transport.send_texts([b"x" * 65536] * 64)
        assert self.transport.buffered > 1_000_000

    async def waiting_send(self) -> asyncio.Task[None]:
        """Send as ASGI does, which waits for such a client."""
        sending = asyncio.create_task(self.send("this waits"))
        assert await asyncio.wait({sending}, timeout=0.05) == (set(), {sending})
        return sending


class App:
    """Accepts websockets; answers HTTP at once, or later."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[Connection] = asyncio.Queue()
        self.filled, self.may_answer = asyncio.Event(), asyncio.Event()
        self.requests: asyncio.Queue[str] = asyncio.Queue()
        self.answered: asyncio.Queue[str] = asyncio.Queue()
        self.lived: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await getattr(self, scope["type"])(scope, receive, send)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            step = (await receive())["type"]
            self.lived.append(step)
            await send({"type": f"{step}.complete"})

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        transport = transport_of(scope)
        assert transport is not None
        connection = Connection(transport, send)
        if scope["path"] == "/flood":
            connection.fill()
            self.filled.set()
        self.connections.put_nowait(connection)
        while (event := await receive())["type"] != "websocket.disconnect":
            connection.heard.put_nowait(event["text"])
        connection.closed.set_result(event["code"])
        while event["code"] != 1006:  # what the host says last, when TCP has ended
            event = await receive()
        connection.lost.set()

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.put_nowait(scope["path"])
        if scope["path"] == "/later":
            await self.may_answer.wait()
        if scope["path"] == "/filled":
            await self.filled.wait()
        body = b"x" * FLOOD if scope["path"] == "/flood" else b"ok"
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self.answered.put_nowait(scope["path"])


class Client:
    """A TCP client without manners."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: str | bytes) -> None:
        self.writer.write(data if isinstance(data, bytes) else data.encode())

    async def until(self, end: bytes) -> bytes:
        return await self.reader.readuntil(end)

    async def ended(self) -> bytes:
        """Read until the server ends the connection, in whichever way."""
        received = b""
        with suppress(ConnectionError):
            while data := await self.reader.read(65536):
                received += data
        return received

    async def is_cut(self, within: float = SOON) -> float:
        """Wait for the end of the connection, and say how long it took."""
        start = now()
        async with asyncio.timeout(within):
            assert await self.ended() == b""
        return now() - start


@asynccontextmanager
async def dialled(address: Address) -> AsyncGenerator[Client]:
    """Connect, with buffers so small that not reading is felt."""
    sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (address.host, address.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def upgraded(app: App, address: Address) -> AsyncGenerator[tuple[Connection, Client]]:
    """A websocket whose client has the handshake behind it, and no manners."""
    async with dialled(address) as client:
        client.send(UPGRADE.format(path="") + "\r\n")
        await client.until(b"\r\n\r\n")
        yield await app.connections.get(), client


@asynccontextmanager
async def stuck(app: App, address: Address) -> AsyncGenerator[tuple[Connection, Client]]:
    """A websocket whose client does not read, with all buffers full."""
    async with upgraded(app, address) as (connection, client):
        connection.fill()
        yield connection, client


def client_frame(opcode: int, payload: bytes) -> bytes:
    """A short frame from a client, masked with zeros."""
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def now() -> float:
    return asyncio.get_running_loop().time()


async def main(slowly: bool) -> None:
    app = App()

    async def drain() -> None:
        while not app.connections.empty():
            app.connections.get_nowait().transport.send_texts([b"farewell"])
        print("farewell", flush=True)
        if slowly:
            await asyncio.Event().wait()

    def on_listening(host: str, port: int) -> None:
        print(port, flush=True)

    await serve(app, port=0, on_listening=on_listening, drain=drain)
    print(app.lived[-1])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]) as own_loop:
        own_loop.get_loop().slow_callback_duration = 60  # what debug mode says of a busy machine
        own_loop.run(main("slowly" in sys.argv))
