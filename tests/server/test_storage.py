"""A storage that cannot be written: refused, served from, told once, and over when it is over."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from rtflow.server import Settings, examine
from rtflow.testing import ServerProcess, until
from rtflow.testing.server import RTFLOW_SERVE
from tests.server.http.uploading import upload
from tests.server.raw import RawClient, join

TRIES = 2
TEXT = {"content": [{"type": "text", "children": ["y" * 1000]}]}
SMALL = 8192  # bytes: less than what SQLite writes to, more than the server's complaints

Trouble = Callable[[ServerProcess, Path], AbstractContextManager[None]]


@contextmanager
def no_file_may_grow(server: ServerProcess, _folder: Path) -> Generator[None]:
    """Set a limit to the size of files, from outside."""
    old, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (SMALL, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (old, hard))


@contextmanager
def another_program_writes(_server: ServerProcess, folder: Path) -> Generator[None]:
    """Hold the write lock of the database."""
    shell = sqlite3.connect(folder / "chat.db", isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        shell.close()


@contextmanager
def full_disk(_server: ServerProcess, folder: Path) -> Generator[None]:
    """Take all the room that there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
        ).returncode
    ):
        pytest.skip("only who may mount has a disk to fill")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@asynccontextmanager
async def served(
    folder: Path,
) -> AsyncGenerator[tuple[ServerProcess, RawClient, httpx2.AsyncClient]]:
    """A server with something in it, and Ada at her websocket and in her browser."""
    login = {"Authorization": "Bearer development:ada"}
    async with (
        ServerProcess(folder / "chat.db") as server,
        join(server.url, "ada") as ada,
        httpx2.AsyncClient(base_url=server.url, headers=login) as http,
    ):
        await ada.found("lunch")
        await ada.send("lunch", "before")
        yield server, ada, http


async def said(ada: RawClient) -> list[Any]:  # Any: whatever came
    page = await ada.get("/me/conversations/lunch/messages", {"limit": 100})
    return [message["content"][0]["children"][0] for message in page["data"]]


async def is_well(http: httpx2.AsyncClient) -> bool:
    return (await http.get("/healthz")).status_code == 200


async def check(trouble: Trouble, folder: Path) -> None:
    """Bring a server into trouble and out of it again."""
    async with served(folder) as (server, ada, http):
        with trouble(server, folder):
            for _ in range(TRIES):
                answer = await ada.ask("POST", "/conversations/lunch/messages", TEXT)
                assert (answer.status, answer.code) == (500, "STORAGE_UNAVAILABLE")
                refused = await upload(http, "a", b"x" * 50_000)
                assert refused.status_code == 500
                assert refused.json()["errorCode"] == "STORAGE_UNAVAILABLE"
            assert await said(ada) == ["before"]
            async with join(server.url, "ada", create=False) as again:
                assert await said(again) == ["before"]
            assert (await http.get("/healthz")).status_code == 503
            assert left_of_uploads(folder) == []
        await ada.send("lunch", "after")
        assert (await upload(http, "a", b"x" * 50_000)).status_code == 200
        await until(lambda: is_well(http))  # it is looked at once a second
        assert await said(ada) == ["after", "before"]
        for told in ("database cannot be written, trying on", "the database can be written again"):
            assert server.stderr.count(told) == 1, server.stderr
        assert server.stderr.count("uploads cannot be stored") <= 1
        assert len(server.stderr.splitlines()) <= 5, server.stderr  # development mode, and these
        assert "Traceback" not in server.stderr
        assert await server.terminate() == 0
    settings = Settings(database=str(folder / "chat.db"))
    assert [it for it in examine(settings) if it.faults] == []


def left_of_uploads(folder: Path) -> list[Path]:
    return [path for path in (folder / "chat.db-files").rglob("*") if path.is_file()]


@pytest.mark.parametrize("trouble", [no_file_may_grow, another_program_writes])
async def test_writes_are_refused_reads_go_on_and_it_is_over_by_itself(
    tmp_path: Path, trouble: Trouble
) -> None:
    await check(trouble, tmp_path)


async def test_on_a_disk_that_is_full_too(small_disk: Path) -> None:
    await check(full_disk, small_disk)


async def test_a_server_in_trouble_stops_when_it_is_told_to(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, ada, _http):
        with no_file_may_grow(server, tmp_path):
            assert (await ada.ask("POST", "/conversations/lunch/messages", TEXT)).status == 500
            async with asyncio.timeout(5):
                assert await server.terminate() == 0
            assert "Traceback" not in server.stderr
        await server.restart()
        async with join(server.url, "ada") as again:
            assert await said(again) == ["before"]


# Root may write to everything, so the server becomes nobody, after it has loaded all that it needs.
AS_NOBODY = """
import os, rtflow.cli.app, rtflow.server, uvloop
"a".encode("idna")
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
rtflow.cli.main()
"""


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that anybody may reach, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


async def test_a_database_that_may_not_be_written_is_refused_in_one_line(
    public_folder: Path,
) -> None:
    async with served(public_folder) as (server, _ada, _http):
        await server.terminate()
    allow(public_folder, database=0o444)
    story = await refused(public_folder / "chat.db", sys.executable, "-c", AS_NOBODY, "serve")
    assert "chat.db: it is read-only; let this user write to it" in story


async def refused(database: Path, *command: str) -> str:
    """Return what a server says that does not start."""
    with pytest.raises(AssertionError) as failed:
        async with ServerProcess(database, command=command or RTFLOW_SERVE):
            pass
    assert "exit status 1" in str(failed.value)
    assert "Traceback" not in str(failed.value)
    return str(failed.value)


def allow(folder: Path, database: int) -> None:
    """Let anybody write to everything but the database."""
    folder.chmod(0o777)
    for path in folder.rglob("*"):
        path.chmod(0o777)
    (folder / "chat.db").chmod(database)


async def test_where_there_is_no_room_a_server_says_so_and_does_not_start(
    small_disk: Path,
) -> None:
    nobody = ServerProcess(":memory:")
    with full_disk(nobody, small_disk):
        story = await refused(small_disk / "chat.db")
    assert "check that its folder exists, has space" in story
