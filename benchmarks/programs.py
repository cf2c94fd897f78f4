"""The servers that are measured, each a process of its own: the bare loop's, and `rtflow serve`."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from rtflow import Session
from rtflow.testing import ServerProcess

__all__ = ["Running", "bare_server", "rtflow_server", "sessions"]


class Running(Struct, frozen=True):
    """A server: where it is, and which process."""

    url: str
    pid: int


@asynccontextmanager
async def bare_server() -> AsyncIterator[Running]:
    """The bare loop's server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bare", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield Running(f"ws://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def rtflow_server(database: Path | None = None) -> AsyncIterator[Running]:
    """`rtflow serve` as it comes: SQLite on disk, synchronous=FULL, development mode.

    `database` is what it opens; without, a fresh one.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with ServerProcess(database=database or Path(folder) / "rtflow.db") as server:
            assert server.pid is not None
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
