"""Visitor: looks at a database file, also while a server has it open, and changes nothing in it.

All that a visitor sees is one state: that of the moment he came. Writers do not wait for him, but
while he is there the write-ahead log cannot be taken over into the file, so it grows.

What he has to sort or to build goes into a temporary database of his own, called `temp`.

Not here: what is asked (rtflow.server.upkeep).
Invariant: the connection is opened read-only, so what would write to the file fails.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from rtflow.server.store.interface import UnusableDatabase
from rtflow.server.store.sqlite.database import MEMORY, NEWEST_SCHEMA, judge, make_private, unusable

__all__ = ["NEWEST_SCHEMA", "Row", "Visitor", "visiting"]

Row: TypeAlias = tuple[Any, ...]  # Any: SQLite's own types

PAGES_AT_ONCE: Final = 1000  # of a copy: between two bites Ctrl-C is heard
SHOWN: Final = 10  # complaints of SQLite's own check


class Visitor:
    """Made by `visiting`. Its methods raise `UnusableDatabase`."""

    def __init__(self, connection: sqlite3.Connection, file: str, schema: int) -> None:
        self.file, self.schema = file, schema
        self._connection = connection

    def rows(self, sql: str, *args: object) -> Iterator[Row]:
        """Ask, and get the rows as they are found."""
        with self._translated():
            yield from self._connection.execute(sql, args)

    def number(self, sql: str, *args: object) -> int:
        """Ask for one number."""
        with self._translated():
            (found,) = self._connection.execute(sql, args).fetchone()
            return int(found)

    def define(self, name: str, function: Callable[[str], str]) -> None:
        """Let SQL call a function of a text."""
        self._connection.create_function(name, 1, function, deterministic=True)

    def complaints(self) -> list[str]:
        """Return what SQLite finds wrong with the file itself; it reads all of it."""
        found = [str(row[0]) for row in self.rows(f"PRAGMA integrity_check({SHOWN})")]
        return [" ".join(it.split()) for it in found if it != "ok"]

    def copy(self, target: Path) -> None:
        """Write this state into a file of its own, on the disk for good.

        Raises `OSError` when that cannot be written.
        """
        make_private(target)
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            try:
                self._connection.backup(copy, pages=PAGES_AT_ONCE, sleep=0)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole in itself
                (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            except sqlite3.DatabaseError as exc:
                if (exc.sqlite_errorcode & 0xFF) in _OF_THE_TARGET:
                    raise OSError(f"cannot write {target}: {exc}") from exc
                raise unusable(self.file, exc) from exc
        if verdict != "ok":
            raise unusable(self.file, _damage(str(verdict)))

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise unusable(self.file, exc) from exc


_OF_THE_TARGET: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}


@contextmanager
def visiting(database: str | Path) -> Generator[Visitor]:
    """Open a database that exists. Raises `UnusableDatabase`."""
    if str(database) == MEMORY:
        raise UnusableDatabase(MEMORY, "it is in the memory of its server", "name a file")
    path = Path(database).resolve()
    if not path.is_file():
        raise UnusableDatabase(str(path), "there is no such file", "name the file of a server")
    file = str(path)
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as exc:
        raise unusable(file, exc) from exc
    with closing(connection):
        try:
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("PRAGMA cache_size = -16000")  # KiB
            connection.execute("BEGIN")  # its first statement, in `judge`, fixes the state
            schema = judge(connection, file)
        except sqlite3.Error as exc:
            raise unusable(file, exc) from exc
        if not schema:
            raise UnusableDatabase(file, "it is empty", "name the file of a server")
        yield Visitor(connection, file, schema)


def _damage(verdict: str) -> sqlite3.DatabaseError:
    damage = sqlite3.DatabaseError(" ".join(verdict.split()))
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return damage
