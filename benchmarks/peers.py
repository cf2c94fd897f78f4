"""The peers: python-socketio, and NATS KV by nats-py, asked to do the same work as rtflow.

What is read and pushed is `bare.ENTITY`. Each peer runs as its documentation has it: socket.io on
uvicorn with uvloop, websockets only; NATS with JetStream on disk, which flushes before it answers
only if it is told to: it is (`sync_interval: always`), so that its `say` promises what our `send`
does. Without that it says about twice as much (12,263 a second against 5,950), and loses what it
has answered when the machine fails. socket.io keeps nothing at all. A value is decoded into what
its user would work with: a dict, and a Struct.

They come with `pip install ".[bench]"`, which `make bench PEERS=1` does.
"""

import asyncio
import importlib
import itertools
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks import bare
from benchmarks.plan import Plan
from benchmarks.programs import READY, Running, python_server

__all__ = ["CORE", "KV", "PEERS", "SOCKETIO", "Peer", "each_peer"]

SOCKETIO, KV, CORE = "python-socketio", "NATS KV", "NATS core"

# A stream has 1000 consumers at most unless told otherwise, and a watch is one.
NATS = """
listen: "127.0.0.1:-1"
jetstream { store_dir: "%s", sync_interval: always, limits { default_max_consumers: 100000 } }
"""

Seen = Callable[[], None]


class Peer(Struct, frozen=True):
    """Somebody who can do what we do."""

    name: str
    server: Running

    get: Callable[[], Awaitable[object]]
    """Read one thing, if there is anything to read."""

    say: Callable[[], Awaitable[None]]
    """Change something that everybody watches; the server has taken it."""

    listen: Callable[[Seen], Awaitable[None]]
    """Open one more connection, which watches, and counts each change that it is told."""


@asynccontextmanager
async def each_peer(plan: Plan, *names: str) -> AsyncIterator[list[Peer]]:
    """Start those that were asked for, each with a fresh server; without names, who has state."""
    async with AsyncExitStack() as stack:
        peers: list[Peer] = []
        for name in names or (SOCKETIO, KV) if plan.peers else ():
            start, connect = PEERS[name]
            server = await stack.enter_async_context(start())
            peers.append(await stack.enter_async_context(connect(server)))
        yield peers


# Any: both are optional, and socketio has no types


def socketio_server() -> AbstractAsyncContextManager[Running]:
    """Start the server of python-socketio."""
    return python_server("benchmarks.socketio_server", "http")


@asynccontextmanager
async def socketio(server: Running) -> AsyncIterator[Peer]:
    """python-socketio: `call` to read and to say, `emit` to everybody to tell."""
    library: Any = importlib.import_module("socketio")
    async with AsyncExitStack() as stack:

        async def connected() -> Any:
            client = library.AsyncClient(reconnection=False)
            await client.connect(server.url, transports=["websocket"])
            stack.push_async_callback(client.disconnect)
            return client

        async def get() -> object:
            return await one.call("get", "lunch")

        async def say() -> None:
            await one.call("say", "hello")

        async def listen(seen: Seen) -> None:
            (await connected()).on("said", lambda _: seen())

        one = await connected()
        yield Peer(SOCKETIO, server, get, say, listen)


@asynccontextmanager
async def nats_server() -> AsyncIterator[Running]:
    """Start the server that comes as a wheel, on a free port."""
    executable = Path(sys.executable).with_name("nats-server")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(NATS % folder, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            executable, "--config", config, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        try:
            port = b""
            async with asyncio.timeout(READY):
                async for line in process.stderr:  # what it logs afterwards fits into the pipe
                    if found := re.search(rb"client connections on \S+:(\d+)", line):
                        port = found[1]
                    if b"Server is ready" in line:
                        break
            yield Running(f"nats://127.0.0.1:{port.decode()}", process.pid)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def key_value(server: Running) -> AsyncIterator[Peer]:
    """NATS KV: `get` and `put` of a bucket, and a watch of all keys of one kind."""
    library: Any = importlib.import_module("nats")
    entity = msgspec.json.Decoder(bare.Entity)
    value = msgspec.json.encode(bare.ENTITY)
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())

        async def connected() -> Any:
            client = await library.connect(server.url)
            stack.push_async_callback(client.close)
            return client

        async def get() -> object:
            return entity.decode((await bucket.get("lunch")).value)

        async def say() -> None:
            await bucket.put(f"said.{next(numbers)}", value)

        async def watch(watcher: Any, seen: Seen) -> None:
            async for entry in watcher:
                if entry is not None:  # None: all that was there already has come
                    entity.decode(entry.value)
                    seen()

        async def listen(seen: Seen) -> None:
            own = await (await connected()).jetstream().key_value("chat")
            watcher = await own.watch("said.*")
            tasks.create_task(watch(watcher, seen))
            stack.push_async_callback(watcher.stop)

        numbers = itertools.count()
        bucket = await (await connected()).jetstream().create_key_value(bucket="chat")
        await bucket.put("lunch", value)
        yield Peer(KV, server, get, say, listen)


@asynccontextmanager
async def core(server: Running) -> AsyncIterator[Peer]:
    """NATS without JetStream: nothing is kept, and nobody says that it has arrived."""
    library: Any = importlib.import_module("nats")
    entity = msgspec.json.Decoder(bare.Entity)
    value = msgspec.json.encode(bare.ENTITY)
    async with AsyncExitStack() as stack:

        async def connected() -> Any:
            client = await library.connect(server.url)
            stack.push_async_callback(client.close)
            return client

        async def get() -> object:
            raise NotImplementedError("it has no state")

        async def say() -> None:
            await one.publish("said", value)

        async def listen(seen: Seen) -> None:
            async def take(message: Any) -> None:
                entity.decode(message.data)
                seen()

            own = await connected()
            await own.subscribe("said", cb=take)
            await own.flush()
            await own.flush()  # one is no barrier

        one = await connected()
        yield Peer(CORE, server, get, say, listen)


PEERS: dict[
    str,
    tuple[
        Callable[[], AbstractAsyncContextManager[Running]],
        Callable[[Running], AbstractAsyncContextManager[Peer]],
    ],
] = {
    SOCKETIO: (socketio_server, socketio),
    KV: (nats_server, key_value),
    CORE: (nats_server, core),
}
