"""Files: names that lead nowhere, types told by bytes, who may send what, what is garbage."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtflow.model.content import FileBlock, SendFileBlock
from rtflow.model.params import SendMessage, ValidateFile
from rtflow.server.domain.filenames import MAX_NAME, harmless
from rtflow.server.domain.files import (
    DAY,
    Stored,
    add_file,
    collect_files,
    file_block,
    file_by_token,
    hold_files,
    known_contents,
    release_files,
    validate_file,
)
from rtflow.server.domain.media import BYTES, HEAD, can_be, media_type_of
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.sending import send_message
from rtflow.server.store.interface import Outcome, Steps
from tests.server.domain.world import World, refused, text

# Names


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("pic.png", "pic.png"),
        ("a b (1).tar.gz", "a b (1).tar.gz"),
        ("été 東京 👩\u200d👩\u200d👧.txt", "été 東京 👩\u200d👩\u200d👧.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\me\\cv.pdf", "cv.pdf"),
        ("/", "file"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        (" . ", "file"),
        ("\0", "file"),
        (".htaccess", "htaccess"),
        ("a\0b\r\n\tc\x7f.txt", "abc.txt"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("\u2066a\u2069\ufeff\u200b.txt", "a.txt"),
        ("a\u2028b.txt", "ab.txt"),
        ("\ud800.txt", "txt"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("LPT1.png", "_LPT1.png"),
        ("console.txt", "console.txt"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("name.exe. . .", "name.exe"),
        ("e\u0301.txt", "é.txt"),
    ],
)
def test_a_name_leads_nowhere(name: str, safe: str) -> None:
    assert harmless(name) == safe


@given(st.text(max_size=400) | st.text('./\\:"con\0\u202e\ud800e\u0301 ', max_size=400))
def test_whatever_it_was_a_name_is_one_part_of_a_path_that_can_be_seen(name: str) -> None:
    safe = harmless(name)
    assert 1 <= len(safe) <= MAX_NAME
    assert safe.encode().decode() == safe
    assert not set(safe) & set('/\\<>:"|?*\0\r\n\u202e')
    assert safe == safe.strip(" .")
    assert harmless(safe) == safe


def validated(filename: str, size: int = 0, **rules: Any) -> None:
    params = ValidateFile(filename=filename, filesize=size)
    World().ask(lambda: validate_file(params, Rules(**rules)))


def test_a_file_is_refused_before_it_is_sent() -> None:
    validated("x" * 251 + ".png", 100, max_file_bytes=100)
    with refused("400 FILENAME_TOO_LONG"):
        validated("x" * 252 + ".png")
    with refused("400 FILE_TOO_LARGE"):
        validated("a.png", 101, max_file_bytes=100)
    png = frozenset({"png"})
    validated("a.b.PNG", file_types=png)
    for name in ("a.exe", "png", "a.png.exe", "a.png\0.exe", "a.png/b"):
        with refused("400 FILE_TYPE_NOT_ALLOWED"):
            validated(name, file_types=png)


# Types


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF....WEBP", "image/webp"),
        (b"RIFF....WAVE", "audio/wav"),
        (b"RIFF....AVI ", BYTES),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\0\0\0\x18ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"\0\0\0\x18ftypevil", BYTES),
        (b"OggS", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"<html><script>", BYTES),
        (b"<svg xmlns=", BYTES),
        (b"<?xml version", BYTES),
        (b"%PDF-1.7", BYTES),
        (b"", BYTES),
        (b"not really a png", BYTES),
    ],
)
def test_a_type_is_told_by_bytes(head: bytes, media_type: str) -> None:
    assert media_type_of(head) == media_type


@given(st.binary(max_size=HEAD))
def test_whatever_begins_a_file_nothing_that_runs_is_shown(head: bytes) -> None:
    kind, _, rest = media_type_of(head).partition("/")
    assert kind in ("image", "audio", "video") or media_type_of(head) == BYTES
    assert "xml" not in rest
    assert "html" not in rest


@pytest.mark.parametrize(
    ("subtype", "declared", "name", "media_type", "fits"),
    [
        ("image", "image/png", "a", BYTES, True),
        ("image", BYTES, "a.PNG", BYTES, True),
        ("image", "", "a", "image/png", True),
        ("image", "application/pdf", "a.pdf", BYTES, False),
        ("video", "image/png", "a.png", "image/png", False),
        ("voice", "audio/webm", "v", BYTES, True),
        ("voice", BYTES, "v", "video/webm", True),
        ("audio", BYTES, "v", BYTES, False),
    ],
)
def test_a_subtype_fits_what_a_file_is_said_to_be_or_is(
    subtype: Any, declared: str, name: str, media_type: str, fits: bool
) -> None:
    assert can_be(subtype, declared, name, media_type) == fits


# Sending


def upload(world: World, user: str, token: str, content: str = "c" * 64) -> None:
    file = Stored(
        token=token,
        user_id=user,
        sha256=content,
        filename="pic.png",
        size=7,
        media_type="image/png",
        subtype="image",
        width=3,
        height=None,
        duration=None,
        url=f"http://x/{token}",
    )
    world.do(lambda: add_file(file, world.now))


def send_file(world: World, user: str, token: str, message: str) -> None:
    params = SendMessage(content=(SendFileBlock(token),))
    world.do(send_message(user, "zoo", message, params, world.now, world.rules))


def test_a_message_shows_what_is_known_of_a_file(world: World) -> None:
    world.start("zoo", "ada")
    upload(world, "ada", "t")
    send_file(world, "ada", "t", "m1")
    (block,) = world.messages("ada", "zoo").data[0].content
    assert block == FileBlock(
        file_token="t", url="http://x/t", size=7, filename="pic.png", subtype="image", width=3
    )


def test_a_file_is_sent_by_who_has_uploaded_it(world: World) -> None:
    world.start("zoo", "ada", "bob")
    upload(world, "ada", "t")
    for user, token in (("bob", "t"), ("ada", "T"), ("ada", ""), ("ada", "../t")):
        with refused("400 FILE_NOT_FOUND"):
            send_file(world, user, token, "m1")
        with refused("400 FILE_NOT_FOUND"):
            world.ask(lambda user=user, token=token: file_block(user, token))  # type: ignore[misc]  # a query with defaults
    assert world.messages("ada", "zoo").data == ()


# Garbage


def collected(world: World, most: int = 10) -> tuple[int, frozenset[str]]:
    return world.do(lambda: collect_files(world.now, most))


def is_there(world: World, token: str) -> bool:
    return world.ask(lambda: file_by_token(token)) is not None


def test_what_was_never_sent_is_garbage_after_a_day(world: World) -> None:
    world.start("zoo", "ada")
    upload(world, "ada", "unsent", "a" * 64)
    upload(world, "ada", "sent", "b" * 64)
    send_file(world, "ada", "sent", "m1")
    world.now += DAY
    assert collected(world) == (0, frozenset())
    world.now += 1
    assert collected(world) == (1, frozenset({"a" * 64}))
    assert not is_there(world, "unsent")
    assert is_there(world, "sent")
    with refused("400 FILE_NOT_FOUND"):
        send_file(world, "ada", "unsent", "m2")


def test_a_content_that_another_file_has_is_kept(world: World) -> None:
    world.start("zoo", "ada")
    for token in ("one", "two"):
        upload(world, "ada", token)
    send_file(world, "ada", "two", "m1")
    world.now += DAY + 1
    assert collected(world) == (1, frozenset())
    assert world.ask(lambda: known_contents(("c" * 64, "d" * 64))) == {"c" * 64}


def test_a_file_is_kept_as_long_as_a_message_holds_it(world: World) -> None:
    world.start("zoo", "ada")
    upload(world, "ada", "t")
    for message in ("m1", "m2"):
        send_file(world, "ada", "t", message)

    def release(message: str) -> None:
        def command() -> Steps[Outcome[None]]:
            yield from release_files(message, world.now)
            return Outcome(None)

        world.do(command)

    release("m1")
    world.now += 2 * DAY
    assert collected(world) == (0, frozenset())
    release("m2")
    release("m2")
    world.now += DAY
    assert collected(world) == (0, frozenset()), "the day begins with the deletion"
    world.now += 1
    assert collected(world) == (1, frozenset({"c" * 64}))


def test_an_edited_message_holds_what_it_shows_now(world: World) -> None:
    world.start("zoo", "ada")
    upload(world, "ada", "old", "a" * 64)
    upload(world, "ada", "new", "b" * 64)
    send_file(world, "ada", "old", "m1")

    def edit() -> Steps[Outcome[None]]:
        yield from release_files("m1", world.now)
        block = yield from file_block("ada", "new")
        yield from hold_files("m1", (*text("see"), block, block))
        return Outcome(None)

    world.do(edit)
    world.now += DAY + 1
    assert collected(world) == (1, frozenset({"a" * 64}))
    assert is_there(world, "new")


def test_garbage_is_collected_a_bite_at_a_time(world: World) -> None:
    world.start("zoo", "ada")
    for number in range(5):
        upload(world, "ada", f"t{number}", str(number) * 64)
    world.now += DAY + 1
    assert [collected(world, 2)[0] for _ in range(4)] == [2, 2, 1, 0]
