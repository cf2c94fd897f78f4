"""The log of changes: commands append to it, age trims it.

Invariant: numbers have no holes, and the newest row stays, because numbers go on from it.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from rtflow.server.store.interface import Change, Entry, Steps, one, rows
from rtflow.wire.codec import decoder, encode

__all__ = ["DAY", "Line", "among", "append", "last_number", "line", "since", "trim"]

Line: TypeAlias = tuple[int, int, bytes]
"""A row: number, at, entries."""

DAY: Final = 24 * 60 * 60 * 1000  # milliseconds
WEEK: Final = 7 * DAY
BITE: Final = 512  # rows that one trimming may cost

_entries = decoder(tuple[Entry, ...])


class _Reach(Struct):
    first: int | None  # null: nothing has happened yet
    last: int | None


class _Row(Struct):
    number: int
    entries: bytes


def last_number(connection: sqlite3.Connection) -> int:
    """Return the number of the last change; 0 when there is none."""
    number: int = connection.execute("SELECT coalesce(max(number), 0) FROM log").fetchone()[0]
    return number


def line(change: Change, now: int) -> Line:
    """Return what is written down of a change."""
    return change.number, now, encode(change.entries)


def append(connection: sqlite3.Connection, lines: Sequence[Line]) -> None:
    """Write down changes."""
    connection.executemany("INSERT INTO log (number, at, entries) VALUES (?1, ?2, ?3)", lines)


def since(number: int, limit: int) -> Steps[list[Change] | None]:
    """Return the changes above a number, oldest first; None when the log no longer reaches back."""
    reach = yield from one(
        _Reach, "SELECT (SELECT min(number) FROM log), (SELECT max(number) FROM log)"
    )
    if reach is None or reach.last is None or reach.first is None or number >= reach.last:
        return []
    if number + 1 < reach.first:
        return None
    found = yield from rows(
        _Row,
        "SELECT number, entries FROM log WHERE number > ?1 ORDER BY number LIMIT ?2",
        number,
        limit,
    )
    return [Change(row.number, _entries.decode(row.entries)) for row in found]


def among(numbers: Sequence[int]) -> Steps[list[Change]]:
    """Return the changes with these numbers, oldest first, as far as they are still there."""
    found: list[Change] = []
    for number in numbers:
        row = yield from one(_Row, "SELECT number, entries FROM log WHERE number = ?1", number)
        if row is not None:
            found.append(Change(row.number, _entries.decode(row.entries)))
    return found


def trim(connection: sqlite3.Connection, now: int, kept_changes: int) -> None:
    """Forget a bite of what is too old: changes, idempotency keys, resume points.

    Only the oldest rows are looked at, so it costs the same however long the log is.
    """
    connection.execute(
        "DELETE FROM log WHERE number IN ("
        "SELECT number FROM (SELECT number, at FROM log ORDER BY number LIMIT ?1)"
        " WHERE number < (SELECT max(number) FROM log)"
        " AND (at < ?2 OR number <= (SELECT max(number) FROM log) - ?3))",
        (BITE, now - DAY, kept_changes),
    )
    connection.execute(
        "DELETE FROM sent_keys WHERE position IN ("
        "SELECT position FROM (SELECT position, at FROM sent_keys ORDER BY position LIMIT ?1)"
        " WHERE at < ?2)",
        (BITE, now - DAY),
    )
    connection.execute(
        "DELETE FROM resume_points WHERE (client_id, user_id) IN ("
        "SELECT client_id, user_id FROM resume_points"
        " WHERE is_open = 0 AND at < ?2 ORDER BY at LIMIT ?1)",
        (BITE, now - WEEK),
    )
