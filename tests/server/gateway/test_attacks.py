"""Bombs and tricks on a live server: whatever comes, it is answered or cut off, nobody else
notices, nothing is an error of ours, and nothing fills the log.

Not here: heads that trickle or do not end, clients that do not read (test_uvicorn.py), tokens
(tests/server/test_auth.py), too much of what is right (test_limits.py).
"""

import asyncio
import json
import re
import struct
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from websockets.asyncio.client import connect

from rtflow.server import Settings
from rtflow.wire import endpoints as table
from rtflow.wire.endpoints import AnyEndpoint, Kind
from tests.server.conftest import People
from tests.server.gateway.test_outsiders import GIVEN, HOLE
from tests.server.raw import SOON, Json, RawClient, dial

HANDSHAKE: Final = (
    "GET /public_api/v1/demo/realtime/alice HTTP/1.1\r\n"
    "Host: here\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@asynccontextmanager
async def spoken_to(
    url: str, *, extra: str = ""
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection that has asked for a websocket; what comes back is not read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    try:
        writer.write(f"{HANDSHAKE}{extra}\r\n".encode())
        yield reader, writer
    finally:
        writer.transport.abort()


def frame(first: int, payload: bytes = b"") -> bytes:
    """A frame of a client, masked with zeros; `first` is its first byte."""
    size = len(payload)
    assert size < 65536
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return bytes((first,)) + length + bytes(4) + payload


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """Read to the end of the connection."""
    async with asyncio.timeout(SOON):
        return await reader.read()


# What is no request

NO_REQUESTS: Final = {
    "words": "let me in\r\n\r\n",
    "tls": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "http 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "proxy": "CONNECT elsewhere:80 HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
    "bytes": "GET /\xff HTTP/1.1\r\nHost: here\r\n\r\n",
    "length": "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: -1\r\n\r\n",
    "upgrade": "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_REQUESTS.values(), ids=NO_REQUESTS)
async def test_what_is_no_request_is_refused_without_a_word_in_the_log(
    url: str, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    try:
        writer.write(sent.encode("latin-1"))
        async with asyncio.timeout(SOON):
            assert (await reader.readline()).startswith(b"HTTP/1.1 40")
    finally:
        writer.transport.abort()
    assert not caplog.records, "a scanner could fill the log"


# Compression


async def test_compression_is_offered_in_vain(url: str) -> None:
    address = f"{url.replace('http', 'ws', 1)}/public_api/v1/demo/realtime/alice"
    async with connect(address, compression="deflate") as socket:
        assert socket.request is not None
        assert "permessage-deflate" in socket.request.headers["Sec-WebSocket-Extensions"]
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_a_compressed_message_ends_the_connection_unread(
    url: str, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    (bob,) = await people("bob")
    bomb = zlib.compress(bytes(10_000_000), 9)[2:-4]
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    async with spoken_to(url, extra=offer) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(0xC1, bomb[:60_000]))
        assert (await all_of(reader))[:4] == b"\x88\x19\x03\xea"  # 1002, and why
    await bob.settle()
    assert not caplog.records


async def test_a_compressed_body_is_taken_as_it_is(url: str) -> None:
    body = zlib.compress(bytes(1_000_000), 9)
    headers = {
        "Authorization": "Bearer development:alice",
        "Content-Type": "multipart/form-data; boundary=B",
        "Content-Encoding": "deflate",
    }
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
        answer = await client.post("/public_api/v1/demo/files", content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_FORM")


# Frames


@pytest.mark.parametrize("piece", [b"", b"x"])
async def test_a_message_in_endless_fragments_is_cut_off(
    url: str, people: People, piece: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Empty ones have no size, and so no limit of size."""
    (bob,) = await people("bob")
    async with spoken_to(url) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(0x01, b"["))
        writer.write(frame(0x00, piece) * 20_000)
        assert b"too many fragments" in await all_of(reader)
    await bob.settle()
    assert not caplog.records


async def test_a_message_in_some_fragments_is_one_message(url: str) -> None:
    async with spoken_to(url) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        first, *rest = b'[7,"GET","/ping",{},{}]'
        writer.write(frame(0x01, bytes((first,))))
        writer.writelines(frame(0x00, bytes((byte,))) for byte in rest)
        writer.write(frame(0x80))
        async with asyncio.timeout(SOON):
            assert await reader.readexactly(12) == b"\x81\x0a[7,200,{}]"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(0x83), 1002),  # no such opcode
        (frame(0x80), 1002),  # a continuation of nothing
        (frame(0x89, bytes(200)), 1002),  # a ping that is too long
        (b"\x81\x05hello", 1002),  # not masked
        (frame(0x81, b"\xff\xfe"), 1007),  # not UTF-8
        (b"\x81\xff" + bytes((0x7F, *bytes(7))) + bytes(4), 1009),  # announces 2 ** 63
    ],
    ids=["opcode", "continuation", "ping", "bare", "utf-8", "huge"],
)
async def test_a_frame_against_the_protocol_ends_its_connection_only(
    url: str, people: People, sent: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    (bob,) = await people("bob")
    async with spoken_to(url) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        answer = await all_of(reader)
        assert answer[0] == 0x88
        assert int.from_bytes(answer[2:4]) == code
    await bob.settle()
    assert not caplog.records, "a scanner could fill the log"


class TestDeadline:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, authentication_timeout=0.3)

    async def test_half_a_frame_gives_nobody_more_time(self, url: str) -> None:
        async with spoken_to(url) as (reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(0x81, bytes(1000))[:-1])
            async with asyncio.timeout(SOON):
                assert (await reader.readexactly(4))[2:] == (1008).to_bytes(2)


async def test_a_handshake_with_very_many_headers_is_refused(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for extra in ("".join(f"X-{n}: x\r\n" for n in range(1000)), f"X: {'x' * 20_000}\r\n"):
        async with spoken_to(url, extra=extra) as (reader, _):
            assert re.match(rb"HTTP/1\.1 4\d\d ", await all_of(reader))
    assert not caplog.records


# JSON

DEEP: Final = 3_000
NASTY: Final = (  # JSON, or what is nearly JSON, in place of any value
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1e-999",
    "-0.0",
    "-1",
    "9" * 5_000,
    str(2**53),
    str(2**63),
    str(2**64),
    "0x10",
    "1.5",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    '"\\u202e\\ufeff\\uffff"',
    '"' + "x" * 100_000 + '"',
    '""',
    "null",
    "true",
    "[]",
    "{}",
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    "[" + "1," * 20_000 + "1]",
    '["' + '","'.join(map(str, range(20_000))) + '"]',
    '{"a":1,"a":2,"__proto__":{"a":1},"constructor":null}',
    "'x'",
    "/**/1",
    "",
)


def spoiled(value: Json) -> Iterator[str]:
    """Yield the JSON of `value` with each part of it, in turn, in the place of `@`."""
    yield "@"
    match value:
        case {**named}:
            for key in named:
                whole = json.dumps({**named, key: 0})
                for inner in spoiled(named[key]):
                    yield whole.replace(f'"{key}": 0', f'"{key}": {inner}', 1)
        case [first, *others]:
            rest = "".join(f", {json.dumps(it)}" for it in others)
            for inner in spoiled(first):
                yield f"[{inner}{rest}]"
        case _:
            pass


ASKED: Final = [it for it in table.ALL if it.kind is not Kind.SESSION]
IDS: Final = {"conversation": "lunch", "user": "alice", "message": "msg", "emoji": "👍"}


def given_to(endpoint: AnyEndpoint) -> Json:
    return json.loads(HOLE.sub(lambda hole: IDS[hole[1]], json.dumps(GIVEN[endpoint.params])))


@pytest.mark.parametrize("kind", sorted({it.params for it in ASKED}, key=str))
async def test_nasty_json_in_every_place_of_every_request_is_answered(
    people: People, kind: type, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", "/me/conversations/lunch/messages")
    seq = 1000
    endpoint = next(it for it in ASKED if it.params is kind)
    path = endpoint.path(*[IDS[name] for name in HOLE.findall(endpoint.name)])
    for place in spoiled(given_to(endpoint)):
        for nasty in NASTY:
            seq += 1
            data = place.replace("@", nasty)
            await alice.say_raw(f'[{seq},"{endpoint.method}","{path}",{data},{{}}]')
    await goes_on(alice, caplog)
    answers = [frame for frame in alice.heard if frame[1] != "PUBLISH" and frame[0] != 0]
    assert {answer[1] for answer in answers} <= {200, 400, 403, 404, 409}
    assert len(answers) >= len(NASTY)
    await bob.settle()
    json.dumps(bob.heard, allow_nan=False).encode()  # what it did is fit for everybody
    await bob.get("/me/conversations")


async def goes_on(client: RawClient, caplog: pytest.LogCaptureFixture) -> None:
    assert (await client.ask("GET", "/ping")).status == 200
    await client.get("/users", {"ids": ["bob"]})
    assert not caplog.records, "an error of ours"


# Ids

TRICKS: Final = (  # percent-encoded, as in a path
    "..",
    ".",
    "%2e%2e",
    "..%2F..%2Fetc%2Fpasswd",
    "%2F",
    "%5C..%5C",
    "%00",
    "lunch%00",
    "lunch%2F",
    "lunch%20",
    "%20lunch",
    "LUNCH",
    "%EF%BD%8Cunch",  # a wide l: the same in NFKC
    "cafe%CC%81",  # the same as caf%C3%A9 in NFC
    "%",
    "%zz",
    "%u0041",
    "%ED%A0%80",  # a lone surrogate
    "%C0%AF",  # a slash, overlong
    "%F4%90%80%80",  # beyond Unicode
    "%E2%80%AE",
    "%FF",
    "x" * 256,
    "%F0%9F%91%8D" * 255,
    "%F0%9F%91%8D" * 256,
    "lunch'%20OR%20'1'%3D'1",
    "lunch%25",
    "*",
    "lunch?x=1",
    "lunch#x",
    "",
)


async def test_no_id_of_any_request_leads_elsewhere(
    people: People, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever an id stands: what is not the very same id is another one, or none."""
    alice, eve = await people("alice", "eve")
    await alice.found("lunch")
    await alice.found("café")
    message = await alice.send("lunch", "a secret")
    await alice.send("café", "a secret")
    await eve.found("mine")
    ids = {**IDS, "conversation": "mine", "message": message}
    for endpoint in ASKED:
        names = HOLE.findall(endpoint.name)
        for index, name in enumerate(names):
            for trick in TRICKS:
                holes = [trick if i == index else ids[it] for i, it in enumerate(names)]
                parts = iter(holes)
                path = "".join(
                    "/" + (next(parts) if part is None else part) for part in endpoint.template
                )
                answer = await eve.ask(endpoint.method, path, given_to(endpoint))
                assert answer.status in (200, 400, 403, 404, 405, 409), (endpoint, name, trick)
                assert "a secret" not in str(answer), (endpoint, name, trick)
    await goes_on(eve, caplog)
    assert "a secret" not in str(eve.heard)
    page = await alice.get("/me/conversations/lunch/messages")
    assert [it["content"][0]["children"] for it in page["data"]] == [["a secret"]]


HERE: Final = "/public_api/v1/demo/files"


@pytest.mark.parametrize(
    "path",
    [
        f"{HERE}/..%2F..%2F..%2Fetc%2Fpasswd/passwd",
        f"{HERE}/%2e%2e/%2e%2e/etc/passwd",
        f"{HERE}/../../../../etc/passwd",
        f"{HERE}/file_%00/x",
        f"{HERE}/{'x' * 20_000}/x",
        f"{HERE}//x",
        "/api/v0/demo/bokens/..%2F..",
        "/api/v0/demo/bokens/%ff",
        "/api/v0/..%2Fdemo",
        "/api/v0/demo%00",
        "//api/v0/demo",
        "/public_api/v1/demo/me/../files/x/x",
        "http://elsewhere.example.org/etc/passwd",
        "*",
    ],
)
async def test_no_path_of_http_leads_elsewhere(
    url: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By hand: HTTP clients tidy paths up before they send them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
    answer = await all_of(reader)
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    assert status in (200, 400, 404, 405, 431), answer
    assert b"root:" not in answer
    if status == 200:  # somebody of that name: any name is one
        assert path.startswith("/api/v0/demo/bokens/")
    assert not caplog.records


async def test_ids_that_look_the_same_are_different(people: People) -> None:
    alice, eve = await people("alice", "eve")
    await alice.found("lunch")
    for alias in ("LUNCH", "lunch%20", "lunch%00", "%EF%BD%8Cunch"):
        assert (await eve.ask("GET", f"/me/conversations/{alias}")).status == 404
        await eve.found(alias)
        assert (await alice.ask("GET", f"/me/conversations/{alias}")).status == 404
    names = ["café", "cafe\u0301", "CAFÉ", "café\0", "café "]
    for name in names:
        await alice.do("POST", f"/users/{quote(name)}", {"name": repr(name)})
    found = await alice.get("/users", {"ids": names})
    assert {name: user["name"] for name, user in found.items()} == {it: repr(it) for it in names}


async def test_a_handshake_for_a_trick_is_refused_or_is_somebody(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with dial(url, "..") as somebody:
        assert (await somebody.ask("GET", "/ping")).status == 200
    for user in ("%ff", "%ED%A0%80", "a/b", "x" * 256):
        async with spoken_to(url) as (_, writer):
            writer.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write((HANDSHAKE.replace("alice", user) + "\r\n").encode())
        async with asyncio.timeout(SOON):
            assert re.match(rb"HTTP/1\.1 4\d\d ", await reader.readline())
        writer.transport.abort()
    assert not caplog.records
