"""Uploads: what comes in, what is refused, and what is left behind of it."""

import asyncio
import hashlib
import resource
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from rtflow.server import Settings, mint_token, running
from rtflow.server.http import uploads
from tests.server.conftest import People
from tests.server.http.conftest import Login
from tests.server.http.test_routes import asked_from
from tests.server.http.uploading import (
    CHUNKED,
    END,
    FILES,
    FORM,
    PNG,
    chunk,
    head,
    kept,
    sent,
    spoken,
    upload,
)
from tests.server.raw import SOON, RawClient

MOST = 100_000  # bytes of a file, here


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database=str(tmp_path / "chat.db"),
        port=0,
        files=tmp_path / "files",
        max_file_bytes=MOST,
        max_uploads_per_user=2,
    )


# The way of a file


async def test_a_file_is_uploaded_sent_and_fetched(
    alice: RawClient, login: Login, url: str, tmp_path: Path
) -> None:
    fields = {"subtype": "image", "width": "3", "height": "4.4"}
    response = await upload(login("alice"), "é pic.png", PNG, "image/png", **fields)
    block = await sent(alice, response)
    token = response.json()["fileToken"]
    address = f"{url}{FILES}/{token}/%C3%A9%20pic.png"
    assert block == {
        "type": "file",
        "fileToken": token,
        "url": address,
        "size": len(PNG),
        "filename": "é pic.png",
        "subtype": "image",
        "width": 3,
        "height": 4,
    }
    fetched = await login("").get(address)
    assert (fetched.status_code, fetched.content) == (200, PNG)
    assert fetched.headers["content-type"] == "image/png"
    assert fetched.headers["content-disposition"] == "inline; filename*=utf-8''%C3%A9%20pic.png"
    assert [path.name for path in kept(tmp_path)] == [hashlib.sha256(PNG).hexdigest()]


async def test_before_an_upload_one_may_ask(alice: RawClient) -> None:
    params = {"filename": "a.png", "filesize": MOST}
    assert await alice.do("POST", "/files/validate", params) == {}
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"filesize": MOST + 1}, "FILE_TOO_LARGE"),
        ({"filename": "x" * 256}, "FILENAME_TOO_LONG"),
        ({"filename": ""}, "INVALID_PARAMETERS"),
        ({"filesize": -1}, "INVALID_PARAMETERS"),
    ]
    for wrong, code in wrongs:
        answer = await alice.ask("POST", "/files/validate", {**params, **wrong})
        assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * MOST])
async def test_a_file_of_any_size_up_to_the_limit(
    alice: RawClient, login: Login, content: bytes
) -> None:
    block = await sent(alice, await upload(login("alice"), "a", content))
    assert block["size"] == len(content)
    assert "subtype" not in block
    assert (await login("").get(block["url"])).content == content


async def test_the_same_upload_twice_is_two_tokens_and_one_content(
    alice: RawClient, login: Login, tmp_path: Path
) -> None:
    client = login("alice")
    both = await asyncio.gather(*[upload(client, "a", b"same") for _ in range(2)])
    first, second = [await sent(alice, response) for response in both]
    assert first["fileToken"] != second["fileToken"]
    assert len(kept(tmp_path)) == 1
    assert (await client.get(first["url"])).content == (await client.get(second["url"])).content


async def test_a_file_survives_a_restart(settings: Settings, tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer development:alice"}
    async with running(settings) as address, httpx2.AsyncClient() as client:
        url = f"{address.url}{FILES}"
        response = await client.post(url, files={"file": ("a", b"kept")}, headers=headers)
    async with running(settings) as address, httpx2.AsyncClient() as client:
        token = response.json()["fileToken"]
        assert (await client.get(f"{address.url}{FILES}/{token}/a")).content == b"kept"


def inside(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_files_of_a_database_in_memory_go_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    headers = {"Authorization": "Bearer development:alice"}
    async with running(Settings(database=":memory:", port=0)) as address:
        async with httpx2.AsyncClient(headers=headers) as client:
            files = {"file": ("a", b"x")}
            assert (await client.post(f"{address.url}{FILES}", files=files)).status_code == 200
        assert len(inside(tmp_path)) == 1
    assert inside(tmp_path) == []


# Uploads that lie


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"subtype": "picture"}, "INVALID_SUBTYPE"),
        ({"subtype": "video"}, "SUBTYPE_MISMATCH"),
        ({"width": "-1"}, "INVALID_NUMBER"),
        ({"width": "1e3"}, "INVALID_NUMBER"),
        ({"width": "100001"}, "INVALID_NUMBER"),
        ({"height": "nan"}, "INVALID_NUMBER"),
        ({"height": ""}, "INVALID_NUMBER"),
        ({"duration": "inf"}, "INVALID_NUMBER"),
        ({"duration": "\u0663"}, "INVALID_NUMBER"),
        ({"duration": "9" * 400}, "INVALID_NUMBER"),
        ({"other": "x" * 1001}, "INVALID_FORM"),
    ],
)
async def test_what_it_says_of_itself_is_checked(
    login: Login, tmp_path: Path, fields: dict[str, str], code: str
) -> None:
    response = await upload(login("alice"), "pic.png", PNG, "image/png", **fields)
    assert (response.status_code, response.json()["errorCode"]) == (400, code)
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\x.exe", "x.exe"),
        ("a\u202etxt.exe", "atxt.exe"),
        ('"><script>.png', "___script_.png"),
        ("nul", "_nul"),
        ("..", "file"),
    ],
)
async def test_a_name_is_no_path(
    alice: RawClient, login: Login, tmp_path: Path, name: str, safe: str
) -> None:
    block = await sent(alice, await upload(login("alice"), name, b"x"))
    assert block["filename"] == safe
    assert [path.name for path in kept(tmp_path)] == [hashlib.sha256(b"x").hexdigest()]
    fetched = await login("").get(block["url"])
    assert fetched.headers["content-disposition"] == f'attachment; filename="{safe}"'


async def test_a_name_that_is_too_long_is_refused(login: Login, tmp_path: Path) -> None:
    response = await upload(login("alice"), "x" * 256, b"x")
    assert (response.status_code, response.json()["errorCode"]) == (400, "FILENAME_TOO_LONG")
    assert kept(tmp_path) == []


async def test_a_file_that_is_too_large_is_refused_and_nothing_is_left(
    login: Login, tmp_path: Path
) -> None:
    response = await upload(login("alice"), "a", b"x" * (MOST + 1))
    assert (response.status_code, response.json()["errorCode"]) == (413, "FILE_TOO_LARGE")
    assert kept(tmp_path) == []


async def until_nothing_is_left(tmp_path: Path, client: httpx2.AsyncClient) -> None:
    """The server notices after the client has gone, so look more than once."""
    async with asyncio.timeout(SOON):
        while kept(tmp_path):
            await client.get("/healthz")


async def test_an_upload_is_cut_off_as_soon_as_it_is_too_large(url: str, tmp_path: Path) -> None:
    async with spoken(url, CHUNKED + chunk(FORM)) as raw:
        answer = asyncio.create_task(raw.status())
        while not answer.done():  # it never ends by itself
            raw.writer.write(chunk(b"x" * 50_000))
            await raw.writer.drain()
            await asyncio.wait({answer}, timeout=0.001)
        assert answer.result() == 413
    assert kept(tmp_path) == []


async def test_an_upload_that_announces_too_much_is_not_even_read(url: str) -> None:
    for length in (MOST * 2, 10**30):
        async with spoken(url, head(f"Content-Length: {length}")) as raw:
            assert await raw.status() in (400, 413)


async def test_an_upload_that_announces_less_than_it_sends_ends_there(
    url: str, tmp_path: Path
) -> None:
    body = FORM + b"x" * 1000 + END
    async with spoken(url, head("Content-Length: 500") + body) as raw:
        assert await raw.status() == 400
    assert kept(tmp_path) == []


@pytest.mark.parametrize("said", [head("Content-Length: 90000") + FORM, CHUNKED + chunk(FORM)])
async def test_of_an_upload_that_breaks_off_nothing_is_left(
    url: str, login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(uploads, "PIECE", 1000)
    more = b"x" * 5000 if b"Length" in said else chunk(b"x" * 5000)
    async with spoken(url, said + more):
        async with asyncio.timeout(SOON):
            while not kept(tmp_path):
                await login("").get("/healthz")
    await until_nothing_is_left(tmp_path, login(""))


@pytest.mark.parametrize("said", [FORM, FORM + b"x" * 50_000, FORM + b"x" + END[:-5]])
async def test_an_upload_that_ends_too_early_is_refused(
    url: str, tmp_path: Path, said: bytes
) -> None:
    async with spoken(url, CHUNKED + chunk(said) + chunk(b"")) as raw:
        assert await raw.status() == 400
    assert kept(tmp_path) == []


async def test_much_beside_the_file_is_refused(url: str, tmp_path: Path) -> None:
    padding = b"\r\n" * 50_000
    for body in (padding + FORM + b"x" + END, FORM + b"x" + END + padding * 2):
        async with spoken(url, head(f"Content-Length: {len(body)}") + body) as raw:
            assert await raw.status() in (400, 413)
    assert kept(tmp_path) == []


async def test_it_does_not_matter_in_which_pieces_a_file_comes(
    url: str, alice: RawClient, login: Login
) -> None:
    pieces = [FORM + PNG[:1], *(PNG[n : n + 1] for n in range(1, 20)), PNG[20:] + END, b""]
    async with spoken(url, CHUNKED) as raw:
        for piece in pieces:
            raw.writer.write(chunk(piece))
            await login("").get("/healthz")
        body = await raw.answer()
    block = await sent(alice, httpx2.Response(200, content=body))
    fetched = await login("").get(httpx2.URL(block["url"]).path)
    assert (fetched.headers["content-type"], fetched.content) == ("image/png", PNG)


# Slow, many, and without a disk


class TestSlowUploads:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return Settings(
            database=str(tmp_path / "c.db"), port=0, files=tmp_path / "files", upload_timeout=0.2
        )

    async def test_an_upload_has_a_deadline(self, url: str, tmp_path: Path) -> None:
        async with spoken(url, CHUNKED + chunk(FORM + b"x")) as raw:
            assert await raw.status() == 408
        assert kept(tmp_path) == []


async def test_an_upload_that_stands_still_is_given_up(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "STANDSTILL", 0.1)
    async with spoken(url, CHUNKED + chunk(FORM + b"x")) as raw:
        assert await raw.status() == 408
    assert kept(tmp_path) == []


async def test_a_user_has_so_many_uploads_at_once(url: str, login: Login) -> None:
    async with spoken(url, CHUNKED), spoken(url, CHUNKED):
        async with asyncio.timeout(SOON):
            while (await upload(login("alice"), "a", b"x")).status_code == 200:
                pass  # those have not begun
        refused = await upload(login("alice"), "a", b"x")
        assert (refused.status_code, refused.json()["errorCode"]) == (429, "TOO_MANY_AT_ONCE")
        assert (await upload(login("bob"), "a", b"x")).status_code == 200
    async with asyncio.timeout(SOON):
        while (await upload(login("alice"), "a", b"x")).status_code == 429:
            pass  # the server has not noticed that they are gone


@contextmanager
def full_disk(most: int) -> Generator[None]:
    """Let no file grow beyond that."""
    old, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (old, hard))


async def test_a_full_disk_is_said_and_leaves_nothing(
    login: Login, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with full_disk(1000):
        responses = [await upload(login("alice"), "a", b"x" * 2000) for _ in range(3)]
    for response in responses:
        assert (response.status_code, response.json()["errorCode"]) == (500, "STORAGE_UNAVAILABLE")
    assert caplog.text.count("uploads cannot be stored") == 1
    assert kept(tmp_path) == []
    assert (await upload(login("alice"), "a", b"x" * 2000)).status_code == 200


# Who may upload


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer nonsense"])
async def test_without_a_token_nothing_is_read(url: str, tmp_path: Path, token: str) -> None:
    said = CHUNKED.replace(b"Bearer development:alice", token.encode())
    async with spoken(url, said) as raw:
        assert await raw.status() == 401
    assert kept(tmp_path) == []


async def test_other_apps_and_other_machines_are_refused(login: Login) -> None:
    response = await login("alice").post(FILES.replace("demo", "other"), files={"file": b"x"})
    assert (response.status_code, response.json()["errorCode"]) == (404, "UNKNOWN_APP")
    assert await asked_from("10.0.0.1", f"{FILES}/token/a") == 403
    assert await asked_from("127.0.0.1", f"{FILES}/token/a") == 404


class TestWithASecret:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:",
            port=0,
            secret=SecretStr("x" * 32),
            public_url="https://chat.example.org/here/",
        )

    async def test_links_begin_with_the_public_url(self, people: People, login: Login) -> None:
        token = mint_token("demo", "alice", "x" * 32)
        (alice,) = await people("alice", token=token)
        await alice.found("lunch")
        client = login("")
        client.headers["Authorization"] = f"Bearer {token}"
        response = await upload(client, "a", b"x")
        block = await sent(alice, response)
        path = f"{FILES}/{response.json()['fileToken']}/a"
        assert block["url"] == f"https://chat.example.org/here{path}"
        assert (await login("").get(path)).content == b"x", "an address needs no token"


@pytest.mark.parametrize("host", ["evil.example/x?", "a b", "[::1", "x" * 300, "user@evil"])
async def test_a_host_that_is_no_name_makes_no_link(login: Login, host: str) -> None:
    files = {"file": ("a", b"x")}
    response = await login("alice").post(FILES, files=files, headers={"Host": host})
    assert (response.status_code, response.json()["errorCode"]) == (400, "INVALID_HOST")


async def test_a_slow_upload_takes_no_memory_and_holds_nobody_up(
    url: str, login: Login, tmp_path: Path
) -> None:
    """While one is under way others are served, and it is whole in the end."""
    async with spoken(url, CHUNKED + chunk(FORM)) as raw:
        for _ in range(10):
            raw.writer.write(chunk(b"y" * 1000))
            await raw.writer.drain()
            assert (await upload(login("bob"), "b", b"x")).status_code == 200
        raw.writer.write(chunk(END) + chunk(b""))
        assert await raw.status() == 200
    names = {path.name for path in kept(tmp_path)}
    assert hashlib.sha256(b"y" * 10_000).hexdigest() in names
