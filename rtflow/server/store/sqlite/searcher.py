"""Searcher: reads that may take long, in a thread and on a connection of their own.

They run one after the other. One whose caller has left stops soon, wherever it is: SQLite asks
every so often whether it shall go on.

Not here: reads of a few rows, which are faster on the loop than the way to a thread (store.py).
Invariant: nobody but the thread touches the connection.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NoReturn, TypeVar

from rtflow.server.store.interface import Query, Reading, Statement
from rtflow.server.store.sqlite import log
from rtflow.server.store.sqlite.database import drive

__all__ = ["Searcher"]

T = TypeVar("T")

ASK_EVERY: Final = 20_000  # instructions of SQLite's machine: a millisecond or so


class Searcher:
    """Made for a connection that nobody else uses, until `stop`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rtflow-search")
        self._is_stopping = False

    async def run(self, query: Query[T]) -> Reading[T]:
        """Run a query. Being cancelled stops it. Raises what it raises, and SQLite's errors."""
        has_left = False
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._run, query, lambda: has_left)
        except asyncio.CancelledError:
            has_left = True
            raise

    def stop(self) -> None:
        """Stop what runs, and let go of the connection. Waits, so it is not for the loop."""
        self._is_stopping = True
        self._thread.shutdown()

    def _run(self, query: Query[T], has_left: Callable[[], bool]) -> Reading[T]:
        connection = self._connection
        connection.set_progress_handler(lambda: has_left() or self._is_stopping, ASK_EVERY)
        connection.execute("BEGIN")  # its first statement begins it: all see one state
        try:
            number = log.last_number(connection)
            return Reading(drive(query(), connection, _only_reads), number)
        finally:
            connection.set_progress_handler(None, 0)
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _only_reads(_write: Statement) -> NoReturn:
    raise TypeError("a query only reads")
