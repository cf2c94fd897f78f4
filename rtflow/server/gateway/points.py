"""Where clients were when they left: read when one comes back, written down in batches.

Not here: what a point is (domain/points.py), what follows from one (returning.py).
Invariant: what was kept is written in the same turn of the loop, or with what is kept next.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from rtflow.server.domain.points import Client, Point, find_point, keep_points
from rtflow.server.gateway.journal import Journal
from rtflow.server.store.interface import Reading, Store

__all__ = ["Points", "recalled"]

logger = logging.getLogger(__name__)

LOADED: Final = 4_096  # changes that a new process knows of at once
MOST_PENDING: Final = 100_000  # points that wait for a database that cannot be written


class Points:
    """The resume points of this node's clients."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store, self._clock = store, clock
        self._loop = asyncio.get_running_loop()
        self._pending = dict[Client, Point]()
        self._is_scheduled = False
        self.dropped = 0  # for want of room

    @property
    def pending(self) -> int:
        """How many points are not written down yet."""
        return len(self._pending)

    async def find(self, client: Client) -> int | None:
        """Return up to where a client was told everything; None: it is new."""
        pending = self._pending.get(client)
        if pending is not None:
            return pending.number
        return (await self._store.read(partial(find_point, client))).value

    def keep(self, client: Client, point: Point) -> None:
        """Write a point down, soon."""
        self._pending[client] = point
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Hand all that was kept to the store."""
        self._is_scheduled = False
        points, self._pending = self._pending, {}
        if points:
            command = partial(keep_points, points, self._clock())
            self._store.submit(command, partial(self._kept, points))

    def _kept(self, points: dict[Client, Point], outcome: Reading[None] | Exception) -> None:
        if isinstance(outcome, Exception):
            logger.warning("where %d clients left off is not written down yet", len(points))
            self._pending = points | self._pending
            while len(self._pending) > MOST_PENDING:
                del self._pending[next(iter(self._pending))]
                self.dropped += 1


async def recalled(store: Store) -> Journal:
    """Make the journal of a process that begins, from the end of the log."""
    reach = min(store.number, LOADED)
    while (changes := await store.changes(store.number - reach, LOADED)) is None:
        reach //= 2  # the log is shorter
    journal = Journal(store.number - reach)
    journal.note(changes)
    return journal
