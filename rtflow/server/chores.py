"""Chores: what has to be done now and then, a bite at a time, while the server serves.

Not here: what a bite does (domain/indexing.py, domain/files.py, rtflow.server.files).
Invariant: whatever goes wrong with a chore, the server goes on, and the chore is tried again.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Final

from rtflow.errors import RequestRefused
from rtflow.server.domain.files import collect_files, known_contents
from rtflow.server.domain.indexing import index_missing
from rtflow.server.files import SHARDS, Vault
from rtflow.server.store.awaited import committed
from rtflow.server.store.interface import Store

__all__ = ["collect_garbage", "index_old", "keep_house"]

logger = logging.getLogger(__name__)

PAUSE: Final = 600.0  # seconds between two rounds
INDEXED_AT_ONCE: Final = 50  # things: a few milliseconds of the loop
COLLECTED_AT_ONCE: Final = 100  # files


async def keep_house(
    store: Store, vault: Vault, clock: Callable[[], int], *, pause: float = PAUSE
) -> None:
    """Do all chores, round after round, until cancelled. `clock` tells unix milliseconds."""
    for shard in cycle(SHARDS):
        try:
            await index_old(store)
            await collect_garbage(store, vault, clock(), shard)
        except (RequestRefused, OSError) as exc:
            logger.warning("a chore is put off: %s", exc)
        except Exception:  # a mistake of ours, which shall not end the server
            logger.exception("a chore has failed")
        await asyncio.sleep(pause)


async def index_old(store: Store) -> None:
    """Index for search what an older version of this program has written."""
    indexed = 0
    while (bite := (await committed(store, partial(index_missing, INDEXED_AT_ONCE))).value) > 0:
        indexed += bite
    if indexed:
        logger.info("indexed %d messages and conversations for search", indexed)


async def collect_garbage(store: Store, vault: Vault, now: int, shard: str) -> None:
    """Remove files that nothing holds; of contents that no file has (after a crash), a shard."""
    await vault.tidy()
    more = True
    while more:
        async with vault.changing:
            collect = partial(collect_files, now, COLLECTED_AT_ONCE)
            count, contents = (await committed(store, collect)).value
            await vault.remove(contents)
        more = count == COLLECTED_AT_ONCE
    async with vault.changing:
        stale = tuple(await vault.stale(shard))
        known = (await store.search(partial(known_contents, stale))).value
        await vault.remove(set(stale) - known)
