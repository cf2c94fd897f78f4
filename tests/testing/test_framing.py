"""Faults at the borders of messages: over real sockets, and with bytes cut anywhere."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from rtflow.testing import Link
from rtflow.testing.framing import Faults, Framing, MessageFault
from rtflow.testing.link import Direction

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@pytest_asyncio.fixture
async def caller() -> AsyncIterator[tuple[Link, ClientConnection]]:
    """A client behind a link, and a server that says everything back."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=None) as server:
        port: int = next(iter(server.sockets)).getsockname()[1]
        async with (
            Link("127.0.0.1", port) as link,
            connect(f"ws://127.0.0.1:{link.port}", compression=None) as client,
        ):
            yield link, client


async def say(client: ClientConnection, *words: str) -> list[object]:
    """Say this, and return what comes back until the last word does."""
    for word in (*words, "end"):
        await client.send(word)
    heard = list[object]()
    async for message in client:
        if message == "end":
            break
        heard.append(message)
    return heard


@pytest.mark.parametrize("way", ["up", "down"])
async def test_messages_are_dropped_duplicated_and_reordered_whole(
    caller: tuple[Link, ClientConnection], way: Direction
) -> None:
    link, client = caller
    long = "x" * 70_000
    link.drop(2, way)
    link.duplicate(1, way)
    link.reorder(1, way)
    assert await say(client, "a", "b", long, "c", long, "d") == [long, long, long, "c", "d"]
    assert link.messages_hit == 4
    assert await say(client, "a", long) == ["a", long]


async def test_a_link_without_faults_changes_nothing_of_messages(
    caller: tuple[Link, ClientConnection],
) -> None:
    link, client = caller
    words = ["", "a", "b" * 125, "c" * 126, "d" * 65535, "e" * 65536]
    assert await say(client, *words) == words
    assert link.messages_hit == 0


async def test_a_ping_passes_between_messages_to_which_something_happens(
    caller: tuple[Link, ClientConnection],
) -> None:
    link, client = caller
    link.drop(1, "up")
    await (await client.ping())
    assert await say(client, "a", "b") == ["b"]


def test_at_least_one_message_must_be_hit() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Link("127.0.0.1", 1).drop(0, "up")


def text(words: str) -> bytes:
    return Frame(Opcode.TEXT, words.encode()).serialize(mask=True)


def pieces(whole: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    return (whole[a:b] for a, b in itertools.pairwise(places) if a < b)


@given(
    st.lists(st.text(max_size=200), max_size=6),
    st.lists(st.sampled_from(["drop", "duplicate", "reorder"]), max_size=6),
    st.lists(st.integers(0, 2000), max_size=8),
)
def test_wherever_bytes_are_cut_whole_frames_come_out(
    words: list[str], faults: list[MessageFault], cuts: list[int]
) -> None:
    ordered = Faults(lambda: None)
    for fault in faults:
        ordered.order(fault, 1)
    framing = Framing(ordered)
    frames = [text(word) for word in words]
    out = b"".join(framing.take(piece) for piece in pieces(HEAD + b"".join(frames), cuts))
    assert out + framing.rest() == HEAD + b"".join(befallen(frames, faults))


def befallen(frames: list[bytes], faults: list[MessageFault]) -> Iterator[bytes]:
    """What should become of them."""
    coming, left = iter(frames), iter(faults)
    for frame in coming:
        match next(left, None):
            case "drop":
                pass
            case "duplicate":
                yield from (frame, frame)
            case "reorder":
                yield from (*itertools.islice(coming, 1), frame)
            case None:
                yield frame


@given(st.lists(st.binary(max_size=200)), st.booleans())
def test_what_is_not_a_websocket_passes_untouched(chunks: list[bytes], head: bool) -> None:
    ordered = Faults(lambda: None)
    ordered.order("drop", 9)
    framing = Framing(ordered)
    said = ([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"] if head else []) + [b"-", *chunks]
    assert b"".join(map(framing.take, said)) == b"".join(said)


def test_a_head_without_an_end_passes_untouched() -> None:
    framing = Framing(Faults(lambda: None))
    said = [b"x" * 1000] * 100
    assert b"".join(map(framing.take, said)) == b"".join(said)
