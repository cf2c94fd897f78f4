"""Counts who has seen the newest message, and says when everybody has."""

import asyncio

__all__ = ["Crowd"]


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
