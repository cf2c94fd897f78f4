"""Downloads: how what people upload is served, so that it can do no harm."""

import shutil
from pathlib import Path

import pytest

from rtflow.server import Settings
from rtflow.server.http import downloads
from rtflow.testing import until
from tests.server.http.conftest import Login
from tests.server.http.uploading import FILES, PNG, kept, sent, spoken, upload
from tests.server.raw import RawClient


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database=str(tmp_path / "chat.db"), port=0, files=tmp_path / "files")


@pytest.mark.parametrize(
    ("name", "content", "declared", "shown_as"),
    [
        ("a.png", PNG, "text/html", "image/png"),
        ("a.html", b"<script>alert(1)</script>", "text/html", None),
        ("a.png", b"<script>alert(1)</script>", "image/png", None),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", None),
        ("a.pdf", b"%PDF-1.7", "application/pdf", None),
        ("a.js", b"alert(1)", "text/javascript", None),
        ("a", b"OggS1234", "", "audio/ogg"),
    ],
)
async def test_only_what_cannot_do_harm_is_shown_in_place(
    alice: RawClient, login: Login, name: str, content: bytes, declared: str, shown_as: str | None
) -> None:
    block = await sent(alice, await upload(login("alice"), name, content, declared))
    fetched = await login("").get(block["url"], headers={"Origin": "http://page"})
    headers = fetched.headers
    assert headers["content-type"] == (shown_as or "application/octet-stream")
    how = "inline" if shown_as else "attachment"
    assert headers["content-disposition"] == f'{how}; filename="{name}"'
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert "immutable" in headers["cache-control"]
    assert headers["access-control-allow-origin"] == "*"


async def test_a_range_of_a_file_can_be_fetched(alice: RawClient, login: Login) -> None:
    block = await sent(alice, await upload(login("alice"), "film.mp4", b"0123456789"))
    client = login("")
    part = await client.get(block["url"], headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    tag = (await client.head(block["url"])).headers["etag"]
    same = await client.get(block["url"], headers={"Range": "bytes=-3", "If-Range": tag})
    assert (same.status_code, same.content) == (206, b"789")
    beyond = await client.get(block["url"], headers={"Range": "bytes=20-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize("path", ["file_0/a", "..%2f..%2fchat.db/a", "%00/a", "x" * 2000 + "/a"])
async def test_what_is_not_there_is_not_found(login: Login, path: str) -> None:
    response = await login("").get(f"{FILES}/{path}", headers={"Origin": "http://page"})
    assert response.status_code == 404
    assert response.json()["errorCode"] in ("FILE_NOT_FOUND", "UNKNOWN_PATH")
    assert response.headers["access-control-allow-origin"] == "*"


async def test_a_file_that_somebody_has_removed_by_hand_is_not_found(
    alice: RawClient, login: Login, tmp_path: Path
) -> None:
    block = await sent(alice, await upload(login("alice"), "a", b"x"))
    kept(tmp_path)[0].unlink()
    response = await login("").get(block["url"])
    assert (response.status_code, response.json()["errorCode"]) == (404, "FILE_NOT_FOUND")


async def test_a_fault_is_told_to_pages_of_other_origins_and_logged_without_the_address(
    alice: RawClient, login: Login, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    response = await upload(login("alice"), "a", b"x")
    block = await sent(alice, response)
    shard = kept(tmp_path)[0].parent
    shutil.rmtree(shard)
    shard.touch()  # what should be a folder is a file: no request can expect that
    response = await login("").get(block["url"], headers={"Origin": "http://page"})
    assert (response.status_code, response.json()["errorCode"]) == (500, "INTERNAL")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "a request failed" in caplog.text
    assert block["fileToken"] not in caplog.text


class TestALargeFile:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0)

    async def test_a_client_that_does_not_read_it_is_given_up(
        self,
        url: str,
        login: Login,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        size = 16_000_000
        response = await upload(login("alice"), "a", b"x" * size)
        monkeypatch.setattr(downloads, "STANDSTILL", 0.1)
        path = f"{FILES}/{response.json()['fileToken']}/a"
        async with spoken(url, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) as raw:
            # the reader takes 128 KiB and then leaves the rest where it is
            await until(lambda: "without completing response" in caplog.text, timeout=30)
            assert len(await raw.reader.read()) < size
