"""The real store, but its reads have to wait, as those of a database behind a network do."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rtflow.server.figures import StoreFigures
from rtflow.server.store.interface import Change, Command, Publish, Query, Reading, Settle, Store
from rtflow.server.store.sqlite import open_sqlite

T = TypeVar("T")
LONGEST = 0.004  # seconds


class WaitingStore:
    """Waits before each read and after it, so that its value is old news when it comes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._random = random.Random(7)
        self._gate: asyncio.Future[None] | None = None
        self._late: asyncio.Future[None] | None = None

    @property
    def number(self) -> int:
        return self._store.number

    @property
    def figures(self) -> StoreFigures:
        return self._store.figures

    @property
    def waiting(self) -> int:
        return self._store.waiting

    def submit(self, command: Command[T], settle: Settle[T]) -> None:
        self._store.submit(command, settle)

    async def read(self, query: Query[T]) -> Reading[T]:
        late, self._late = self._late, None
        if late is not None:
            reading = await self._store.read(query)
            await late
            return reading
        await self._wait()
        reading = await self._store.read(query)
        await self._wait()
        return reading

    async def search(self, query: Query[T]) -> Reading[T]:
        return await self._store.search(query)

    async def changes(self, after: int, limit: int = 1000) -> Sequence[Change] | None:
        return await self._store.changes(after, limit)

    async def changes_at(self, numbers: Sequence[int]) -> Sequence[Change]:
        return await self._store.changes_at(numbers)

    async def close(self) -> None:
        await self._store.close()

    def hold(self) -> Callable[[], None]:
        """Let no read go on until the returned function is called."""
        self._gate = gate = asyncio.get_running_loop().create_future()
        return lambda: gate.set_result(None)

    def delay_next(self) -> Callable[[], None]:
        """Let the next read keep its value until the returned function is called."""
        self._late = late = asyncio.get_running_loop().create_future()
        return lambda: late.set_result(None)

    async def _wait(self) -> None:
        if self._gate is not None:
            await asyncio.shield(self._gate)
        loop = asyncio.get_running_loop()
        there = loop.create_future()
        loop.call_later(self._random.uniform(0, LONGEST), there.set_result, None)
        await there


S = TypeVar("S", bound=WaitingStore)


async def open_waiting(
    path: str | Path,
    publish: Publish,
    kind: type[S] = WaitingStore,  # type: ignore[assignment]  # the default of a type variable
) -> S:
    """Open one, as `open_sqlite` does."""
    return kind(await open_sqlite(path, publish))
