"""Who says something, and who has seen it."""

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Crowd", "say_all"]


class Crowd:
    """So many observers, of whom each sees every message once."""

    def __init__(self, size: int) -> None:
        self._size, self._seen = size, 0
        self._everybody = asyncio.Event()

    def one(self, _: object = None) -> None:
        """One more has seen it."""
        self._seen += 1
        if self._seen == self._size:
            self._everybody.set()

    async def all_have(self) -> None:
        """Wait for the last one, and start over."""
        await self._everybody.wait()
        self._everybody.clear()
        self._seen = 0


async def say_all(say: Callable[[], Awaitable[object]], events: int, in_flight: int) -> None:
    """Say something so many times, so many at once."""

    async def some(times: int) -> None:
        for _ in range(times):
            await say()

    async with asyncio.TaskGroup() as tasks:
        for turn in range(in_flight):
            tasks.create_task(some(events // in_flight + (turn < events % in_flight)))
