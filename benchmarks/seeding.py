"""Fills a database in bulk: what takes hours through the API takes seconds.

The file is seeded as the first schema has it, and opened once: that fills in what later schemas
keep. But for the words of search: the server would index them, for minutes, while it is measured.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

from rtflow.server.store.sqlite.database import APPLICATION, open_database

__all__ = ["NOON", "Seed", "seeding"]

NOON = 1_700_000_000_000  # unix ms
TEXT = '[{"type":"text","children":["Soup today?"]}]'


@contextmanager
def seeding(file: Path) -> Iterator["Seed"]:
    """Make a database of the first schema; at the end of the block bring it up to date."""
    schema = files("rtflow.server.store.sqlite") / "schema" / "0001.sql"
    with closing(sqlite3.connect(file, isolation_level=None)) as to:
        to.executescript(schema.read_text(encoding="utf-8"))
        to.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1; BEGIN")
        yield Seed(to)
        to.execute("COMMIT")
    open_database(file).close()
    with closing(sqlite3.connect(file)) as to, to:
        to.execute("UPDATE searchable_messages SET words = '' WHERE words IS NULL")
        to.execute("UPDATE searchable_conversations SET words = '' WHERE words IS NULL")


class Seed:
    """Puts in what is to be there."""

    def __init__(self, to: sqlite3.Connection) -> None:
        self._to = to

    def users(self, *ids: str) -> None:
        """Make users."""
        self._to.executemany(
            "INSERT INTO users"
            " VALUES (?1, ?1, 'default', '{}', NULL, NULL, NULL, '[]', '[]', '{}', 1)",
            [(id,) for id in ids],
        )

    def conversation(self, id: str, people: Sequence[str], *, messages: int, at: int) -> None:
        """Make a conversation, in which the first one has said everything."""
        self._to.execute(
            "INSERT INTO conversations VALUES (?1, ?1, NULL, '[]', '{}', ?2, ?3, ?4, ?5)",
            (id, at, people[0], messages, at + messages),
        )
        self._to.executemany(
            "INSERT INTO participants (conversation_id, user_id, access, notify, joined_at,"
            " read_number, read_until) VALUES (?1, ?2, 'ReadWrite', 'true', ?3, 0, ?3)",
            ((id, user, at - n) for n, user in enumerate(people)),
        )
        self._to.executemany(
            "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, NULL, ?5, 'web', NULL, ?6, '{}')",
            ((f"{id}/{n}", id, n, at + n, people[0], TEXT) for n in range(1, messages + 1)),
        )

    def all_but(self, unread: int, user: str) -> None:
        """Let a user have read all his conversations (of one message each) but so many."""
        self._to.execute("UPDATE participants SET read_number = 1 WHERE user_id = ?1", (user,))
        self._to.execute(
            "UPDATE participants SET read_number = 0 WHERE user_id = ?1 AND conversation_id IN"
            " (SELECT p.conversation_id FROM participants p WHERE p.user_id = ?1"
            " ORDER BY p.joined_at LIMIT ?2)",
            (user, unread),
        )
