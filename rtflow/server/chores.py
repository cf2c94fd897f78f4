"""Chores: what has to be done now and then, a bite at a time, while the server serves.

Not here: what a bite does (rtflow.server.domain). Invariant: whatever goes wrong with a chore, the
server goes on; the chore is tried again later.
"""

import logging
from functools import partial
from typing import Final

from rtflow.server.domain.indexing import index_missing
from rtflow.server.store.awaited import committed
from rtflow.server.store.interface import Store

__all__ = ["keep_house"]

logger = logging.getLogger(__name__)

BITE: Final = 50  # things to index at once: a few milliseconds


async def keep_house(store: Store) -> None:
    """Do all chores, until cancelled."""
    await _index(store)


async def _index(store: Store) -> None:
    """Index what an older version of this program has left without."""
    indexed = 0
    while (bite := (await committed(store, partial(index_missing, BITE))).value) > 0:
        indexed += bite
    if indexed:
        logger.info("indexed %d messages and conversations for search", indexed)
