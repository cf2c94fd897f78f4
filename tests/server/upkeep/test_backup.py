"""Backups: whole or not there, made beside a running server, and served like what they are of."""

import asyncio
import errno
import os
import resource
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from rtflow.server import CannotBackUp, Settings, back_up, examine, running
from rtflow.server.files import place_of
from rtflow.server.store.interface import UnusableDatabase
from rtflow.testing import ServerProcess, until
from tests.server.http.uploading import FILES, upload
from tests.server.raw import RawClient, join
from tests.server.upkeep.conftest import CONTENTS, altered


def is_well(database: Path) -> bool:
    return not any(check.faults for check in examine(Settings(database=str(database))))


def beside(path: Path) -> set[str]:
    return {it.name for it in path.parent.iterdir()}


def put_aside(folder: Path) -> None:
    for path in list(folder.glob("chat.db*")):
        path.rename(folder / f"damaged {path.name}")


@contextmanager
def full_disk(most: int) -> Generator[None]:
    """Let no file grow beyond that."""
    old, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (old, hard))


def test_a_backup_has_everything_and_says_so(settings: Settings, tmp_path: Path) -> None:
    made = back_up(tmp_path / "copy.db", settings)
    assert (made.database, made.files) == (tmp_path / "copy.db", tmp_path / "copy.db-files")
    assert (made.changes > 20, made.contents, made.missing) == (True, 2, ())
    assert is_well(made.database)
    assert not {name for name in beside(made.database) if name.startswith("copy.db-")} - {
        "copy.db-files"
    }


def test_a_backup_is_for_whoever_made_it_alone(settings: Settings, tmp_path: Path) -> None:
    made = back_up(tmp_path / "copy.db", settings)
    assert made.database.stat().st_mode & 0o777 == 0o600
    assert made.files.stat().st_mode & 0o777 == 0o700


async def test_it_is_made_while_people_talk_and_served_afterwards(tmp_path: Path) -> None:
    """Kept up for as long as one backup after the other is made; the server is a process."""
    said = list[str]()

    async def talk(ada: RawClient, http: httpx2.AsyncClient) -> None:
        while True:
            said.append(await ada.send("lunch", f"number {len(said)}"))
            response = await upload(http, "a.txt", str(len(said)).encode())
            content = [{"type": "file", "fileToken": response.json()["fileToken"]}]
            await ada.do("POST", "/conversations/lunch/messages", {"content": content})

    settings = Settings(database=str(tmp_path / "chat.db"), port=0)
    login = {"Authorization": "Bearer development:ada"}
    async with (
        ServerProcess(settings.database) as server,
        join(server.url, "ada") as ada,
        httpx2.AsyncClient(base_url=server.url, headers=login) as http,
    ):
        await ada.found("lunch")
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(talk(ada, http))
            known = list[tuple[Path, list[str]]]()
            for number in range(5):
                await until(lambda: len(said) > 8 * len(known))
                before = [*said]
                made = await asyncio.to_thread(back_up, tmp_path / f"{number}.db", settings)
                assert made.missing == ()
                known.append((made.database, before))
            talking.cancel()
    for database, before in known:
        assert is_well(database)
        restored = Settings(database=str(database), port=0)
        async with running(restored) as address, join(address.url, "ada") as again:
            page = await again.get("/me/conversations/lunch/messages", {"limit": 100})
            ids = {message["id"] for message in page["data"]}
            assert set(before[-40:]) <= ids


async def test_a_backup_of_the_backup_restores_it_with_its_files(
    settings: Settings, tmp_path: Path
) -> None:
    back_up(tmp_path / "copy.db", settings)
    put_aside(tmp_path)
    back_up(settings.database, Settings(database=str(tmp_path / "copy.db")))
    async with running(settings) as address, join(address.url, "ada") as ada:
        assert (await ada.get("/me/conversations/lunch"))["subject"] == "Où manger?"
        await ada.send("lunch", "we are back")
        async with httpx2.AsyncClient(base_url=address.url) as http:
            assert (await http.get(f"{FILES}/sent/sent.txt")).content == CONTENTS["sent"]
    assert is_well(Path(settings.database))
    assert is_well(tmp_path / "copy.db"), "it is not changed by what happens to the other"


@pytest.mark.parametrize("taken", ["copy.db", "copy.db-files", "copy.db-wal", "copy.db-shm"])
def test_nothing_is_overwritten(settings: Settings, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    before = beside(tmp_path / taken)
    with pytest.raises(CannotBackUp, match=f"{taken} is there already; name another"):
        back_up(tmp_path / "copy.db", settings)
    assert (tmp_path / taken).read_text() == "mine"
    assert beside(tmp_path / taken) == before


def test_who_comes_first_while_it_is_made_is_not_overwritten(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, copy = os.link, tmp_path / "copy.db"

    def late(source: Path, target: Path) -> None:
        if target == copy:
            copy.write_text("mine")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(CannotBackUp, match="File exists"):
        back_up(copy, settings)
    assert copy.read_text() == "mine"
    assert not (tmp_path / "copy.db-files").exists()


def test_without_links_it_is_copied(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(source: Path, _target: Path) -> None:
        source.stat()
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", none)
    made = back_up(tmp_path / "copy.db", settings)
    assert made.contents == 2
    assert is_well(made.database)


def test_a_full_disk_is_said_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "copy.db"
    with pytest.raises(CannotBackUp, match="No such file"):
        back_up(target, settings)
    target.parent.mkdir()
    with full_disk(40_000), pytest.raises(CannotBackUp, match=r"cannot write .*full|I/O"):
        back_up(target, settings)
    assert beside(target) == set()


def test_what_is_missing_is_told_and_the_rest_is_kept(settings: Settings, tmp_path: Path) -> None:
    place_of(Path(f"{settings.database}-files"), sha256(CONTENTS["sent"]).hexdigest()).unlink()
    made = back_up(tmp_path / "copy.db", settings)
    assert (made.missing, made.contents) == (("sent.txt",), 1)
    assert made.database.exists()


def test_a_damaged_database_is_not_backed_up(settings: Settings, tmp_path: Path) -> None:
    with Path(settings.database).open("r+b") as file:
        file.seek(4096 * 6)
        file.write(b"\xaa" * 4096)
    with pytest.raises(UnusableDatabase, match=r"it is damaged .*restore a backup"):
        back_up(tmp_path / "copy.db", settings)
    assert not (tmp_path / "copy.db").exists()
    with pytest.raises(UnusableDatabase, match="there is no such file"):
        back_up(tmp_path / "copy.db", Settings(database=str(tmp_path / "nothing.db")))


def test_a_file_that_was_forgotten_meanwhile_is_not_in_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def forget(source: Path, target: Path) -> None:
        link(source, target)
        altered(settings.database, "DELETE FROM files WHERE token = 'unsent'")

    monkeypatch.setattr(os, "link", forget)
    made = back_up(tmp_path / "copy.db", settings)
    assert made.contents == 1
    assert len([it for it in made.files.rglob("*") if it.is_file()]) == 1
