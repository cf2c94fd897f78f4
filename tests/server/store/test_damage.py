"""A database that is not whole: refused at the start, or told once when the damage is met."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from rtflow.errors import ServerFailed
from rtflow.server.store.interface import UnusableDatabase
from rtflow.server.store.sqlite import SqliteStore, open_sqlite
from tests.conformance.stores import add, ignore, names, submitted

PAGE = 4096


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database of a few dozen pages."""
    path = tmp_path / "chat.db"
    store = await open_sqlite(path, ignore)
    await asyncio.gather(*[submitted(store, add(f"user {n:05} {'x' * 90}")) for n in range(1000)])
    await store.close()
    return path


def cut_in_the_middle(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def cut_after_a_page(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:PAGE])


def another_beginning(path: Path) -> None:
    path.write_bytes(b"\xaa" * 100 + path.read_bytes()[100:])


def no_catalogue(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xaa" * (PAGE - 100) + content[PAGE:])


def no_log(path: Path) -> None:
    damage(path, "log")


def damage(path: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    shell = sqlite3.connect(path)
    (root,) = shell.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?1", (table,)
    ).fetchone()
    shell.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xaa" * PAGE)


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (cut_in_the_middle, "it is damaged"),
        (cut_after_a_page, "it is damaged"),
        (no_catalogue, "it is damaged"),
        (no_log, "it is damaged"),
        (another_beginning, "it holds something else than an rtflow database"),
    ],
)
async def test_a_damaged_database_is_refused_in_one_line_that_says_what_to_do(
    path: Path, break_it: Callable[[Path], None], reason: str
) -> None:
    break_it(path)
    before = bytes_of(path)
    with pytest.raises(UnusableDatabase) as refused:
        await open_sqlite(path, ignore)
    said = str(refused.value)
    assert said.startswith(f"cannot use the database {path}: {reason}")
    assert "restore a backup" in said
    assert "\n" not in said
    is_same = bytes_of(path) == before
    assert is_same, "it may still be of use to somebody"


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


async def test_damage_that_is_met_is_told_once_and_the_rest_is_served(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(path, "users")
    store = await open_sqlite(path, ignore)
    for _ in range(20):
        await unavailable(store)
        assert len(await store.changes(0) or ()) == 1000
    (told,) = (it.getMessage() for it in caplog.records if it.levelno >= logging.WARNING)
    assert told.startswith("the database is damaged; stop the server; `rtflow doctor` tells")
    assert "restore a backup" in told
    await store.close()


async def unavailable(store: SqliteStore) -> None:
    with pytest.raises(ServerFailed, match="STORAGE_UNAVAILABLE"):
        await store.read(names)
    with pytest.raises(ServerFailed, match="STORAGE_UNAVAILABLE"):
        await store.search(names)
    with pytest.raises(ServerFailed, match="STORAGE_UNAVAILABLE"):
        await submitted(store, add("ada"))


async def test_without_its_write_ahead_log_a_database_is_refused(path: Path) -> None:
    store = await open_sqlite(path, ignore)
    await submitted(store, add("ada"))
    taken = path.with_name("taken.db")
    copy_of_a_killed(path, taken)  # as a kill leaves it
    await store.close()
    move(f"{taken}-wal", f"{taken}-aside")
    with pytest.raises(UnusableDatabase, match=r"taken.db-wal, is missing.* put it back, or"):
        await open_sqlite(taken, ignore)
    move(f"{taken}-aside", f"{taken}-wal")
    store = await open_sqlite(taken, ignore)
    assert "ada" in (await store.read(names)).value
    await store.close()


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_nothing_is_written_to_a_file_that_has_lost_its_name(
    path: Path, caplog: pytest.LogCaptureFixture, is_replaced: bool
) -> None:
    store = await open_sqlite(path, ignore)
    await submitted(store, add("before"))
    move(str(path), f"{path}-aside")
    if is_replaced:
        copy_of_a_killed(path.with_name("chat.db-aside"), path, "")
    for _ in range(2):
        with pytest.raises(ServerFailed, match="STORAGE_UNAVAILABLE"):
            await submitted(store, add("lost"))
    assert "before" in (await store.read(names)).value
    move(f"{path}-aside", str(path))
    await submitted(store, add("after"))
    assert "lost" not in (await store.read(names)).value
    told = [it.getMessage() for it in caplog.records if it.levelno >= logging.WARNING]
    assert len(told) == 2
    assert "it was moved away or replaced while it was open; put it back, or stop" in told[0]
    await store.close()


def copy_of_a_killed(path: Path, target: Path, *endings: str) -> None:
    for ending in endings or ("", "-wal", "-shm"):
        Path(f"{target}{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())


def move(source: str, target: str) -> None:
    Path(source).rename(target)
