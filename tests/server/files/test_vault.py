"""The vault: whole contents or none, whatever happens, and nothing that nobody needs."""

import asyncio
import os
from collections.abc import AsyncGenerator
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from rtflow.errors import ServerFailed
from rtflow.server.chores import collect_garbage, keep_house
from rtflow.server.domain.files import DAY, Stored, add_file, file_by_token
from rtflow.server.files import SHARDS, UnusableFolder, Vault, open_vault
from rtflow.server.store.awaited import committed
from rtflow.server.store.sqlite import SqliteStore, open_sqlite


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncGenerator[Vault]:
    vault = await open_vault(tmp_path / "deep" / "files")
    yield vault
    await vault.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteStore]:
    store = await open_sqlite(tmp_path / "chat.db", lambda _: None)
    yield store
    await store.close()


def inside(vault: Vault) -> list[str]:
    return [path.name for path in vault.folder.rglob("*") if path.is_file()]


async def keep(vault: Vault, *pieces: bytes) -> str:
    async with vault.receiving() as incoming:
        for piece in pieces:
            await incoming.write(piece)
        await incoming.settle()
        async with vault.changing:
            return await incoming.keep()


async def upload(vault: Vault, store: SqliteStore, token: str, content: bytes) -> None:
    file = Stored(
        token=token,
        user_id="ada",
        sha256=await keep(vault, content),
        filename="a",
        size=len(content),
        media_type="image/png",
        subtype=None,
        width=None,
        height=None,
        duration=None,
        url="",
    )
    await committed(store, partial(add_file, file, 0))


def grow_old(vault: Vault) -> None:
    """Let everything in the folder be of long ago."""
    for path in vault.folder.rglob("*"):
        os.utime(path, (0, 0))


async def test_a_content_is_found_by_its_sum(vault: Vault) -> None:
    content = await keep(vault, b"one", b"", b"two")
    assert content == sha256(b"onetwo").hexdigest()
    assert vault.path(content).read_bytes() == b"onetwo"
    assert await keep(vault, b"onetwo") == content
    assert inside(vault) == [content]


async def test_nobody_else_on_this_machine_may_look_into_it(vault: Vault) -> None:
    await keep(vault, b"a secret")
    folders = [vault.folder, *(path for path in vault.folder.rglob("*") if path.is_dir())]
    assert len(folders) == 3
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


async def test_what_was_not_kept_leaves_nothing(vault: Vault) -> None:
    async def fail() -> None:
        async with vault.receiving() as incoming:
            await incoming.write(b"half")
            assert len(inside(vault)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with vault.receiving():
        pass
    assert inside(vault) == []


async def test_who_is_cancelled_while_it_is_written_leaves_nothing(vault: Vault) -> None:
    async def receive() -> None:
        async with vault.receiving() as incoming:
            while True:
                await incoming.write(b"x" * 1_000_000)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(receive())
        while not inside(vault):
            await vault.run(lambda: None)
        task.cancel()
    assert inside(vault) == []


async def test_a_content_of_nothing_is_one(vault: Vault) -> None:
    content = await keep(vault)
    assert vault.path(content).read_bytes() == b""


async def test_what_is_removed_twice_is_removed(vault: Vault) -> None:
    content = await keep(vault, b"x")
    for _ in range(2):
        async with vault.changing:
            await vault.remove([content, "0" * 64])
    assert inside(vault) == []


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "files"
    with pytest.raises(UnusableFolder, match=f"kept in {folder}: .*; let this user write there"):
        await open_vault(folder)


async def test_a_body_that_was_on_its_way_when_the_process_was_killed_is_gone_at_the_next_start(
    vault: Vault,
) -> None:
    (vault.folder / "incoming" / "half").write_bytes(b"half")
    content = await keep(vault, b"whole")
    await vault.close()
    again = await open_vault(vault.folder)
    assert inside(again) == [content]
    await again.close()


# Garbage


async def test_garbage_goes_with_its_content(vault: Vault, store: SqliteStore) -> None:
    await upload(vault, store, "old", b"old")
    await collect_garbage(store, vault, DAY, SHARDS[0])
    assert len(inside(vault)) == 1
    await collect_garbage(store, vault, DAY + 1, SHARDS[0])
    assert inside(vault) == []
    assert (await store.read(partial(file_by_token, "old"))).value is None


async def test_more_than_a_bite_of_garbage_goes_all_the_same(
    vault: Vault, store: SqliteStore
) -> None:
    for number in range(150):
        await upload(vault, store, str(number), str(number % 3).encode())
    await collect_garbage(store, vault, DAY + 1, SHARDS[0])
    assert inside(vault) == []


async def test_what_a_crash_has_left_goes_after_a_day(vault: Vault, store: SqliteStore) -> None:
    orphan = await keep(vault, b"orphan")
    await upload(vault, store, "known", b"known")
    (vault.folder / "incoming" / "half").write_bytes(b"half")

    async def all_rounds() -> None:
        for shard in SHARDS:
            await collect_garbage(store, vault, DAY, shard)

    await all_rounds()
    assert len(inside(vault)) == 3
    grow_old(vault)
    await all_rounds()
    assert inside(vault) == [sha256(b"known").hexdigest()]
    assert orphan not in inside(vault)


async def test_chores_go_on_after_trouble(
    vault: Vault, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def put_off() -> None:
        while "put off" not in caplog.text:
            await vault.run(lambda: None)

    store.database.writer.execute("PRAGMA query_only = ON")
    await upload_fails(vault, store)
    async with asyncio.TaskGroup() as tasks:
        chores = tasks.create_task(keep_house(store, vault, lambda: DAY + 1, pause=0))
        await put_off()
        store.database.writer.execute("PRAGMA query_only = OFF")
        while inside(vault):
            grow_old(vault)
            await vault.run(lambda: None)
        chores.cancel()


async def test_a_mistake_in_a_chore_does_not_end_the_others(
    vault: Vault, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    asked = list[int]()

    def broken_at_first() -> int:
        asked.append(len(asked))
        return 1 // asked[-1]

    async with asyncio.TaskGroup() as tasks:
        chores = tasks.create_task(keep_house(store, vault, broken_at_first, pause=0))
        while len(asked) < 3:
            await vault.run(lambda: None)
        chores.cancel()
    assert caplog.text.count("ZeroDivisionError: ") == 1


async def upload_fails(vault: Vault, store: SqliteStore) -> None:
    """Leave a content whose row could not be written."""
    with pytest.raises(ServerFailed):
        await upload(vault, store, "lost", b"lost")
    assert len(inside(vault)) == 1
