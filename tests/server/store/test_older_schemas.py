"""Databases of older versions: brought up to date, with all that was in them."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest

from rtflow.errors import ServerFailed
from rtflow.model.content import TextBlock
from rtflow.server.chores import index_old
from rtflow.server.domain.indexing import index_message, index_missing, unindex_message
from rtflow.server.domain.search import Asked, ConversationSearch, MessageSearch
from rtflow.server.store.interface import Outcome, Steps
from rtflow.server.store.sqlite import SqliteStore, open_sqlite
from tests.conformance.stores import ignore, submitted

MESSAGES = 120


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database as the first version made it: a conversation with messages, newer and older."""
    path = tmp_path / "chat.db"
    first = files("rtflow.server.store.sqlite") / "schema" / "0001.sql"
    old = sqlite3.connect(path)
    old.executescript(first.read_text())
    old.executescript("PRAGMA user_version = 1; PRAGMA application_id = 0x7274666C")
    old.execute("INSERT INTO users VALUES ('ada', 'A', '', '{}', NULL, NULL, NULL, '', '', '', 1)")
    old.execute(
        "INSERT INTO conversations VALUES ('zoo', 'Elephants', NULL, '[]', '{}', 1, 'ada', 3, 9)"
    )
    old.execute("INSERT INTO participants VALUES ('zoo', 'ada', 'Read', 'true', 1, 0, 0, 0, 0)")
    for number in range(MESSAGES, 0, -1):  # not in the order of time
        content = json.dumps([{"type": "text", "children": [f"number {number}", " é"]}])
        old.execute(
            "INSERT INTO messages VALUES (?1, 'zoo', ?2, ?2, NULL, 'ada', 'web', NULL, ?3, '{}')",
            (f"m{number}", number, content),
        )
    old.commit()
    old.close()
    return path


@pytest.fixture
async def store(path: Path) -> AsyncGenerator[SqliteStore]:
    store = await open_sqlite(path, ignore)
    yield store
    await store.close()


async def found(store: SqliteStore, words: str) -> list[str]:
    search = MessageSearch("ada", Asked(text=words))
    return [find.item.id for find in (await store.search(partial(search.step, 200))).value]


async def test_what_was_there_before_there_was_search_is_found_newest_first(
    store: SqliteStore,
) -> None:
    assert await found(store, "number") == []
    await index_old(store)
    assert await found(store, "number") == [f"m{number}" for number in range(MESSAGES, 0, -1)]
    assert await found(store, "e 77") == ["m77"]
    search = ConversationSearch("ada", Asked(text="elephants"))
    (conversation,) = (await store.search(partial(search.step, 10))).value
    assert conversation.item.id == "zoo"


async def test_indexing_begins_with_the_newest_and_goes_on_after_a_restart(path: Path) -> None:
    store = await open_sqlite(path, ignore)
    assert (await submitted(store, partial(index_missing, 11))).value == 11
    assert await found(store, "number") == [f"m{n}" for n in range(MESSAGES, MESSAGES - 10, -1)]
    await store.close()
    again = await open_sqlite(path, ignore)
    assert len(await found(again, "number")) == 10
    await index_old(again)
    assert len(await found(again, "number")) == MESSAGES
    assert (await submitted(again, partial(index_missing, 11))).value == 0
    await again.close()


async def test_what_changes_before_it_is_indexed_is_right_afterwards(store: SqliteStore) -> None:
    def change() -> Steps[Outcome[None]]:
        yield from index_message("m1", "zoo", (TextBlock(("edited",)),))
        yield from unindex_message("m2", "zoo")
        yield from index_message("new", "zoo", (TextBlock(("edited",)),))
        return Outcome(None)

    await submitted(store, change)
    await index_old(store)
    assert await found(store, "edited") == ["m1"]  # there is no message "new", only its words
    assert await found(store, "number") == [f"m{n}" for n in range(MESSAGES, 2, -1)]


async def test_trouble_while_indexing_loses_nothing(store: SqliteStore) -> None:
    store.database.writer.execute("PRAGMA query_only = ON")
    with pytest.raises(ServerFailed):
        await index_old(store)
    store.database.writer.execute("PRAGMA query_only = OFF")
    await asyncio.gather(index_old(store), index_old(store))
    assert len(await found(store, "number")) == MESSAGES
