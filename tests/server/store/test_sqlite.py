"""What only the SQLite store does: one file for one process, group commit, troubles of disks."""

import asyncio
import logging
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from rtflow.errors import RtflowError, ServerFailed, TooManyRequests
from rtflow.server.store.interface import (
    Change,
    Outcome,
    Reading,
    Steps,
    UnusableDatabase,
    rows,
    run,
)
from rtflow.server.store.sqlite import SqliteStore, open_sqlite
from rtflow.server.store.sqlite.store import MOST_WAITING
from tests.conformance.stores import add, count, entry, ignore, names, submitted, turn, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


@pytest.fixture
def published() -> list[list[int]]:
    """The numbers of each publication: one per group."""
    return []


@pytest.fixture
async def store(path: Path, published: list[list[int]]) -> AsyncIterator[SqliteStore]:
    def publish(changes: Sequence[Change]) -> None:
        published.append([change.number for change in changes])

    store = await open_sqlite(path, publish, lock_patience=0.05)
    yield store
    await store.close()


class Endless(Struct, frozen=True):
    """A row that never comes."""

    count: int


# Groups


async def test_what_is_submitted_in_one_turn_commits_together(
    store: SqliteStore, published: list[list[int]]
) -> None:
    await asyncio.gather(*[submitted(store, add(f"user {n}")) for n in range(5)])
    assert published == [[1, 2, 3, 4, 5]]


async def test_what_is_submitted_during_a_commit_is_the_next_group(
    store: SqliteStore, published: list[list[int]]
) -> None:
    first = submitted(store, add("first"))
    meanwhile: list[asyncio.Future[Reading[str]]] = []
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: meanwhile.append(submitted(store, add("second"))))  # the group has run
    loop.call_soon(lambda: meanwhile.append(submitted(store, add("third"))))
    await first
    await asyncio.gather(*meanwhile)
    assert published == [[1], [2, 3]]


async def test_a_group_is_bounded_so_that_the_loop_goes_on(
    store: SqliteStore, published: list[list[int]]
) -> None:
    answers = [submitted(store, add(f"user {n}")) for n in range(1000)]
    await asyncio.gather(*answers)
    assert max(map(len, published)) <= 256
    assert [number for group in published for number in group] == list(range(1, 1001))


async def test_too_many_waiting_commands_are_refused(store: SqliteStore) -> None:
    def look() -> Steps[Outcome[int]]:
        return Outcome((yield from count()))

    accepted = [submitted(store, look) for _ in range(MOST_WAITING)]
    with pytest.raises(TooManyRequests):
        await submitted(store, add("one too many"))
    assert {answer.value for answer in await asyncio.gather(*accepted)} == {0}
    assert (await submitted(store, add("later"))).number == 1


# Trouble with the disk


@contextmanager
def full_disk(store: SqliteStore) -> Generator[None]:
    """Let no file grow: what SQLite needs beyond that fails when it comes to the COMMIT."""
    wal = Path(store.database.reader.execute("PRAGMA database_list").fetchone()[2] + "-wal")
    old, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (old, most))


@contextmanager
def no_more_pages(store: SqliteStore) -> Generator[None]:
    """Let the database not grow: a statement that needs a page fails, and SQLite undoes it all."""
    writer = store.database.writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        writer.execute("PRAGMA max_page_count = 1000000")


@contextmanager
def a_shell_that_writes(store: SqliteStore) -> Generator[None]:
    """Hold the write lock from outside."""
    file = store.database.reader.execute("PRAGMA database_list").fetchone()[2]
    shell = sqlite3.connect(file, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        shell.close()


def big(name: str) -> Callable[[], Steps[Outcome[str]]]:
    """Make a command that needs more room than there is."""

    def command() -> Steps[Outcome[str]]:
        yield from write(name)
        yield from run("UPDATE users SET custom = ?1 WHERE id = ?2", "x" * 500_000, name)
        return Outcome(name, (entry(name),))

    return command


@pytest.mark.parametrize("trouble", [full_disk, no_more_pages, a_shell_that_writes])
async def test_a_lost_group_leaves_nothing_behind_and_the_store_recovers(
    store: SqliteStore,
    published: list[list[int]],
    caplog: pytest.LogCaptureFixture,
    trouble: Callable[[SqliteStore], Any],  # Any: each is a context manager
) -> None:
    await submitted(store, add("before"))
    with trouble(store):
        for name in ("lost", "lost again"):
            answers = [submitted(store, big(name)), submitted(store, big(f"{name} too"))]
            for answer in answers:
                with pytest.raises(ServerFailed) as caught:
                    await answer
                assert caught.value.code == "STORAGE_UNAVAILABLE"
        assert await store.read(names) == Reading(["before"], 1)
    assert await submitted(store, big("after")) == Reading("after", 2)
    assert await store.read(names) == Reading(["after", "before"], 2)
    assert published == [[1], [2]]
    levels = [record.levelno for record in caplog.records if record.name.startswith("rtflow")]
    assert levels == [logging.ERROR, logging.WARNING]  # said once, and once that it is over


@contextmanager
def savepoints_that_fail(store: SqliteStore, step: str) -> Generator[None]:
    """Let SQLite refuse to release a savepoint, or to go back to it."""

    def judge(action: int, what: str | None, *_: str | None) -> int:
        is_it = action == sqlite3.SQLITE_SAVEPOINT and what == step
        return sqlite3.SQLITE_DENY if is_it else sqlite3.SQLITE_OK

    store.database.writer.set_authorizer(judge)
    try:
        yield
    finally:
        store.database.writer.set_authorizer(None)


def mistaken() -> Steps[Outcome[str]]:
    yield from write("mistaken")
    raise RuntimeError("a mistake of ours")


@pytest.mark.parametrize("step", ["RELEASE", "ROLLBACK"])
async def test_a_command_whose_savepoint_fails_is_answered_like_the_others(
    store: SqliteStore, step: str
) -> None:
    with savepoints_that_fail(store, step):
        answers = [submitted(store, add("lost")), submitted(store, mistaken)]
        async with asyncio.timeout(5):
            for answer in answers:
                with pytest.raises(ServerFailed) as caught:
                    await answer
                assert caught.value.code == "STORAGE_UNAVAILABLE"
    assert await submitted(store, add("after")) == Reading("after", 1)
    assert (await store.read(names)).value == ["after"]


async def test_a_reader_that_cannot_let_go_of_the_old_state_is_told_and_shows_no_old_one(
    store: SqliteStore,
) -> None:
    def judge(action: int, what: str | None, *_: str | None) -> int:
        is_it = action == sqlite3.SQLITE_TRANSACTION and what == "ROLLBACK"
        return sqlite3.SQLITE_DENY if is_it else sqlite3.SQLITE_OK

    assert (await store.read(names)).value == []
    store.database.reader.set_authorizer(judge)
    with pytest.raises(ServerFailed) as caught:
        await submitted(store, add("ada"))
    assert caught.value.code == "STORAGE_UNAVAILABLE"
    store.database.reader.set_authorizer(None)
    await submitted(store, add("bob"))
    assert (await store.read(names)).value == ["bob"]


async def test_a_command_waits_for_a_lock_that_is_let_go(path: Path) -> None:
    store = await open_sqlite(path, ignore, lock_patience=30)
    with a_shell_that_writes(store):
        answer = submitted(store, add("ada"))
        for _ in range(10):
            await turn()
            assert (await store.read(count)).value == 0
    assert (await answer).number == 1
    await store.close()


async def test_a_commit_that_failed_but_happened_is_published_later(
    store: SqliteStore, published: list[list[int]], path: Path
) -> None:
    await submitted(store, add("ada"))
    shell = sqlite3.connect(path, isolation_level=None)  # to the store it looks the same
    shell.execute("INSERT INTO log (number, at, entries) VALUES (2, 0, ?1)", (b"[]",))
    shell.close()
    assert (await submitted(store, add("bob"))).number == 3
    assert published == [[1], [2], [3]]


async def test_what_is_written_is_for_the_servers_user_alone(
    store: SqliteStore, path: Path
) -> None:
    await submitted(store, add("ada"))
    written = [path, Path(f"{path}-wal"), Path(f"{path}-shm")]
    assert {file.stat().st_mode & 0o777 for file in written} == {0o600}


async def test_a_commit_waits_for_the_disk(store: SqliteStore) -> None:
    assert store.database.writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store.database.writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# One file for one server


@pytest.mark.parametrize("name", ["chat.db", "./chat.db", "../here/chat.db", "link.db"])
async def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path, name: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "link.db").symlink_to("chat.db")
    first = await open_sqlite(here / "chat.db", ignore)
    with pytest.raises(UnusableDatabase, match="another server uses it"):
        await open_sqlite(here / name, ignore)
    await first.close()
    second = await open_sqlite(here / name, ignore)
    await second.close()


PROGRAM = """
import asyncio, sys
from rtflow.server.store.sqlite import open_sqlite

async def main():
    store = await open_sqlite(sys.argv[1], print)
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def other_server(path: Path) -> Generator[subprocess.Popen[str]]:
    """A process that has the file open."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        yield other
        other.kill()


async def test_a_killed_server_leaves_the_file_to_the_next(
    path: Path, other_server: subprocess.Popen[str]
) -> None:
    with pytest.raises(UnusableDatabase, match="another server uses it"):
        await open_sqlite(path, ignore)
    other_server.kill()
    other_server.wait()
    store = await open_sqlite(path, ignore)
    await store.close()


async def test_closing_leaves_one_file_with_everything_in_it(
    store: SqliteStore, path: Path
) -> None:
    await submitted(store, add("ada"))
    await store.read(names)  # the reader stays where it is
    await store.close()
    assert beside(path) == ["chat.db", "chat.db-lock"]
    shell = sqlite3.connect(path)
    assert shell.execute("SELECT id FROM users").fetchall() == [("ada",)]
    shell.close()


async def test_reading_between_writes_lets_the_write_ahead_log_begin_anew(
    store: SqliteStore, path: Path
) -> None:
    for number in range(40):
        await submitted(store, big(f"user {number}"))
        assert len((await store.read(names)).value) == number + 1
    assert size(path) > 20_000_000
    assert size(Path(f"{path}-wal")) < 10_000_000


# Searches


def forever() -> Steps[list[Endless]]:
    return (
        yield from rows(
            Endless,
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT count(*) FROM n",
        )
    )


async def test_a_search_stops_when_its_caller_has_left_and_keeps_nobody_waiting(
    store: SqliteStore,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        search = tasks.create_task(store.search(forever))
        await turn()
        await submitted(store, add("ada"))  # meanwhile
        assert not search.done()
        search.cancel()
    assert (await store.search(names)).value == ["ada"]  # the thread is free again


async def test_a_search_that_waits_for_another_is_not_begun_when_its_caller_has_left(
    store: SqliteStore,
) -> None:
    begun: list[str] = []

    def second() -> Steps[None]:
        begun.append("second")
        yield from count()

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(store.search(forever))
        await turn()
        waiting = tasks.create_task(store.search(second))
        await turn()
        waiting.cancel()
        first.cancel()
    assert (await store.search(names)).value == []
    assert begun == []


async def test_the_end_stops_a_search(store: SqliteStore) -> None:
    async def end() -> None:
        await turn()
        await store.close()

    stopped, _ = await asyncio.gather(store.search(forever), end(), return_exceptions=True)
    assert isinstance(stopped, ServerFailed)
    assert stopped.code == "SHUTTING_DOWN"


async def test_a_search_that_fails_leaves_the_next_ones_be(store: SqliteStore) -> None:
    with pytest.raises(ServerFailed, match="INTERNAL"):
        await store.search(lambda: rows(Endless, "SELECT nothing FROM nowhere"))
    assert (await store.search(names)).value == []


# Files that are not for us


def beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def size(path: Path) -> int:
    return path.stat().st_size


def content(path: Path) -> bytes:
    return path.read_bytes()


def fill_with(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def made(path: Path, script: str) -> None:
    shell = sqlite3.connect(path)
    shell.executescript(script)
    shell.close()


async def test_a_newer_database_is_refused_untouched(path: Path) -> None:
    await (await open_sqlite(path, ignore)).close()
    made(path, "PRAGMA user_version = 999")
    before = content(path)
    with pytest.raises(UnusableDatabase, match=r"schema 999.* upgrade rtflow"):
        await open_sqlite(path, ignore)
    assert content(path) == before


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE recipes (name TEXT)",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 7; VACUUM",
    ],
)
async def test_somebody_elses_database_is_refused_untouched(path: Path, script: str) -> None:
    made(path, script)
    before = content(path)
    with pytest.raises(UnusableDatabase, match=r"holds something else.* name another file"):
        await open_sqlite(path, ignore)
    assert content(path) == before


async def test_a_file_that_is_no_database_is_refused_untouched(path: Path) -> None:
    fill_with(path, b"Dear diary, " * 100)
    with pytest.raises(UnusableDatabase, match="holds something else"):
        await open_sqlite(path, ignore)
    assert content(path) == b"Dear diary, " * 100


async def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(RtflowError, match="check that its folder exists"):
        await open_sqlite(tmp_path / "nowhere" / "chat.db", ignore)


async def test_an_empty_file_becomes_a_database(path: Path) -> None:
    fill_with(path, b"")
    store = await open_sqlite(path, ignore)
    assert (await submitted(store, add("ada"))).number == 1
    await store.close()
