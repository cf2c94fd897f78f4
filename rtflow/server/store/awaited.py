"""A command, awaited: for callers that have a task of their own.

Not here: connections, which cannot wait for each of their writes (gateway/peer.py).
"""

import asyncio
from typing import TypeVar

from rtflow.server.store.interface import Command, Outcome, Reading, Steps, Store

__all__ = ["committed", "nothing"]

T = TypeVar("T")


async def committed(store: Store, command: Command[T]) -> Reading[T]:
    """Submit a command and wait until it is settled. Being cancelled does not undo it."""
    settled: asyncio.Future[Reading[T]] = asyncio.get_running_loop().create_future()

    def settle(outcome: Reading[T] | Exception) -> None:
        if settled.done():  # the caller has left
            return
        if isinstance(outcome, Exception):
            settled.set_exception(outcome)
        else:
            settled.set_result(outcome)

    store.submit(command, settle)
    return await settled


def nothing() -> Steps[Outcome[None]]:
    """Change nothing: a command that is settled after all that were submitted before it."""
    yield from ()
    return Outcome(None)
