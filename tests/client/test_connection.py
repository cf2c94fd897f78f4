"""One websocket: what ends it, and in which words."""

import asyncio
import errno
import itertools
import select
import socket
import ssl

import pytest
from websockets.http11 import Request
from websockets.server import ServerProtocol

from rtflow.client.connection import Connection, Heartbeat, connect
from rtflow.client.reasons import reason_of
from rtflow.client.websocket import open_socket
from rtflow.errors import BadRequest
from rtflow.model.params import Empty, Renew
from rtflow.testing.link import Link as Network
from rtflow.testing.waiting import until
from rtflow.wire.client import Answer
from rtflow.wire.codec import MAX_SERVER_FRAME, encode
from rtflow.wire.endpoints import PING, RENEW
from tests.client.scripted import Rig, ScriptedServer, edited


class Ear:
    """Keeps what a connection says."""

    def __init__(self) -> None:
        self.answers = list[Answer]()
        self.events = list[object]()
        self.resumed = 0
        self.lost = asyncio.Queue[str]()

    async def open(self, url: str, heartbeat: Heartbeat = Heartbeat()) -> Connection:  # noqa: B008
        return await connect(
            url.replace("http", "ws") + "/public_api/v1/demo/realtime/alice",
            answered=self.answers.append,
            published=self.events.extend,
            resumed=self.resume,
            lost=self.lost.put_nowait,
            heartbeat=heartbeat,
            patience=5,
        )

    def resume(self) -> None:
        self.resumed += 1


async def test_a_closed_connection_says_nothing_any_more(scripted: ScriptedServer) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    await connection.close()
    await connection.close()
    assert ear.lost.empty()
    assert scripted.last.frames == []


async def test_the_end_is_told_once(scripted: ScriptedServer) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    await scripted.last.socket.close(1001)
    assert await ear.lost.get() == "closed with 1001 (going away)"
    await connection.close()
    assert ear.lost.empty()
    assert connection.lost_because == "closed with 1001 (going away)"


async def test_pings_are_answered_for_nobody_and_need_no_token(scripted: ScriptedServer) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url, Heartbeat(unheard=0.02, grace=5))
    await scripted.until(lambda: len(scripted.last.asked(PING)) >= 3)
    await connection.close()
    assert ear.answers == []


async def test_what_is_sent_in_one_turn_arrives_in_order(scripted: ScriptedServer) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    numbers = [connection.call(PING, (), Empty()) for _ in range(50)]
    await scripted.until(lambda: len(scripted.last.calls) == 50)
    await connection.close()
    assert numbers == [call.seq for call in scripted.last.calls] == list(range(50))


async def test_a_request_leaves_at_once_when_it_follows_others_that_were_alone(
    scripted: ScriptedServer,
) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    arriving = scripted.last.socket.transport.get_extra_info("socket")

    def call(times: int) -> bool:
        """Call; return whether something has left before this turn ends."""
        for _ in range(times):
            connection.call(RENEW, (), Renew(token="a token"))
        return bool(select.select([arriving], [], [], 0)[0])

    async def answered(number: int) -> None:
        await until(lambda: len(ear.answers) == number)

    left_at_once = list[bool]()
    for times, number in [(1, 1), (1, 2), (1, 3), (16, 19), (16, 35), (1, 36), (1, 37)]:
        left_at_once.append(call(times))
        await answered(number)
    await connection.close()
    assert left_at_once == [False, True, True, True, False, False, True]


async def test_messages_that_come_with_the_end_are_still_read(scripted: ScriptedServer) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    await scripted.last.publish(edited("last words"))
    await scripted.last.socket.close(1012)
    await ear.lost.get()
    await connection.close()
    assert ear.events == [edited("last words")]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1_000, None])
async def test_messages_are_read_however_the_network_cuts_them(
    scripted: ScriptedServer, piece: int | None
) -> None:
    ear = Ear()
    async with Network("127.0.0.1", scripted.port) as network:
        network.split(piece, "down")
        connection = await ear.open(network.url)
        socket = scripted.last.socket
        names = ["", "a", "b" * 60, "c" * 125, "d" * 126, "e" * 5_000]
        large = ["f" * 70_000, "g" * 1_500_000] * (piece is None)
        for number, name in enumerate([*names, *large], 1):
            text = f'[{number},"PUBLISH",{encode(edited(name)).decode()}]'
            await socket.send([text[:5], "", text[5:]])
            await socket.ping(str(number))
            await socket.send(text)  # again: it is ignored if the fragments were read
        last = edited([*names, *large][-1])
        await until(lambda: ear.events[-1:] == [last])
        await connection.close()
    assert ear.events == [edited(name) for name in [*names, *large]]
    assert connection.lost_because is None


@pytest.mark.parametrize("cuts", [(1_000_000,), (-1,), (-1, 1), (-1, 2), (-1, 3), (-3, 1), (0,)])
async def test_a_message_that_comes_with_the_handshake_is_read_like_those_after_it(
    cuts: tuple[int, ...],
) -> None:
    """`cuts`: where the network cuts, counted from the end of the handshake."""
    events = [b'[%d,"PUBLISH",%b]' % (n, encode(edited(str(n)))) for n in (1, 2, 3)]

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        for event in events:
            protocol.send_text(event)
        sent = b"".join(protocol.data_to_send())
        end = sent.index(b"\r\n\r\n") + 4
        places = sorted({0, *(end + cut for cut in cuts if end + cut < len(sent)), len(sent) - 70})
        for start, stop in itertools.pairwise(places):
            writer.write(sent[start:stop])
            for _ in range(5):  # the client is on this loop: it reads each piece alone
                await Rig.turn()
        await reader.readexactly(
            1
        )  # the beginning was read; the rest is in the middle of a message
        writer.write(sent[-70:])
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    ear = Ear()
    connection = await ear.open(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    connection.call(PING, (), Empty())
    await until(lambda: len(ear.events) == 3)
    await connection.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\x81\x85abcdhello", "incorrect masking"),
        (b"\xc1\x00", "reserved bits must be 0"),
        (b"\x83\x00", "invalid opcode"),
        (b"\x80\x00", "unexpected continuation frame"),
        (b"\x01\x01a\x81\x01b", "expected a continuation frame"),
        (b"\x81\x7f" + (2**40).to_bytes(8, "big"), f"more than {MAX_SERVER_FRAME} bytes"),
    ],
)
async def test_a_frame_that_breaks_the_rules_ends_the_connection(
    scripted: ScriptedServer, frame: bytes, words: str
) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    scripted.last.socket.transport.write(frame)
    assert words in await ear.lost.get()
    await connection.close()
    assert ear.events == []


async def test_what_comes_after_the_close_frame_is_not_read(scripted: ScriptedServer) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    late = b'[1,"PUBLISH",%b]' % encode(edited("late"))
    going_away = b"\x88\x02\x03\xe9"
    scripted.last.socket.transport.write(going_away + bytes([0x81, len(late)]) + late)
    assert await ear.lost.get() == "closed with 1001 (going away)"
    await connection.close()
    assert ear.events == []


async def test_nothing_is_taken_after_an_abort_in_the_middle_of_what_came(
    scripted: ScriptedServer,
) -> None:
    taken, reasons = list[bytes](), list[str]()

    def take(message: bytes) -> None:
        taken.append(message)
        opened.abort("enough")

    opened = await open_socket(
        scripted.url.replace("http", "ws"),
        take=take,
        resumed=lambda: None,
        lost=reasons.append,
        patience=5,
    )
    scripted.last.socket.transport.write(b"\x81\x01a\x81\x01b")
    await until(lambda: bool(reasons))
    await opened.close()
    assert (taken, reasons) == ([b"a"], ["enough"])


async def test_a_server_that_does_not_read_is_given_up(scripted: ScriptedServer) -> None:
    ear = Ear()
    async with Network("127.0.0.1", scripted.port) as network:
        connection = await ear.open(network.url)
        network.stall()
        token = Renew(token="x" * 16_000)
        while connection.lost_because is None:
            for _ in range(64):
                connection.call(RENEW, (), token)
            await Rig.turn()
        assert await ear.lost.get() == "the server does not read what is sent"
        await connection.close()


async def test_a_connection_may_be_given_up_while_it_is_opened(scripted: ScriptedServer) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(Ear().open(f"http://127.0.0.1:{port}"))
        for _ in range(10):
            await Rig.turn()
        opening.cancel()
    server.close()
    await server.wait_closed()
    assert opening.cancelled()


async def test_a_request_that_cannot_be_sent_leaves_the_connection_usable(
    scripted: ScriptedServer,
) -> None:
    ear = Ear()
    connection = await ear.open(scripted.url)
    with pytest.raises(BadRequest, match="REQUEST_TOO_LARGE"):
        connection.call(RENEW, (), Renew(token="x" * 1_100_000))
    connection.call(PING, (), Empty())
    await scripted.until(lambda: len(scripted.last.asked(PING)) == 1)
    await connection.close()


def certificate_problem() -> ssl.SSLCertVerificationError:
    problem = ssl.SSLCertVerificationError(1, "certificate verify failed")
    problem.verify_message = "self-signed certificate"
    return problem


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        (
            OSError(
                "Multiple exceptions: [Errno 111] Connect call failed ('::1', 80, 0, 0), "
                "[Errno 111] Connect call failed ('127.0.0.1', 80)"
            ),
            "connection refused",
        ),
        (ConnectionResetError(errno.ECONNRESET, "by peer"), "connection reset"),
        (BrokenPipeError(errno.EPIPE, "broken"), "connection reset"),
        (OSError(errno.ENETUNREACH, "whatever"), "network is unreachable"),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "the server's name cannot be resolved (Name or service not known)",
        ),
        (certificate_problem(), "the server's certificate is not valid (self-signed certificate)"),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), "TLS failed (('WRONG_VERSION_NUMBER',))"),
        (OSError(), "OSError"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_the_system_says_becomes_a_few_words(problem: Exception, words: str) -> None:
    assert reason_of(problem) == words


async def test_a_name_that_nobody_knows_is_a_reason() -> None:
    async with Rig("http://no-such-host.invalid") as rig:
        rig.link.want()
        await rig.until(lambda: bool(rig.reasons))
    assert rig.reasons[0].startswith("the server's name cannot be resolved")


async def test_a_server_without_tls_is_a_reason() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with Rig(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}") as rig:
        rig.link.want()
        await rig.until(lambda: bool(rig.reasons))
    server.close()
    await server.wait_closed()
    assert rig.reasons[0].startswith("TLS failed (")
