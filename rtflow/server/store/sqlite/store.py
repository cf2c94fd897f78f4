"""SqliteStore: commands gathered into one transaction, reads beside it, the log of changes.

How a group is committed. `submit` only queues. At the end of the turn all that is queued runs on
the loop, in order, inside one transaction: a statement takes microseconds there, and several times
that through an executor. Then COMMIT, which waits for the disk, runs in a thread, and meanwhile the
next group gathers. When it is through, one turn of the loop publishes the changes in number order
and settles the commands in theirs.

A group is bounded in commands and time, so the loop is never held for long; what is left over is
the next group. Storage trouble fails the whole group, and nothing of it is published. The log in
the database is the truth about numbers: it is asked at the start of every group.

Not here: what runs in the transaction (group.py), reads that take long (searcher.py), the file and
its schema (database.py), what commands mean (rtflow.server.domain).
Invariant: while the state is COMMITTING nobody but the thread touches the writer.
"""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from rtflow.errors import RequestRefused, ServerFailed, TooManyRequests
from rtflow.server.clock import unix_ms
from rtflow.server.figures import StoreFigures
from rtflow.server.store.interface import (
    Change,
    Command,
    Publish,
    Query,
    Reading,
    Settle,
    Statement,
)
from rtflow.server.store.sqlite import log
from rtflow.server.store.sqlite.database import (
    RESTORE,
    Database,
    drive,
    is_busy,
    is_damage,
    is_storage_trouble,
    open_database,
    unusable,
)
from rtflow.server.store.sqlite.group import AnySettle, Group, Tangled, Waiting, internal
from rtflow.server.store.sqlite.searcher import Searcher
from rtflow.server.trouble import Trouble

__all__ = ["SqliteStore", "open_sqlite"]

T = TypeVar("T")

MOST_WAITING: Final = 20_000  # commands; beyond it they are refused
GROUP_COMMANDS: Final = 256
GROUP_SECONDS: Final = 0.005
JOINT_COMMANDS: Final = 64  # in one go: so the two limits above are overrun by little
RETRY_SECONDS: Final = 0.01  # between two tries to get a lock that another process holds
TRIM_EVERY: Final = 256  # changes; a bite looks at more rows than that, so it catches up
KEPT_CHANGES: Final = 1_000_000

_logger: Final = logging.getLogger("rtflow.server.store")


async def open_sqlite(
    path: str | Path,
    publish: Publish,
    *,
    clock: Callable[[], int] = unix_ms,
    kept_changes: int = KEPT_CHANGES,
    lock_patience: float = 1.0,
) -> "SqliteStore":
    """Open or make a database for this process alone, and bring its schema up to date.

    `path` may be `":memory:"`. `publish` is called on the loop with every committed change. `clock`
    tells unix milliseconds. The log keeps 24 hours, and `kept_changes` at most. While another
    process holds SQLite's write lock (a shell, a backup), commands wait for it up to
    `lock_patience` seconds.

    Raises `UnusableDatabase` when it is not ours, newer than this program, in use by another
    server, or cannot be opened.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="rtflow-commit")
    try:
        database = await asyncio.get_running_loop().run_in_executor(thread, open_database, path)
        number = _number_in(database, str(path))
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return SqliteStore(
        database,
        thread,
        publish,
        number=number,
        clock=clock,
        kept_changes=kept_changes,
        lock_patience=lock_patience,
    )


class State(Enum):
    """What the committer is about."""

    IDLE = auto()
    GATHERING = auto()  # a group starts at the end of this turn, or when a lock is free
    COMMITTING = auto()


class SqliteStore:
    """The embedded store. Made by `open_sqlite`; every method is for the loop's thread."""

    def __init__(
        self,
        database: Database,
        thread: ThreadPoolExecutor,
        publish: Publish,
        *,
        number: int,
        clock: Callable[[], int],
        kept_changes: int,
        lock_patience: float,
    ) -> None:
        self.database = database
        self._searcher = None if database.searcher is None else Searcher(database.searcher)
        self._thread, self._publish, self._clock = thread, publish, clock
        self._kept_changes, self._lock_patience = kept_changes, lock_patience
        self.figures = StoreFigures()
        self._loop = asyncio.get_running_loop()
        self._number = number
        self._state = State.IDLE
        self._waiting: deque[Waiting] = deque()
        self._is_careful = False  # the next group is run again, with savepoints
        self._untrimmed = TRIM_EVERY  # the first group trims what the last run left
        self._locked_since: float | None = None
        self._unwritable, self._unreadable, self._damaged = _troubles(self._loop.time)
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._release: asyncio.Future[None] | None = None

    @property
    def number(self) -> int:
        """The number of the last committed change; 0 when there is none."""
        return self._number

    @property
    def waiting(self) -> int:
        """How many commands wait for their group."""
        return len(self._waiting)

    # Commands: submit -> _start -> (thread) _commit -> _finish, and round again while some wait

    def submit(self, command: Command[T], settle: Settle[T]) -> None:
        """Queue a command for the next group. `settle` is called once, on the loop."""
        if self._is_closed:
            self._loop.call_soon(settle, _stopping())
        elif len(self._waiting) >= MOST_WAITING:
            self.figures.crowded_out += 1
            crowded = TooManyRequests("TOO_BUSY", "too many writes are waiting; try again later")
            settle(crowded)  # not later: what its caller asks after it must not overtake it
        else:
            self._waiting.append((command, settle))
            if self._state is State.IDLE:
                self._go_on()

    def _go_on(self) -> None:
        """Let the next group start at the end of this turn, with all that arrives in it."""
        if self._waiting:
            self._state = State.GATHERING
            self._idle.clear()
            self._loop.call_soon(self._start)
        else:
            self._state = State.IDLE
            self._idle.set()

    def _start(self) -> None:
        """Run a group and have it committed."""
        writer = self.database.writer
        try:
            self.database.unpin()
            self.database.rollback()  # what an earlier failure may have left open
            writer.execute("BEGIN IMMEDIATE")
            number, now = log.last_number(writer), self._clock()
            group = Group(writer, number, now, is_careful=self._is_careful)
            self._catch_up(group.number)
        except Exception as exc:  # whatever it is, those who wait are told
            self._cannot_start(exc)
            return
        self._locked_since = None
        try:
            self._run_waiting(group)
        except Tangled:
            self._waiting.extendleft(reversed(group.commands))
            self._is_careful = True
            self._start()
            return
        except Exception as exc:
            self._finish(group, exc)
            return
        self._is_careful = False
        if not group.wrote:
            self.database.rollback()
            self._finish(group, None)
        elif self.database.in_memory:
            self._finish(group, self._commit(group))
        else:
            self._state = State.COMMITTING
            self._thread.submit(self._commit_in_thread, group)

    def _run_waiting(self, group: Group) -> None:
        deadline = time.perf_counter() + GROUP_SECONDS
        while self._waiting and len(group.answers) < GROUP_COMMANDS:
            group.run_next(self._waiting, JOINT_COMMANDS)
            if time.perf_counter() > deadline:
                break
        group.finish()
        if group.wrote and self._untrimmed + len(group.changes) >= TRIM_EVERY:
            group.trim(self._kept_changes)

    def _commit_in_thread(self, group: Group) -> None:
        failure = self._commit(group)
        with suppress(RuntimeError):  # the loop is gone: there is nobody left to tell
            self._loop.call_soon_threadsafe(self._finish, group, failure)

    def _commit(self, group: Group) -> Exception | None:
        began = time.perf_counter()
        try:
            self.database.commit()
        except Exception as exc:
            return exc
        group.committed_at = time.perf_counter()
        group.commit_seconds = group.committed_at - began
        return None

    def _finish(self, group: Group, failure: Exception | None) -> None:
        """Publish and settle a group that is committed, or lost: all in this turn, in order."""
        self._state = State.GATHERING
        if failure is not None:
            self.database.rollback()
            self._report(self._unwritable, failure)
            self.figures.lost_groups += 1
            for settle, _ in group.answers:
                _tell(settle, _unavailable())
        else:
            if group.wrote:
                self._unwritable.over()
                self.figures.commits.add(group.commit_seconds)
                self.figures.groups.add(len(group.answers))
                self.figures.committed_at = group.committed_at
            self._untrimmed = (self._untrimmed + len(group.changes)) % TRIM_EVERY
            self._number = group.number
            if group.changes:
                self._hand_out(group.changes)
            for settle, answer in group.answers:
                _tell(settle, answer)
        self._go_on()

    def _catch_up(self, number: int) -> None:
        """Publish what a COMMIT that reported a failure has put in the log all the same."""
        while self._number < number:
            missed = drive(log.since(self._number, 1000), self.database.writer, _only_reads)
            assert missed, "the log holds every change that was not published"
            self.figures.committed_at = time.perf_counter()  # it is not known better
            self._hand_out(missed)
            self._number = missed[-1].number

    def _hand_out(self, changes: Sequence[Change]) -> None:
        try:
            self._publish(changes)
        except Exception:
            _logger.exception("publishing changes up to %d failed", changes[-1].number)

    # Trouble

    def _cannot_start(self, exc: Exception) -> None:
        """Try again while somebody else may let go of the lock; then fail all that wait."""
        now = self._loop.time()
        if self._locked_since is None:
            self._locked_since = now
        if is_busy(exc) and now - self._locked_since < self._lock_patience:
            self._loop.call_later(RETRY_SECONDS, self._start)
            return
        self._locked_since = None
        self.database.rollback()
        self._report(self._unwritable, exc)
        failed = list(self._waiting)
        self._waiting.clear()
        for _, settle in failed:
            _tell(settle, _unavailable())
        self._go_on()

    def _report(self, trouble: Trouble, exc: Exception) -> None:
        (self._damaged if is_damage(exc) else trouble).met(exc)

    # Reads: on the loop, so nothing commits meanwhile, except what the thread is at

    async def read(self, query: Query[T]) -> Reading[T]:
        """Run a query that only reads, on the last committed state."""
        if self._release is not None:
            raise _stopping()
        try:
            reading = self._read(query)
        except RequestRefused:
            raise
        except Exception as exc:
            raise self._translated(exc) from exc
        self._unreadable.over()
        return reading

    def _read(self, query: Query[T]) -> Reading[T]:
        reader, number = self.database.reader, self._number
        self.database.pin()
        try:
            if self._state is State.COMMITTING:  # all of that COMMIT is seen or nothing
                number = log.last_number(reader)
            return Reading(drive(query(), reader, _only_reads), number)
        except sqlite3.Error:
            self.database.unpin()
            raise
        finally:
            if self._state is State.COMMITTING:
                self.database.unpin()

    async def search(self, query: Query[T]) -> Reading[T]:
        """Run a query that may take long: in a thread, or, in memory, between two turns."""
        if self._searcher is None:
            await asyncio.sleep(0)
            return await self.read(query)
        if self._release is not None:
            raise _stopping()
        try:
            reading = await self._searcher.run(query)
        except RequestRefused:
            raise
        except Exception as exc:
            raise self._translated(exc) from exc
        self._unreadable.over()
        return reading

    def _translated(self, exc: Exception) -> RequestRefused:
        """Say what went wrong with a query in the words of the interface."""
        if self._release is not None:  # the end has stopped it
            return _stopping()
        if is_storage_trouble(exc):
            self._report(self._unreadable, exc)
            return _unavailable()
        _logger.exception("a query failed")
        return internal()

    async def changes(self, after: int, limit: int = 1000) -> Sequence[Change] | None:
        """Return the logged changes above a number; None when the log no longer reaches back."""
        return (await self.read(partial(log.since, after, limit))).value

    async def changes_at(self, numbers: Sequence[int]) -> Sequence[Change]:
        """Return the changes with these numbers, as far as the log still has them."""
        return (await self.read(partial(log.among, numbers))).value

    # The end

    async def close(self) -> None:
        """Commit what was submitted, then let go of the database. Idempotent."""
        self._is_closed = True
        await self._idle.wait()
        if self._release is None:
            self._release = self._loop.run_in_executor(self._thread, self._let_go)
        await asyncio.shield(self._release)
        self._thread.shutdown()

    def _let_go(self) -> None:
        if self._searcher is not None:
            self._searcher.stop()
        self.database.close()


def _number_in(database: Database, file: str) -> int:
    """Return the number of the last change. Closes a database that does not tell it."""
    try:
        return log.last_number(database.writer)
    except sqlite3.Error as exc:
        database.close()
        raise unusable(file, exc) from exc


def _troubles(clock: Callable[[], float]) -> tuple[Trouble, Trouble, Trouble]:
    """Return what is told of writing, of reading, and of what does not go away by itself."""
    return (
        Trouble(
            _logger,
            clock,
            "the database cannot be written, trying on",
            "the database can be written again",
        ),
        Trouble(
            _logger,
            clock,
            "the database cannot be read, trying on",
            "the database can be read again",
        ),
        Trouble(_logger, clock, f"the database is damaged; stop the server; {RESTORE}"),
    )


def _tell(settle: AnySettle, answer: "Reading[Any] | Exception") -> None:  # Any: see AnySettle
    try:
        settle(answer)
    except Exception:
        _logger.exception("settling a command failed")


def _only_reads(_write: Statement) -> NoReturn:
    raise TypeError("a query only reads")


def _unavailable() -> ServerFailed:
    return ServerFailed("STORAGE_UNAVAILABLE", "the database cannot be used now; try again later")


def _stopping() -> ServerFailed:
    return ServerFailed("SHUTTING_DOWN", "the server is stopping")
