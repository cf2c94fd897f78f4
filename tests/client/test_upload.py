"""Uploading a file: what travels, what is refused, and what is tried again."""

import asyncio
import io
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

import rtflow
from rtflow.client.refs.files import PIECE, form
from rtflow.errors import BadRequest
from rtflow.wire.endpoints import VALIDATE_FILE, Done
from rtflow.wire.server import Call
from tests.client.http_peer import Asked, answer, cut
from tests.client.place import Place

TOKEN = '{"fileToken":"a file"}'


def parts(asked: Asked) -> dict[str, Message]:
    """The parts of a form, by name."""
    head = f"content-type: {asked.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser().parsebytes(head + asked.body)
    assert form.is_multipart()
    named: dict[str, Message] = {}
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            named[name] = part
    return named


def content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def validated(place: Place) -> list[tuple[str, int]]:
    calls = place.scripted.last.asked(VALIDATE_FILE)
    return [(call.params.filename, call.params.filesize) for call in calls]


# What travels


async def test_bytes_are_uploaded_under_a_name(place: Place) -> None:
    place.answers(answer(TOKEN))
    async with place.session() as session:
        assert await session.upload(b"some bytes", filename="a.png") == "a file"
    assert validated(place) == [("a.png", 10)]
    (asked,) = place.http.asked
    assert (asked.method, asked.target, asked.token) == ("POST", "/demo/files", "a token")
    assert len(asked.body) == int(asked.headers["content-length"])
    (file,) = parts(asked).values()
    assert (file.get_filename(), file.get_content_type()) == ("a.png", "image/png")
    assert content(file) == b"some bytes"


async def test_what_is_known_of_a_file_goes_with_it(place: Place) -> None:
    place.answers(answer(TOKEN))
    async with place.session() as session:
        await session.upload(
            b"x", filename="x", subtype="video", width=640, height=480, duration=1.5
        )
    found = parts(place.http.asked[0])
    assert [*found] == ["subtype", "width", "height", "duration", "file"]
    assert [content(found[name]) for name in [*found][:4]] == [b"video", b"640", b"480", b"1.5"]
    assert found["file"].get_content_type() == "application/octet-stream"


async def test_a_path_is_read_from_disk_under_its_own_name(place: Place, tmp_path: Path) -> None:
    place.answers(answer(TOKEN))
    path = tmp_path / "report.pdf"
    written = bytes(range(256)) * 4_000
    path.write_bytes(written)
    async with place.session() as session:
        await session.upload(path)
        await session.upload(path, filename="other.pdf")
    assert validated(place) == [("report.pdf", len(written)), ("other.pdf", len(written))]
    first, second = (parts(asked)["file"] for asked in place.http.asked)
    assert (first.get_filename(), second.get_filename()) == ("report.pdf", "other.pdf")
    assert content(first) == content(second) == written


async def test_a_file_is_read_from_where_it_stands_and_left_open(
    place: Place, tmp_path: Path
) -> None:
    place.answers(answer(TOKEN))
    path = tmp_path / "a.txt"
    path.write_bytes(b"head and tail")
    async with place.session() as session:
        with path.open("rb") as file:
            file.seek(9)
            await session.upload(file)
            assert not file.closed
        nameless = io.BytesIO(b"more")
        await session.upload(nameless, filename="b.txt")
    assert validated(place) == [("a.txt", 4), ("b.txt", 4)]
    assert [content(parts(asked)["file"]) for asked in place.http.asked] == [b"tail", b"more"]


@pytest.mark.parametrize(
    "name", ['a"b.png', "a\r\nb: c.png", "é 你 😀.png", "../../etc/passwd", "a/b\\c", "%22;x=y"]
)
async def test_no_name_breaks_out_of_the_form(place: Place, name: str) -> None:
    place.answers(answer(TOKEN))
    async with place.session() as session:
        await session.upload(b"x", filename=name)
    assert validated(place) == [(name, 1)]
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    (asked,) = place.http.asked
    assert f'filename="{escaped}"\r\n'.encode() in asked.body
    assert [*parts(asked)] == ["file"]


async def test_a_file_is_never_held_as_a_whole() -> None:
    body = form(io.BytesIO(b"x" * 1_000_000), 0, 1_000_000, "x", {})
    sizes = [len(piece) async for piece in body.pieces()]
    assert max(sizes) <= PIECE
    assert sum(sizes) == body.size


async def test_an_empty_file_is_a_file(place: Place) -> None:
    place.answers(answer(TOKEN))
    async with place.session() as session:
        await session.upload(b"", filename="empty")
    assert content(parts(place.http.asked[0])["file"]) == b""


# What is refused


async def test_what_the_server_does_not_take_is_not_uploaded(place: Place) -> None:
    place.scripted.answers[VALIDATE_FILE] = BadRequest("FILE_TOO_LARGE", "at most 1 byte")
    async with place.session() as session:
        with pytest.raises(rtflow.BadRequest, match="FILE_TOO_LARGE"):
            await session.upload(b"xx", filename="x")
    assert place.targets == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, rtflow.BadRequest),
        (413, rtflow.RequestRefused),
        (403, rtflow.Forbidden),
        (401, rtflow.Unauthorized),
        (301, rtflow.ProtocolError),
    ],
)
async def test_a_refusal_is_final(place: Place, status: int, kind: type[Exception]) -> None:
    place.answers(answer('{"errorCode":"NO","reasons":["why"]}', status, "location: /x"))
    async with place.session() as session:
        with pytest.raises(kind):
            await session.upload(b"x", filename="x")
    assert len(place.targets) == 1


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"fileToken":7}', "<html>"])
async def test_an_answer_without_a_token_is_a_fault_of_the_server(place: Place, body: str) -> None:
    place.answers(answer(body))
    async with place.session() as session:
        with pytest.raises(rtflow.ProtocolError, match="not answered with a file token"):
            await session.upload(b"x", filename="x")


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [  # arguments of all types
    ({"data": b"x"}, ValueError, "pass filename="),
    ({"data": io.BytesIO(b"x")}, ValueError, "pass filename="),
    ({"data": "a/path"}, TypeError, "not str"),
    ({"data": None}, TypeError, "not NoneType"),
    ({"data": io.StringIO("x"), "filename": "x"}, TypeError, "not StringIO"),
    ({"data": b"x", "filename": ""}, ValueError, "length >= 1"),
    ({"data": b"x", "filename": 7}, TypeError, "filename"),
    ({"data": b"x", "filename": "\ud800"}, ValueError, "surrogates"),
    ({"data": b"x", "filename": "x", "subtype": "pdf"}, ValueError, "subtype is one of"),
    ({"data": b"x", "filename": "x", "width": 1.5}, TypeError, "width is a number"),
    ({"data": b"x", "filename": "x", "height": True}, TypeError, "height is a number"),
    ({"data": b"x", "filename": "x", "width": -1}, ValueError, "width is not negative"),
    ({"data": b"x", "filename": "x", "duration": float("nan")}, ValueError, "finite"),
    ({"data": Path("/no/such/file")}, FileNotFoundError, "no/such"),
]


@pytest.mark.parametrize(("arguments", "kind", "hint"), WRONG)
async def test_wrong_arguments_are_refused_at_the_call(
    place: Place, arguments: dict[str, Any], kind: type[Exception], hint: str
) -> None:
    async with place.session() as session:
        with pytest.raises(kind, match=hint):
            await session.upload(**arguments)
    assert place.targets == []
    assert place.scripted.peers == []


async def test_a_file_that_becomes_shorter_is_not_sent_as_if_it_had_not(
    place: Place, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)

    def shorten(call: Call) -> Done:
        path.write_bytes(b"x")
        return Done()

    place.scripted.answers[VALIDATE_FILE] = shorten
    place.answers(answer(TOKEN))
    async with place.session() as session:
        with pytest.raises(ValueError, match="became shorter"):
            await session.upload(path)
    assert place.targets == []


# What is tried again


async def test_trouble_of_the_server_is_tried_once_more_from_the_start(place: Place) -> None:
    place.answers(answer("{}", 500), answer(TOKEN))
    async with place.session() as session:
        assert await session.upload(b"some bytes", filename="x") == "a file"
    assert [content(parts(it)["file"]) for it in place.http.asked] == [b"some bytes"] * 2


async def test_a_cut_connection_is_tried_once_more(place: Place) -> None:
    place.answers(cut, answer(TOKEN), cut)
    async with place.session() as session:
        assert await session.upload(b"x", filename="x") == "a file"
        with pytest.raises(rtflow.OutcomeUnknown, match="POST /files"):
            await session.upload(b"x", filename="x")
    assert len(place.targets) == 4


async def test_a_token_that_is_refused_is_replaced_once(place: Place) -> None:
    tokens = iter(range(100))
    place.answers(answer("{}", 401), answer(TOKEN))
    async with place.session(lambda: f"token {next(tokens)}") as session:
        await session.upload(b"x", filename="x")
    assert [it.token for it in place.http.asked] == ["token 0", "token 1"]


async def test_a_server_that_stops_reading_is_not_waited_for(place: Place) -> None:
    place.http.is_deaf = True
    async with place.session(request_timeout=0.3) as session:
        with pytest.raises(rtflow.RequestTimedOut, match="POST /files"):
            await session.upload(bytes(20_000_000), filename="x")


async def test_the_end_of_the_session_ends_an_upload(place: Place) -> None:
    async def never(asked: object, writer: object) -> None:
        await asyncio.Event().wait()

    place.answers(never)

    async def upload(session: rtflow.Session) -> None:
        with pytest.raises(rtflow.SessionClosed):
            await session.upload(b"x", filename="x")

    async with asyncio.TaskGroup() as tasks, place.session() as session:
        tasks.create_task(upload(session))
        await place.http.until(lambda: len(place.targets) == 1)
    await place.http.until(lambda: place.http.open == 0)


async def test_a_cancelled_upload_leaves_nothing(place: Place) -> None:
    async def never(asked: object, writer: object) -> None:
        await asyncio.Event().wait()

    place.answers(never)
    async with place.session() as session:
        async with asyncio.TaskGroup() as tasks:
            upload = tasks.create_task(session.upload(b"x", filename="x"))
            await place.http.until(lambda: len(place.targets) == 1)
            upload.cancel()
        await place.http.until(lambda: place.http.open == 0)
