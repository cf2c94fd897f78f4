"""Deadlines: one timer for all who wait, instead of one for each.

A timer of the loop costs some microseconds, and stays in its heap for a long while when it is
cancelled, as nearly all of these are. Most wait equally long, so who began first is overdue first,
and it is enough to look at the oldest of each patience.

Not here: who waits, and for what (requests.py).
Invariant: while somebody waits there is a timer that rings at his deadline, or before.
"""

import asyncio
from collections.abc import Callable
from itertools import takewhile
from typing import Generic, TypeVar

__all__ = ["Deadlines"]

T = TypeVar("T")


class Deadlines(Generic[T]):
    """`overdue` is called with each whose time is up before he leaves."""

    def __init__(self, overdue: Callable[[T], None]) -> None:
        self._overdue = overdue
        self._waiting: dict[float, dict[T, float]] = {}  # by patience: when each is overdue
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0

    def enter(self, who: T, seconds: float) -> None:
        """He waits for so many seconds from now on."""
        deadline = asyncio.get_running_loop().time() + seconds
        self._waiting.setdefault(seconds, {})[who] = deadline
        if self._timer is None or deadline < self._rings_at:
            self._set_timer(deadline)

    def leave(self, who: T, seconds: float) -> None:
        """He does not wait any more. Without effect when he is overdue."""
        if seconds in self._waiting:
            self._waiting[seconds].pop(who, None)

    def end(self) -> None:
        """Nobody is overdue any more. Leaves no timer."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        overdue, left = list[T](), list[float]()
        for seconds, deadlines in list(self._waiting.items()):
            late = [who for who, _ in takewhile(lambda it: it[1] <= now, deadlines.items())]
            for who in late:
                del deadlines[who]
            overdue += late
            if deadlines:
                left.append(next(iter(deadlines.values())))
            else:
                del self._waiting[seconds]
        if left:
            self._set_timer(min(left))
        for who in overdue:
            self._overdue(who)
