"""Asks a server on bare sockets, so that a client of ours has no part in what is measured."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, cycle, islice
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks import bare
from benchmarks.measure import Clock, Side
from benchmarks.programs import Running

__all__ = ["TEXT", "Client", "Timing", "client", "read", "said", "say", "saying"]

Json = Any  # whatever an answer holds
TEXT = {"content": [{"type": "text", "children": ["Soup today?"]}]}


class Client:
    """One user's bare socket: a request, its answer, and whatever else comes is let go."""

    def __init__(self, socket: bare.Connection) -> None:
        self._socket, self._seq = socket, count()

    async def ask(self, method: str, path: str, params: Json = None) -> Json:
        """Ask, and wait for the answer."""
        seq = next(self._seq)
        data = msgspec.Raw(msgspec.json.encode(params or {}))
        await self._socket.send(msgspec.json.encode(bare.Ask(seq, method, path, data)), text=True)
        while True:
            frame = msgspec.json.decode(await self._socket.recv(), type=list[msgspec.Raw])
            if len(frame) == 3 and int(bytes(frame[0])) == seq and bytes(frame[1]) != b'"PUBLISH"':
                assert bytes(frame[1]) == b"200", bytes(frame[2])
                return msgspec.json.decode(frame[2])

    async def listen(self, seen: Callable[[], None] = lambda: None) -> None:
        """Take all that comes, and count it."""
        async for _ in self._socket:
            seen()


@asynccontextmanager
async def client(server: Running, user: str) -> AsyncIterator[Client]:
    """Connect as a user."""
    url = f"{server.url.replace('http', 'ws', 1)}/public_api/v1/demo/realtime/{user}"
    async with bare.dial(url) as socket:
        it = Client(socket)
        await it.ask("POST", "/session/renew", {"token": ""})
        yield it


class Timing(Struct, frozen=True):
    """How requests are timed: so many together, one after the other, by this clock."""

    times: int
    clock: Clock = time.perf_counter

    async def each(self, ask: Callable[[], Awaitable[Json]]) -> float:
        """Return the µs that one request takes."""
        start = self.clock()
        for _ in range(self.times):
            await ask()
        return (self.clock() - start) * 1e6 / self.times


def read(who: Client, timing: Timing, path: str, items: int, **params: Json) -> Side:
    """Read a page that must have so many items."""

    async def ask() -> None:
        page = await who.ask("GET", path, params)
        assert len(page["data"]) == items, page

    return lambda: timing.each(ask)


@asynccontextmanager
async def said(
    server: Running, timing: Timing, room: str, size: int, online: int
) -> AsyncIterator[Side]:
    """Say something in a conversation that many connections watch, the same number in each."""
    people = [f"user{n}" for n in range(min(size, online))]
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        speaker = await stack.enter_async_context(client(server, people[0]))
        listening: list[asyncio.Task[None]] = []
        for person in islice(cycle(people), online):
            watcher = await stack.enter_async_context(client(server, person))
            for path in (f"/me/conversations/{room}", f"/me/conversations/{room}/messages"):
                await watcher.ask("SUBSCRIBE", path)
            listening.append(tasks.create_task(watcher.listen()))
        yield saying(speaker, timing, room)
        for task in listening:
            task.cancel()


def say(who: Client, room: str) -> Awaitable[Json]:
    """Say something."""
    return who.ask("POST", f"/conversations/{room}/messages", TEXT)


def saying(who: Client, timing: Timing, room: str) -> Side:
    """Say it again and again."""
    return lambda: timing.each(lambda: say(who, room))
