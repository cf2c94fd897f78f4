import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing

import pytest

from rtflow.testing import Link

LOOPBACK = "127.0.0.1"
PATIENCE = 5.0


class End:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hears(self, length: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(length)

    async def hears_the_end(self) -> bytes:
        """Return what comes before the end of file; a reset raises."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def is_reset(self) -> bool:
        try:
            await self.hears_the_end()
        except ConnectionResetError:
            return True
        return False


class Place:
    """A server that takes connections and leaves them to the test."""

    def __init__(self) -> None:
        self.port = 0
        self.guests = asyncio.Queue[End]()

    async def open(self, stack: AsyncExitStack) -> None:
        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stack.callback(writer.close)
            self.guests.put_nowait(End(reader, writer))

        server = await asyncio.start_server(welcome, LOOPBACK, 0)
        stack.callback(server.close)
        self.port = int(server.sockets[0].getsockname()[1])


class World:
    """A place, a link to it, and whoever calls."""

    def __init__(self, stack: AsyncExitStack, place: Place, link: Link) -> None:
        self.stack, self.place, self.link = stack, place, link

    async def call(self) -> End:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.link.port)
        self.stack.callback(writer.close)
        return End(reader, writer)

    async def connect(self) -> tuple[End, End]:
        """Connect through the link: the client's end and the server's."""
        client = await self.call()
        async with asyncio.timeout(PATIENCE):
            return client, await self.place.guests.get()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        place = Place()
        await place.open(stack)
        link = await stack.enter_async_context(Link(LOOPBACK, place.port))
        yield World(stack, place, link)


async def other_direction_works(speaker: End, listener: End, *, times: int = 2) -> None:
    """Speak the other way: whatever was to pass this way had all the time it needed."""
    for _ in range(times):
        speaker.writer.write(b"tick")
        assert await listener.hears(4) == b"tick"


async def test_bytes_pass_both_ways_and_are_counted(world: World) -> None:
    client, server = await world.connect()
    client.writer.write(b"question")
    assert await server.hears(8) == b"question"
    server.writer.write(b"yes")
    assert await client.hears(3) == b"yes"
    assert (world.link.bytes_up, world.link.bytes_down) == (8, 3)
    assert (world.link.opened, world.link.open) == (1, 1)
    assert world.link.url == f"http://127.0.0.1:{world.link.port}"


async def test_many_bytes_arrive_whole_and_in_order(world: World) -> None:
    client, server = await world.connect()
    text = b"".join(number.to_bytes(4) for number in range(500_000))
    client.writer.write(text)
    assert await server.hears(len(text)) == text


async def test_a_half_closed_connection_goes_on_in_the_other_direction(world: World) -> None:
    client, server = await world.connect()
    client.writer.write(b"all I have")
    client.writer.write_eof()
    assert await server.hears_the_end() == b"all I have"
    server.writer.write(b"thank you")
    server.writer.close()
    assert await client.hears_the_end() == b"thank you"
    await world.link.until(lambda link: link.open == 0)


async def test_a_reset_by_one_side_reaches_the_other(world: World) -> None:
    client, server = await world.connect()
    sock: socket.socket = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.close()
    assert await server.is_reset()
    await world.link.until(lambda link: link.open == 0)


async def test_a_caller_is_reset_when_nobody_is_behind_the_link(world: World) -> None:
    with socket.socket() as nobody:
        nobody.bind((LOOPBACK, 0))
        world.link.retarget(LOOPBACK, nobody.getsockname()[1])
        assert await (await world.call()).is_reset()


async def test_cut_resets_both_sides_of_every_connection(world: World) -> None:
    ends = [*await world.connect(), *await world.connect()]
    world.link.cut()
    assert [await end.is_reset() for end in ends] == [True] * 4
    await world.link.until(lambda link: link.open == 0)
    assert world.link.opened == 2


async def test_nothing_passes_after_a_cut(world: World) -> None:
    client, server = await world.connect()
    world.link.stall("up")
    client.writer.write(b"too late")
    await other_direction_works(server, client)
    world.link.resume()
    world.link.cut()
    assert await server.is_reset()
    assert world.link.bytes_up == 0


async def test_close_ends_both_sides_of_every_connection(world: World) -> None:
    ends = [*await world.connect(), *await world.connect()]
    world.link.close()
    assert [await end.hears_the_end() for end in ends] == [b""] * 4
    await world.link.until(lambda link: link.open == 0)


async def test_refuse_is_a_refusal_by_the_kernel_until_accept(world: World) -> None:
    client, server = await world.connect()
    world.link.refuse()
    with pytest.raises(ConnectionRefusedError):
        await world.call()
    client.writer.write(b"still here")
    assert await server.hears(10) == b"still here"
    world.link.accept()
    await world.connect()
    assert world.link.opened == 2


async def test_nobody_can_take_the_port_of_a_link_that_refuses(world: World) -> None:
    world.link.refuse()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, world.link.port))


async def test_refuse_and_accept_may_be_repeated(world: World) -> None:
    for _ in range(2):
        world.link.refuse()
    for _ in range(2):
        world.link.accept()
    await world.connect()


async def test_a_stalled_direction_holds_its_bytes_until_it_resumes(world: World) -> None:
    client, server = await world.connect()
    world.link.stall("up")
    client.writer.write(b"held")
    await other_direction_works(server, client)
    assert world.link.bytes_up == 0
    world.link.resume()
    assert await server.hears(4) == b"held"


async def test_a_stalled_link_hides_the_end_of_a_connection(world: World) -> None:
    client, server = await world.connect()
    other_client, other_server = await world.connect()
    world.link.stall("up")
    client.writer.close()
    await other_direction_works(other_server, other_client)
    assert not server.reader.at_eof()
    assert world.link.open == 2
    world.link.resume("up")
    assert await server.hears_the_end() == b""


async def test_a_stalled_link_hides_a_reset(world: World) -> None:
    client, server = await world.connect()
    other_client, other_server = await world.connect()
    world.link.stall("up")
    sock: socket.socket = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.close()
    await other_direction_works(other_server, other_client)
    assert world.link.open == 2
    world.link.resume("up")
    assert await server.is_reset()


async def test_a_stalled_link_slows_the_sender_down(world: World) -> None:
    client, server = await world.connect()
    world.link.stall("up")
    text = bytes(32 * 1024 * 1024)  # more than all the buffers on the way
    client.writer.write(text)
    await other_direction_works(server, client, times=1000)  # a turn of the loop for every chunk
    assert client.writer.transport.get_write_buffer_size() > 0
    world.link.resume()
    assert await server.hears(len(text)) == text


async def test_a_stalled_link_that_loses_bytes_never_delivers_them(world: World) -> None:
    client, server = await world.connect()
    world.link.stall("up", lose=True)
    size = 32 * 1024 * 1024  # more than all the buffers on the way: the sender is not slowed down
    client.writer.write(bytes(size))
    await world.link.until(lambda link: link.bytes_lost == size)
    assert world.link.bytes_up == 0
    world.link.resume()
    client.writer.write(b"here")
    assert await server.hears(4) == b"here"


async def test_a_delay_delays_everything_by_as_much_and_does_not_slow_down(world: World) -> None:
    client, server = await world.connect()
    loop = asyncio.get_running_loop()
    world.link.delay(0.2, "up")
    started = loop.time()
    text = bytes(200_000)  # more than ten chunks: one after the other they would take two seconds
    client.writer.write(text)
    assert await server.hears(len(text)) == text
    assert 0.2 <= loop.time() - started < 1


async def test_a_throttle_limits_the_bytes_per_second(world: World) -> None:
    client, server = await world.connect()
    loop = asyncio.get_running_loop()
    world.link.throttle(10_000)
    started = loop.time()
    client.writer.write(bytes(1_000))
    await server.hears(1_000)
    assert 0.1 <= loop.time() - started < 1
    world.link.throttle(None)
    client.writer.write(bytes(1_000_000))
    await server.hears(1_000_000)  # for which it would have taken 100 seconds


async def test_cut_after_lets_exactly_that_much_pass_once(world: World) -> None:
    client, server = await world.connect()
    world.link.cut_after(5, "up")
    client.writer.write(b"hello, world")
    assert await server.hears(5) == b"hello"
    assert await server.is_reset()
    assert await client.is_reset()
    assert world.link.bytes_up == 5
    client, server = await world.connect()
    client.writer.write(b"hello, world")
    assert await server.hears(12) == b"hello, world"


async def test_cut_after_counts_over_several_messages(world: World) -> None:
    client, server = await world.connect()
    world.link.cut_after(5, "down")
    for word in (b"one", b"two"):
        server.writer.write(word)
        await world.link.until(lambda link: link.bytes_down in (3, 5))
    assert await client.is_reset()
    assert world.link.bytes_down == 5


def test_cut_after_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Link(LOOPBACK, 1).cut_after(0, "up")


class Pieces(asyncio.Protocol):
    def __init__(self) -> None:
        self.pieces = list[bytes]()

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)


async def test_split_delivers_in_small_pieces() -> None:
    heard = Pieces()
    server = await asyncio.get_running_loop().create_server(lambda: heard, LOOPBACK, 0)
    async with server, Link(LOOPBACK, server.sockets[0].getsockname()[1]) as link:
        link.split(3)
        _, writer = await asyncio.open_connection(LOOPBACK, link.port)
        with closing(writer):
            writer.write(b"hello, world")
            await link.until(lambda _: sum(map(len, heard.pieces)) == 12)
            assert heard.pieces == [b"hel", b"lo,", b" wo", b"rld"]


async def test_retarget_moves_new_connections_only(world: World) -> None:
    client, server = await world.connect()
    other_place = Place()
    await other_place.open(world.stack)
    world.link.retarget(LOOPBACK, other_place.port)
    other_client = await world.call()
    other_server = await other_place.guests.get()
    await other_direction_works(other_client, other_server)
    await other_direction_works(client, server)


async def test_until_says_what_it_saw_instead(world: World) -> None:
    await world.connect()
    with pytest.raises(AssertionError, match=r"within 0.01 s: <Link .* opened 1, open now 1, 0 B"):
        await world.link.until(lambda link: link.opened == 2, timeout=0.01)


async def test_an_exception_in_the_body_passes_unchanged(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Link(LOOPBACK, world.place.port):
            _ = 1 / 0


async def test_at_the_end_open_connections_are_reset_and_the_port_is_free(world: World) -> None:
    async with Link(LOOPBACK, world.place.port) as link:
        reader, writer = await asyncio.open_connection(LOOPBACK, link.port)
        world.stack.callback(writer.close)
        await world.place.guests.get()
    assert await End(reader, writer).is_reset()
    with socket.socket() as next_owner:
        next_owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        next_owner.bind((LOOPBACK, link.port))


async def test_a_link_may_be_cancelled(world: World) -> None:
    opened = asyncio.Event()

    async def use() -> None:
        async with Link(LOOPBACK, world.place.port):
            opened.set()
            await asyncio.get_running_loop().create_future()

    async with asyncio.TaskGroup() as tasks:
        user = tasks.create_task(use())
        await opened.wait()
        user.cancel()
    assert user.cancelled()
