"""Uploads for tests: whole ones, and bytes on a socket; and looking at what is kept."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.server.raw import SOON, RawClient

FILES = "/public_api/v1/demo/files"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def kept(tmp_path: Path) -> list[Path]:
    """All files in the folder."""
    return [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


async def upload(
    client: httpx2.AsyncClient, name: str, content: bytes, kind: str = "", **fields: str
) -> httpx2.Response:
    kind = kind or "application/octet-stream"
    return await client.post(FILES, files={"file": (name, content, kind)}, data=fields)


async def sent(alice: RawClient, response: httpx2.Response) -> dict[str, Any]:
    """Send an uploaded file, and return its block as a message shows it."""
    assert response.status_code == 200, response.text
    content = [{"type": "file", "fileToken": response.json()["fileToken"]}]
    await alice.do("POST", "/conversations/lunch/messages", {"content": content})
    page = await alice.get("/me/conversations/lunch/messages", {"limit": 1})
    block: dict[str, Any] = page["data"][0]["content"][0]
    return block


FORM = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
END = b"\r\n--B--\r\n"


def head(*headers: str, user: str = "alice") -> bytes:
    lines = [
        f"POST {FILES} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer development:{user}",
        "Content-Type: multipart/form-data; boundary=B",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNKED = head("Transfer-Encoding: chunked")


@asynccontextmanager
async def spoken(url: str, said: bytes) -> AsyncGenerator["Raw"]:
    """A connection on which this was said."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


class Raw:
    """Bytes, and nothing in between."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def status(self) -> int:
        async with asyncio.timeout(SOON):
            return int((await self.reader.readline()).split()[1])

    async def answer(self) -> bytes:
        """The body of the answer, which has a length."""
        async with asyncio.timeout(SOON):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            return await self.reader.readexactly(int(head.split("content-length: ")[1].split()[0]))
