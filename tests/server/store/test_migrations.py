"""A database that an older version made is brought up to date, with all that newer ones keep."""

import sqlite3
from importlib.resources import files
from pathlib import Path

import pytest

from rtflow.model.filters import ALL, ConversationFilter
from rtflow.server.store.sqlite.database import APPLICATION, open_database
from tests.server.domain.test_activity import KEPT, everything
from tests.server.domain.world import World

SIZES = {"note": 1, "talk": 2, "team": 10, "club": 11, "town": 60}  # participants
KINDS = {  # number, read_number, deleted_unread, marked_unread
    "empty": (0, 0, 0, 0),
    "read": (3, 2, 1, 0),
    "unread": (3, 1, 1, 0),
    "marked": (3, 3, 0, 1),
}
UNREAD = ConversationFilter(is_unread=True)


def statements(version: int) -> str:
    name = f"{version:04}.sql"
    schema = files("rtflow.server.store.sqlite") / "schema" / name
    return schema.read_text(encoding="utf-8")


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A file of the first schema: of each size a conversation without messages, one that all have
    read, one that is unread, and one that each has marked as unread.
    """
    path = str(tmp_path / "old.db")
    to = sqlite3.connect(path, isolation_level=None)
    to.executescript(statements(1))
    to.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1")
    users = [f"user {n}" for n in range(max(SIZES.values()))]
    to.executemany(
        "INSERT INTO users VALUES (?1, ?1, 'default', '{}', NULL, NULL, NULL, '[]', '[]', '{}', 1)",
        [(user,) for user in users],
    )
    at = 1_000
    for name, size in SIZES.items():
        for kind, (number, *marks) in KINDS.items():
            at += 10
            room = f"{kind} {name}"
            to.execute(
                "INSERT INTO conversations VALUES (?1, NULL, NULL, '[]', '{}', ?2, ?3, ?4, ?5)",
                (room, at, users[0], number, at + 500 if number else None),
            )
            to.executemany(
                "INSERT INTO participants VALUES (?1, ?2, 'ReadWrite', 'true', ?3, ?4, ?3, ?5, ?6)",
                [(room, user, at + n, *marks) for n, user in enumerate(users[:size])],
            )
    to.close()
    return path


def test_a_database_of_the_first_schema_gets_what_lists_are_made_from(old: str) -> None:
    world = World(old)
    rows = world.database.reader.execute(KEPT).fetchall()
    assert len(rows) == 4 * sum(SIZES.values())
    for at, is_unread, right_at, right_unread, crowded in rows:
        assert (at, is_unread) == ((None, 0) if crowded else (right_at, right_unread))
    joined = "SELECT c.last_joined_at, max(p.joined_at) FROM conversations c JOIN participants p"
    joined += " ON p.conversation_id = c.id GROUP BY c.id"
    assert all(last == latest for last, latest in world.database.reader.execute(joined))
    crowded = world.database.reader.execute("SELECT id FROM conversations WHERE is_crowded = 1")
    assert {room.split()[1] for (room,) in crowded} == {"club", "town"}
    mine = [world.see("user 0", f"{kind} {name}") for name in SIZES for kind in KINDS]
    right = sorted(mine, key=lambda it: (-it.last_message_at, it.id))
    assert everything(world, "user 0", 3, ALL) == right
    unread = [it for it in right if it.id.split()[0] in ("unread", "marked")]
    assert everything(world, "user 0", 3, UNREAD) == unread
    world.database.close()


def test_an_updated_database_has_the_schema_of_a_new_one(old: str) -> None:
    updated, new = open_database(old), open_database(":memory:")
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    found = [it.reader.execute(schema).fetchall() for it in (updated, new)]
    assert found[0] == found[1]
    updated.close()
    new.close()
