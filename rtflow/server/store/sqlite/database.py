"""The database file: opening it for this process alone, its schema, its connections, its troubles.

Not here: commands, numbers, the log (store.py).
Invariant: the reader never sees what is not committed. In a file it is a connection of its own; in
memory it is the writer itself, and then no transaction stays open across a turn of the loop.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from importlib.resources import files
from itertools import starmap
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct

from rtflow.server.store.interface import Statement, Steps, UnusableDatabase

__all__ = [
    "MEMORY",
    "NEWEST_SCHEMA",
    "RESTORE",
    "Database",
    "drive",
    "is_busy",
    "is_damage",
    "is_storage_trouble",
    "judge",
    "make_private",
    "open_database",
    "unusable",
]

T = TypeVar("T")

MEMORY: Final = ":memory:"
APPLICATION: Final = 0x7274666C  # "rtfl", in the header of the file
CACHED_STATEMENTS: Final = 512
OPENING_SECONDS: Final = 5.0  # how long to wait for somebody else's lock
MEGABYTE: Final = 1_000_000
RESTORE: Final = "`rtflow doctor` tells what is still right; restore a backup (see `rtflow backup`)"

# What befalls the storage, as opposed to what is wrong with a statement.
_TROUBLES: Final = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


def is_storage_trouble(exc: BaseException) -> bool:
    """Tell whether an error is the storage's, and not that of the statement or of the program."""
    return _primary_code(exc) in _TROUBLES


def is_busy(exc: Exception) -> bool:
    """Tell whether another process holds the lock."""
    return _primary_code(exc) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damage(exc: BaseException) -> bool:
    """Tell whether the file holds what SQLite cannot have written."""
    return _primary_code(exc) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def unusable(file: str, exc: sqlite3.Error) -> UnusableDatabase:
    """Say what SQLite complains of, and what to do."""
    if _primary_code(exc) == sqlite3.SQLITE_NOTADB:
        return _not_ours(file)
    if is_damage(exc):
        return UnusableDatabase(file, f"it is damaged ({exc})", RESTORE)
    if is_busy(exc):
        what_to_do = "close the program that has it open, then try again"
    else:
        what_to_do = "check that its folder exists, has space and may be written to"
    return UnusableDatabase(file, str(exc), what_to_do)


def drive(
    steps: Steps[T], connection: sqlite3.Connection, write: Callable[[Statement], object]
) -> T:
    """Run a command or a query to its end. `write` carries out what writes, or objects."""
    execute = connection.execute
    answer: list[Any] | None = None  # Any: rows of the kind that the statement names
    try:
        while True:
            statement = steps.send(answer)
            if statement.kind is None:
                write(statement)
                answer = None
            else:
                answer = list(starmap(statement.kind, execute(statement.sql, statement.args)))
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


class Database(Struct, frozen=True):
    """The open connections. `lock` keeps other servers out until it is closed.

    `searcher` is for reads that take long; None in memory.
    """

    writer: sqlite3.Connection
    reader: sqlite3.Connection
    searcher: sqlite3.Connection | None
    lock: sqlite3.Connection | None
    file: str
    identity: tuple[int, int] | None  # of what is open, whatever has its name now

    @property
    def in_memory(self) -> bool:
        """True when nothing is on disk: a COMMIT costs nothing and there is one connection."""
        return self.reader is self.writer

    def commit(self) -> None:
        """Commit what the writer has open, if whoever opens the file next is to see it.

        A file that was removed, or replaced by another, stays open, and SQLite goes on writing to
        it: all of that would be gone with the process. Raises `UnusableDatabase`, or SQLite's.
        """
        if self.identity is not None and self.identity != _identity(self.file):
            raise UnusableDatabase(
                self.file,
                "it was moved away or replaced while it was open",
                "put it back, or stop the server before you put another in its place",
            )
        self.writer.execute("COMMIT")

    def rollback(self) -> None:
        """Undo whatever the writer has open. SQLite may have done it by itself."""
        with suppress(sqlite3.Error):
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")

    def pin(self) -> None:
        """Let the reader see the present state until `unpin`, and not look each time for a newer
        one: that, and its locks, are a third of a point read.

        While it is pinned the write-ahead log cannot begin anew, so nothing must be written, and
        what another process writes is not seen.
        """
        if not (self.in_memory or self.reader.in_transaction):
            self.reader.execute("BEGIN")

    def unpin(self) -> None:
        """Let the reader see what there is. Raises what keeps it: else it would show old states."""
        if not self.in_memory and self.reader.in_transaction:
            self.reader.execute("ROLLBACK")

    def close(self) -> None:
        """Move the write-ahead log into the file, or leave that to the next start; then let go."""
        with suppress(sqlite3.Error):
            self.unpin()
            self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for connection in (self.searcher, self.reader, self.writer, self.lock):
            if connection is not None:
                connection.close()


def open_database(path: str | Path) -> Database:
    """Open or make the database. Raises `UnusableDatabase`."""
    if str(path) == MEMORY:
        writer = _connect(MEMORY)
        _prepare(writer, MEMORY)
        return Database(writer, writer, None, None, MEMORY, None)
    file = str(Path(path).resolve())  # one file has one lock, whatever it is called
    with ExitStack() as opened:
        try:
            lock = opened.enter_context(closing(_lock(file)))
            _miss_nothing(file)
            make_private(file)
            writer = opened.enter_context(closing(_connect(file)))
            _prepare(writer, file)
            if not os.access(file, os.W_OK):  # SQLite has opened it all the same, to read it
                what_to_do = "let this user write to it, or start the server as another"
                raise UnusableDatabase(file, "it is read-only", what_to_do)
            reader = opened.enter_context(closing(_connect(file)))
            searcher = opened.enter_context(closing(_connect(file)))
            searcher.execute("PRAGMA temp_store = FILE")  # it may have to sort very much
            for connection in (reader, searcher):
                connection.execute("PRAGMA query_only = ON")
            for connection in (writer, reader):  # from now on waiting would stall the loop
                connection.execute("PRAGMA busy_timeout = 0")
        except sqlite3.Error as exc:
            raise unusable(file, exc) from exc
        opened.pop_all()  # to be closed by `close` from now on
        return Database(writer, reader, searcher, lock, file, _identity(file))


def _identity(file: str) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name; None when there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(file: str) -> sqlite3.Connection:
    """Open one connection."""
    with ExitStack() as opened:
        connection = sqlite3.connect(
            file,
            timeout=OPENING_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
        opened.enter_context(closing(connection))
        for pragma in (
            "foreign_keys = ON",
            "synchronous = FULL",
            "cache_size = -16000",  # KiB
            "temp_store = MEMORY",
            f"journal_size_limit = {64 * MEGABYTE}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        opened.pop_all()  # it stays open
        return connection


def make_private(file: str | Path) -> None:
    """Make a file that only its user may read, unless it is there. SQLite gives the log and its
    index the mode of the database."""
    with suppress(OSError):  # SQLite meets that again, and finds the words
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _lock(file: str) -> sqlite3.Connection:
    """Take the file for this process.

    A transaction held open on an empty file beside it: SQLite knows how to lock on every system,
    and the system lets go when the process dies, however it dies.
    """
    lock = sqlite3.connect(f"{file}-lock", timeout=0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as exc:
        lock.close()
        if not is_busy(exc):
            raise
        raise UnusableDatabase(
            file, "another server uses it", "stop that one, or give this one a file of its own"
        ) from exc
    return lock


def _miss_nothing(file: str) -> None:
    """Refuse a database whose write-ahead log somebody has taken away.

    SQLite makes the log before its index (`-shm`), and removes the index before the log: the index
    alone is what no death of a process leaves. With the log go writes that were answered, and
    perhaps half of a page that was being moved into the file.
    """
    if Path(f"{file}-shm").exists() and not Path(f"{file}-wal").exists():
        raise UnusableDatabase(
            file,
            f"its write-ahead log, {file}-wal, is missing, and with it the last writes",
            "put it back, or restore a backup; to go on with what is left, "
            f"delete {file}-shm and then ask `rtflow doctor`",
        )


def judge(connection: sqlite3.Connection, file: str) -> int:
    """Return the schema's version; 0 when the file is empty. Raises `UnusableDatabase` for a file
    that is not ours, or newer than this program."""
    version = _number(connection, "PRAGMA user_version")
    application = _number(connection, "PRAGMA application_id")
    tables = _number(connection, "SELECT count(*) FROM sqlite_master")
    if application != APPLICATION and (tables or version or application):
        raise _not_ours(file)
    if version > NEWEST_SCHEMA:
        raise UnusableDatabase(
            file,
            f"it has schema {version}, and this version of rtflow knows only up to {NEWEST_SCHEMA}",
            "upgrade rtflow, or restore a backup from before the upgrade",
        )
    return version


def _prepare(writer: sqlite3.Connection, file: str) -> None:
    """Bring the schema up to date, after making sure that the file is ours to change."""
    version = judge(writer, file)
    if file != MEMORY:
        (mode,) = writer.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise UnusableDatabase(
                file, f"it cannot have a write-ahead log (but {mode})", "put it on a local disk"
            )
    for number, step in list(enumerate(_SCHEMA, start=1))[version:]:
        try:
            writer.executescript(
                f"BEGIN IMMEDIATE;\n{step};\nPRAGMA application_id = {APPLICATION};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )
        except sqlite3.Error:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise


def _schema() -> list[str]:
    """Return the numbered SQL files, in order: 0001.sql leads from nothing to schema 1."""
    folder = files("rtflow.server.store.sqlite") / "schema"
    steps = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    assert [f.name for f in steps] == [f"{n:04}.sql" for n in range(1, len(steps) + 1)]
    return [step.read_text(encoding="utf-8") for step in steps]


_SCHEMA: Final = _schema()
NEWEST_SCHEMA: Final = len(_SCHEMA)


def _not_ours(file: str) -> UnusableDatabase:
    return UnusableDatabase(
        file,
        "it holds something else than an rtflow database",
        "name another file for this server; if it was one, restore a backup",
    )


def _primary_code(exc: BaseException) -> int:
    code: int = getattr(exc, "sqlite_errorcode", 0)  # absent when it is not SQLite's complaint
    return code & 0xFF


def _number(connection: sqlite3.Connection, sql: str) -> int:
    found: tuple[Any, ...] = connection.execute(sql).fetchone()  # Any: SQLite's own types
    return int(found[0])
