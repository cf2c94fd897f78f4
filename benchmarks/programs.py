"""The programs that are measured, each a process of its own, and ended by its id."""

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from rtflow import Session
from rtflow.testing import ServerProcess

__all__ = ["Running", "bare_server", "program", "rtflow_server", "sessions"]

EXPECTED = re.compile(" INFO | DEVELOPMENT MODE: ")
READY = 30.0  # seconds that a program has to say its first line


class Running(Struct, frozen=True):
    """A server: where it is, and which process."""

    url: str
    pid: int


@asynccontextmanager
async def program(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start one, with pipes to talk to it; kill it at the end."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def python_server(module: str, scheme: str) -> AsyncIterator[Running]:
    """Start a server of ours that says its port first."""
    async with program(sys.executable, "-m", module) as process:
        assert process.stdout is not None
        async with asyncio.timeout(READY):
            port = int(await process.stdout.readline())
        yield Running(f"{scheme}://127.0.0.1:{port}", process.pid)


@asynccontextmanager
async def bare_server() -> AsyncIterator[Running]:
    """The bare loop's server."""
    async with python_server("benchmarks.bare", "ws") as running:
        yield running


class Rtflow(ServerProcess):
    """`rtflow serve`, of whose standard error only trouble is repeated, not amid the table."""

    @property
    def stderr(self) -> str:
        """All but what everybody expects: news, and that it is in development mode."""
        lines = super().stderr.splitlines(keepends=True)
        return "".join(line for line in lines if not EXPECTED.search(line))


@asynccontextmanager
async def rtflow_server(
    database: Path | None = None, settings: Mapping[str, object] = MappingProxyType({})
) -> AsyncIterator[Running]:
    """`rtflow serve` as it comes: SQLite on disk, synchronous=FULL, development mode.

    `database` is what it opens; without, a fresh one.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = database or Path(folder) / "rtflow.db"
        async with Rtflow(database=file, settings=settings, patience=READY) as server:
            yield Running(server.url, server.pid)


@asynccontextmanager
async def sessions(server: Running, *users: str) -> AsyncIterator[list[Session]]:
    """One session for each user, all in the conversation "lunch"; only the first has connected."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(Session(server.url, app_id="demo", user_id=user))
            for user in users
        ]
        first = opened[0]
        for user in users:
            await first.user(user).create_if_not_exists(name=user)
        lunch = first.conversation("lunch")
        await lunch.create_if_not_exists(subject="Lunch", custom={"team": "red"})
        for user in users[1:]:
            await lunch.participant(user).create_if_not_exists()
        yield opened
