"""A real HTTP server that does what a test tells it, down to the pieces of an answer."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from rtflow.testing.waiting import Bell

Answer: TypeAlias = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


class Asked(Struct, frozen=True):
    """A request, as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str:
        return self.headers["authorization"].removeprefix("Bearer ")


class HttpPeer:
    """Answers the next request with the next of `script`, then with the last of it again."""

    def __init__(self) -> None:
        self.script = deque[Answer]()
        self.asked = list[Asked]()
        self.open = 0  # connections
        self.is_deaf = False  # reads no body
        self.bell = Bell()
        self.port = 0
        self._tasks = set[asyncio.Task[None]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        return [it.target for it in self.asked]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.bell.wait(condition, 5.0, lambda: f"not so: {self.targets}, open: {self.open}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        try:
            asked = await self._read(reader)
            self.asked.append(asked)
            self.bell.ring()
            answer = self.script.popleft() if len(self.script) > 1 else self.script[0]
            async with asyncio.TaskGroup() as tasks:
                answering = tasks.create_task(self._answer(answer, asked, writer))
                await reader.read()  # until the client closes
                answering.cancel()
        except* (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or never came, or the test is over
        finally:
            writer.transport.abort()
            self.open -= 1
            self._tasks.discard(task)
            self.bell.ring()

    @staticmethod
    async def _answer(answer: Answer, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await answer(asked, writer)
        writer.write_eof()

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        lines = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in lines}
        if self.is_deaf:
            await asyncio.Event().wait()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Asked(method, target, headers, body)

    async def stop(self, server: asyncio.Server) -> None:
        server.close()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def http_peer() -> AsyncGenerator[HttpPeer]:
    peer = HttpPeer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        await peer.stop(server)


def head(status: int = 200, *lines: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status} Word", "connection: close", *lines, "", "")).encode()


def answer(
    body: bytes | str = b"", status: int = 200, *lines: str, piece: int | None = None
) -> Answer:
    """Answer with this body, all at once or in pieces of that many bytes."""
    content = body.encode() if isinstance(body, str) else body

    async def send(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, f"content-length: {len(content)}", *lines))
        for at in range(0, len(content), piece or max(len(content), 1)):
            writer.write(content[at : at + (piece or len(content))])
            await writer.drain()

    return send


def broken_off(body: str) -> Answer:
    """Answer with this, and cut the connection before the end of it."""

    async def send(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, f"content-length: {len(body) + 1_000}") + body.encode())
        await writer.drain()

    return send


async def cut(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Cut the connection instead of answering."""
    writer.transport.abort()


def gated(gate: asyncio.Event, parts: Iterable[str]) -> Answer:
    """Answer with the first part, and with each other one when the gate was opened again."""

    async def send(asked: Asked, writer: asyncio.StreamWriter) -> None:
        first, *others = parts
        writer.write(head(200) + first.encode())
        for part in others:
            await gate.wait()
            gate.clear()
            writer.write(part.encode())
            await writer.drain()

    return send
