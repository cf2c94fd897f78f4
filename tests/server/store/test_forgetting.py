"""What the SQLite store forgets after its time: changes, idempotency keys, resume points."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rtflow.server.domain.points import Client, Point, keep_points
from rtflow.server.store.interface import (
    Command,
    Outcome,
    Steps,
    run,
)
from rtflow.server.store.sqlite import SqliteStore, open_sqlite
from rtflow.server.store.sqlite.log import DAY
from rtflow.server.store.sqlite.store import TRIM_EVERY
from tests.conformance.stores import add, ignore, submitted, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


def quiet() -> Steps[Outcome[None]]:
    yield from write("not in the log")
    return Outcome(None)


async def fill(store: SqliteStore, prefix: str, changes: int) -> None:
    await asyncio.gather(*[submitted(store, add(f"{prefix} {n}")) for n in range(changes)])


async def test_the_log_forgets_changes_of_yesterday_but_never_the_last(path: Path) -> None:
    clock = Clock()
    store = await open_sqlite(path, ignore, clock=clock)
    await fill(store, "old", 100)
    clock.now += DAY + 1
    await fill(store, "new", TRIM_EVERY)
    assert await store.changes(0) is None
    assert await store.changes(99) is None
    kept = await store.changes(100)
    assert kept is not None
    assert [change.number for change in kept] == list(range(101, 101 + TRIM_EVERY))
    clock.now += DAY + 1
    await store.close()
    again = await open_sqlite(path, ignore, clock=clock)
    await submitted(again, quiet)
    assert again.database.reader.execute("SELECT number FROM log").fetchall() == [
        (100 + TRIM_EVERY,)
    ]
    assert (await submitted(again, add("one more"))).number == 101 + TRIM_EVERY
    await again.close()


async def test_the_log_keeps_only_so_many_changes(path: Path) -> None:
    store = await open_sqlite(path, ignore, kept_changes=50)
    last = 5 * TRIM_EVERY
    await fill(store, "user", last)
    assert await store.changes(last - 50 - TRIM_EVERY) is None, "it is trimmed now and then"
    kept = await store.changes(last - 50)
    assert kept is not None
    assert len(kept) == 50
    await store.close()


async def test_a_change_that_is_missed_is_found_while_the_log_reaches_back(path: Path) -> None:
    store = await open_sqlite(path, ignore, kept_changes=1)
    await fill(store, "user", TRIM_EVERY)
    assert await store.changes(TRIM_EVERY) == []
    kept = await store.changes(TRIM_EVERY - 1)
    assert kept is not None
    assert [change.number for change in kept] == [TRIM_EVERY]
    await store.close()


async def test_idempotency_keys_are_forgotten_after_a_day(path: Path) -> None:
    def remember(key: str, at: int) -> Callable[[], Steps[Outcome[None]]]:
        def command() -> Steps[Outcome[None]]:
            yield from run(
                "INSERT INTO sent_keys (conversation_id, user_id, key, message_id, at)"
                " VALUES ('c', 'u', ?1, 'm', ?2)",
                key,
                at,
            )
            return Outcome(None)

        return command

    clock = Clock()
    store = await open_sqlite(path, ignore, clock=clock)
    await submitted(store, remember("old", clock.now))
    clock.now += DAY
    await submitted(store, remember("new", clock.now))
    clock.now += 1
    await fill(store, "user", TRIM_EVERY)
    assert store.database.reader.execute("SELECT key FROM sent_keys").fetchall() == [("new",)]
    await store.close()


async def test_resume_points_are_forgotten_a_week_after_their_client_was_here(path: Path) -> None:
    def keep(client: str, *, is_open: bool) -> Command[None]:
        points = {Client(client, "ada"): Point(1, is_open)}
        return partial(keep_points, points, clock.now)

    clock = Clock()
    store = await open_sqlite(path, ignore, clock=clock)
    await submitted(store, keep("left", is_open=False))
    await submitted(store, keep("stayed", is_open=True))
    clock.now += 7 * DAY
    await submitted(store, keep("left since", is_open=False))
    clock.now += 1
    await fill(store, "user", TRIM_EVERY)
    rows = store.database.reader.execute("SELECT client_id FROM resume_points ORDER BY client_id")
    assert rows.fetchall() == [("left since",), ("stayed",)]
    await store.close()
