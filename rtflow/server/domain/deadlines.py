"""Deadlines: what ends when nothing has been heard of it for a while.

All wait equally long, so they end in the order in which they were put here: no heap, and each step
costs the same however many there are.

Not here: clocks and timers. Time is handed in, in seconds, and does not run backwards.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Deadlines"]

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """Each key ends `seconds` after it was last put here."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = OrderedDict[K, float]()

    def put(self, key: K, now: float) -> None:
        """Let it wait from now on, also if it does already."""
        self._ends[key] = now + self._seconds
        self._ends.move_to_end(key)

    def drop(self, key: K) -> bool:
        """Let it wait no more. False: it did not."""
        return self._ends.pop(key, None) is not None

    def due(self, now: float) -> list[K]:
        """Take out what has ended, in the order of its ends."""
        ended: list[K] = []
        while self._ends and self._ends[key := next(iter(self._ends))] <= now:
            del self._ends[key]
            ended.append(key)
        return ended

    @property
    def next(self) -> float | None:
        """When the first one ends; None: nothing waits."""
        return next(iter(self._ends.values()), None)

    def __len__(self) -> int:
        return len(self._ends)
