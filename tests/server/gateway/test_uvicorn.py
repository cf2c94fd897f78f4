"""One connection, against real sockets: clients that do not read, do not write, do not leave."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import pytest
from uvicorn.protocols.utils import ClientDisconnected
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from rtflow.server.serve import HostLimits, running
from rtflow.testing import Link
from tests.conformance.stores import turn
from tests.server.gateway.hosting import (
    BRIEF,
    FLOOD,
    SOON,
    UPGRADE,
    App,
    client_frame,
    dialled,
    now,
    on_each_loop,
    stuck,
    upgraded,
)

if TYPE_CHECKING:
    from rtflow.server.gateway.transport import Transport
    from rtflow.server.gateway.uvicorn.websocket import WebSocketProtocol

# What the application does with its transport


@on_each_loop
async def test_messages_of_every_size_and_way_arrive_in_order() -> None:
    app = App()
    sizes = [0, 1, 125, 126, 65535, 65536, 300_000]
    async with running(app) as address, connect(f"ws://{address}", max_size=None) as client:
        connection = await app.connections.get()
        for size in sizes:
            await connection.send(f"asgi {size}")
            connection.transport.send_texts([b"x" * size])
        connection.transport.send_texts([b"a", "ä".encode(), b"b"])
        await connection.send("end")
        received = [str(await client.recv()) for _ in range(2 * len(sizes) + 4)]
    assert received[0:-4:2] == [f"asgi {size}" for size in sizes]
    assert received[1:-4:2] == ["x" * size for size in sizes]
    assert received[-4:] == ["a", "ä", "b", "end"]


@on_each_loop
async def test_an_abort_reaches_a_client_that_does_not_read() -> None:
    app = App()
    async with running(app) as address, stuck(app, address) as (connection, client):
        sending = await connection.waiting_send()
        async with asyncio.timeout(SOON):
            connection.transport.abort()
            assert await connection.closed == 1006
            assert len(await client.ended()) < 100_000  # a reset overtakes what the kernel holds
            with pytest.raises(ClientDisconnected):
                await sending
        assert connection.transport.buffered == 0
        connection.transport.abort()
        connection.transport.close(1000)
        connection.transport.send_texts([b"nobody is there"])


@on_each_loop
async def test_a_close_reaches_a_client_that_reads_after_what_was_sent_before() -> None:
    app = App()
    async with running(app) as address, connect(f"ws://{address}") as client:
        connection = await app.connections.get()
        connection.transport.send_texts([b"last words"])
        connection.transport.close(1013, "try again later")
        connection.transport.send_texts([b"too late"])
        with pytest.raises(ClientDisconnected):
            await connection.send("too late")
        assert await client.recv() == "last words"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "try again later")
        assert await connection.closed == 1013


@on_each_loop
async def test_a_close_that_a_stuck_client_ignores_is_an_abort_in_the_end() -> None:
    app = App()
    async with (
        running(app, limits=BRIEF) as address,
        stuck(app, address) as (connection, client),
    ):
        sending = await connection.waiting_send()
        connection.transport.close(1013)
        assert await connection.closed == 1013
        with pytest.raises(ClientDisconnected):
            await sending
        assert not connection.lost.is_set()
        async with asyncio.timeout(SOON):
            await connection.lost.wait()
            await client.ended()


@on_each_loop
async def test_the_kernel_holds_little_and_sends_at_once() -> None:
    app = App()
    limits = HostLimits(send_buffer=32 * 1024)
    async with running(app, limits=limits) as address, upgraded(app, address) as (connection, _):
        sock = cast("WebSocketProtocol", connection.transport).transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 32 * 1024


# Messages that are handed over


@on_each_loop
async def test_messages_are_handed_over_in_order_except_while_held() -> None:
    app, heard = App(), asyncio.Queue[str | None]()
    async with running(app) as address, connect(f"ws://{address}") as client:
        connection = await app.connections.get()
        transport = connection.transport

        def take(message: str | None) -> None:
            heard.put_nowait(message)
            if message == "stop":
                transport.hold()
                transport.hold()

        transport.hand_to(take, lambda: None)
        for message in ("a", b"no text", ["in ", "parts"], "stop", "b", "ä"):
            await client.send(message)
        assert [await heard.get() for _ in range(4)] == ["a", None, "in parts", "stop"]
        await turn()
        assert heard.empty()
        transport.go_on()
        transport.go_on()
        assert [await heard.get() for _ in range(2)] == ["b", "ä"]
        await client.close()
        assert await connection.closed == 1000
    assert connection.heard.empty()


@on_each_loop
async def test_it_is_told_when_all_that_came_together_was_handed_over() -> None:
    app, heard = App(), asyncio.Queue[str | None]()
    async with running(app) as address, connect(f"ws://{address}") as client:
        connection = await app.connections.get()
        connection.transport.hand_to(heard.put_nowait, lambda: heard.put_nowait("done"))
        client.transport.write(client_frame(1, b"early") * 3)
        assert [await heard.get() for _ in range(4)] == ["early", "early", "early", "done"]
        await client.send("later")
        assert [await heard.get() for _ in range(2)] == ["later", "done"]


@on_each_loop
async def test_what_is_held_is_dropped_by_a_close_and_by_the_end() -> None:
    app, heard = App(), list[str | None]()
    async with running(app, limits=BRIEF) as address:
        for close in (True, False):
            async with connect(f"ws://{address}") as client:
                connection = await app.connections.get()
                transport, came = connection.transport, asyncio.Event()

                def take(
                    message: str | None,
                    transport: Transport = transport,
                    came: asyncio.Event = came,
                ) -> None:
                    heard.append(message)
                    transport.hold()
                    came.set()

                transport.hand_to(take, lambda: None)
                await client.send("heard")
                await client.send("held")
                await came.wait()
                if close:
                    transport.close(1013)
                    assert await connection.closed == 1013
                else:
                    transport.abort()
                    transport.go_on()
                    assert await connection.closed == 1006
                await client.wait_closed()
    assert heard == ["heard", "heard"]


@on_each_loop
async def test_messages_come_as_in_asgi_when_some_came_before() -> None:
    """A frame may have begun: only `websockets` knows where it ends."""
    app = App()
    async with running(app) as address, connect(f"ws://{address}") as client:
        connection = await app.connections.get()
        await client.send("early")
        assert await connection.heard.get() == "early"
        connection.transport.hand_to(lambda _: None, lambda: None)
        await client.send("late")
        assert await connection.heard.get() == "late"


# Clients that do not read


@on_each_loop
async def test_a_stuck_client_that_says_goodbye_is_gone_soon() -> None:
    app = App()
    async with (
        running(app, limits=BRIEF) as address,
        stuck(app, address) as (connection, client),
    ):
        client.send(client_frame(8, (1000).to_bytes(2)))
        assert await connection.closed == 1000
        async with asyncio.timeout(SOON):
            await connection.lost.wait()


@on_each_loop
async def test_a_stuck_client_that_only_stops_writing_is_gone_soon() -> None:
    app = App()
    async with (
        running(app, limits=BRIEF) as address,
        stuck(app, address) as (connection, client),
    ):
        client.writer.write_eof()
        async with asyncio.timeout(SOON):
            assert await connection.closed == 1006


@on_each_loop
async def test_a_client_that_answers_no_ping_is_gone_soon() -> None:
    app = App()
    limits = HostLimits(ping_interval=0.1, ping_timeout=0.1, close_timeout=0.2)
    async with running(app, limits=limits) as address, stuck(app, address) as (connection, _):
        async with asyncio.timeout(SOON):
            assert await connection.closed == 1006
        assert connection.transport.buffered == 0


@on_each_loop
async def test_a_client_that_answers_pings_stays() -> None:
    app = App()
    limits = HostLimits(ping_interval=0.05, ping_timeout=0.2, head_timeout=0.1)
    async with running(app, limits=limits) as address, upgraded(app, address) as (_, client):
        for _ in range(5):
            ping = await client.reader.readexactly(6)
            assert ping[0] == 0x89
            client.send(client_frame(10, ping[2:]))


@on_each_loop
async def test_a_client_whose_pong_waits_behind_much_to_read_stays() -> None:
    app = App()
    limits = HostLimits(ping_interval=0.1, ping_timeout=0.6)
    async with running(app, limits=limits) as address, Link(address.host, address.port) as link:
        link.throttle(2_000_000, "down")
        async with connect(f"ws://127.0.0.1:{link.port}", ping_interval=None) as client:
            (await app.connections.get()).fill()  # two seconds
            for _ in range(64):
                assert len(await client.recv()) == 65536


@on_each_loop
async def test_pings_of_a_client_that_does_not_read_cost_no_memory() -> None:
    app = App()
    async with running(app) as address, stuck(app, address) as (connection, client):
        before = connection.transport.buffered
        for number in range(1000):
            client.send(client_frame(9, b"%04d" % number + b"-" * 100))
        client.send(client_frame(1, b"that was all"))
        assert await connection.heard.get() == "that was all"
        assert connection.transport.buffered <= before
        received = b""
        while not received.endswith(b"\x8a\x680999" + b"-" * 100):  # the last is answered
            received += await client.reader.read(65536)
        assert received.count(b"-" * 100) == 1


@on_each_loop
async def test_who_reads_nothing_of_an_answer_is_cut_and_who_reads_slowly_gets_it_all() -> None:
    app, never = App(), asyncio.get_running_loop().create_future()
    async with running(app, limits=BRIEF) as address, dialled(address) as client:
        client.send("GET /flood HTTP/1.1\r\nHost: here\r\n\r\n")
        async with asyncio.timeout(SOON):
            assert await app.answered.get() == "/flood", "and it was let go of"
        await asyncio.wait({never}, timeout=2 * BRIEF.standstill)
        assert len(await client.ended()) < FLOOD
    async with running(app, limits=BRIEF) as address, dialled(address) as client:
        client.send("GET /flood HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        received = 0
        for _ in range(4):
            for _ in range(50):
                received += len(await client.reader.readexactly(50_000))
            await asyncio.wait({never}, timeout=BRIEF.standstill / 2)
        received += len(await client.ended())
        assert received > FLOOD


# Clients that do not write, or too much


@on_each_loop
async def test_a_client_that_sends_nothing_or_half_a_request_line_is_cut() -> None:
    async with running(App(), limits=BRIEF) as address:
        for beginning in ("", "GET /lunch HT", UPGRADE.format(path="")):
            async with dialled(address) as client:
                client.send(beginning)
                assert await client.is_cut() >= 0.25


@on_each_loop
async def test_a_head_that_trickles_is_cut() -> None:
    async with running(App(), limits=BRIEF) as address, dialled(address) as client:
        start = now()
        client.send("GET / HTTP/1.1\r\n")
        cut = asyncio.create_task(client.is_cut())
        while not cut.done():
            if not client.writer.is_closing():
                client.send("x: y\r\n")
            await asyncio.wait({cut}, timeout=0.02)
        await cut
        assert 0.25 < now() - start < SOON


@on_each_loop
async def test_a_connection_that_was_used_has_the_same_deadline() -> None:
    async with running(App(), limits=BRIEF) as address:
        for beginning in ("GET /again HT", "\r\n"):
            async with dialled(address) as client:
                client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                await client.until(b"ok")
                client.send(beginning)
                await client.is_cut()


@on_each_loop
async def test_a_body_that_nobody_waits_for_does_not_keep_a_connection() -> None:
    async with running(App(), limits=BRIEF) as address, dialled(address) as client:
        client.send("POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 99999\r\n\r\n")
        await client.until(b"ok")
        client.send("a little")
        await client.is_cut()


@on_each_loop
async def test_a_slow_answer_and_a_rest_between_requests_are_not_cut() -> None:
    app = App()
    limits = HostLimits(head_timeout=0.1)
    async with running(app, limits=limits) as address, dialled(address) as client:
        for _ in range(2):
            client.send("GET /later HTTP/1.1\r\nHost: here\r\n\r\n")
            assert await app.requests.get() == "/later"
            with pytest.raises(TimeoutError):
                await client.is_cut(within=2 * limits.head_timeout)
            app.may_answer.set()
            await client.until(b"ok")
            app.may_answer.clear()
            with pytest.raises(TimeoutError):
                await client.is_cut(within=2 * limits.head_timeout)


@on_each_loop
async def test_a_head_without_end_is_refused() -> None:
    async with running(App()) as address, dialled(address) as client:
        client.send("GET / HTTP/1.1\r\n" + "x: y\r\n" * 200_000)
        assert (await client.ended()).startswith(b"HTTP/1.1 431 ")


@on_each_loop
async def test_what_follows_a_body_has_an_end_too() -> None:
    """Trailers, and extensions of a chunk, belong neither to a head nor to a body."""
    app = App()
    for path in ("", "later"):  # which is answered already, and which still runs
        for endless in (
            "0\r\n" + "x: y\r\n" * 200_000,
            "0\r\nx: " + "y" * 999_999,
            "5;" + "y" * 999_999,
        ):
            async with running(app) as address, dialled(address) as client:
                client.send(
                    f"GET /{path} HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                await app.requests.get()
                client.send(endless)
                async with asyncio.timeout(SOON):
                    assert b"431" not in (await client.ended())


@on_each_loop
async def test_a_body_in_many_small_chunks_is_no_head() -> None:
    async with running(App()) as address, dialled(address) as client:
        client.send("POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send("1\r\nx\r\n" * 50_000 + "0\r\nx: y\r\n\r\n")
        await client.until(b"ok")
        client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        await client.until(b"ok")


@on_each_loop
async def test_some_requests_at_once_are_answered_and_very_many_end_their_connection() -> None:
    """Each that waits for its turn costs some kilobytes, and comes in twenty bytes."""
    app, request = App(), "GET /{path} HTTP/1.1\r\nHost: here\r\n\r\n"
    async with running(app) as address, dialled(address) as client:
        client.send(request.format(path="") * 30)
        for _ in range(30):
            await client.until(b"ok")
        client.send(request.format(path="later") + request.format(path="") * 50)
        async with asyncio.timeout(SOON):
            assert await client.ended() == b""
    assert app.requests.qsize() == 31, "none that waited was begun"


@on_each_loop
async def test_a_websocket_behind_a_request_that_is_not_answered_ends_the_connection() -> None:
    """Two would write to it, and the request would not hear of its end."""
    app, request = App(), "GET /{path} HTTP/1.1\r\nHost: here\r\n\r\n"
    for waiting in (1, 33):
        async with running(app) as address, dialled(address) as client:
            client.send(request.format(path="later") * waiting + UPGRADE.format(path="") + "\r\n")
            async with asyncio.timeout(SOON):
                assert await client.ended() == b""
    assert app.connections.empty()


@on_each_loop
async def test_a_head_that_only_the_websocket_parser_refuses_is_answered() -> None:
    async with running(App()) as address, dialled(address) as client:
        client.send(UPGRADE.format(path="") + "x: " + "y" * 9000 + "\r\n\r\n")
        assert (await client.ended()).startswith(b"HTTP/1.1 431 ")


@on_each_loop
async def test_a_message_over_the_limit_is_closed_with_1009_and_the_client_learns_it() -> None:
    app = App()
    async with (
        running(app, limits=HostLimits(message_size=1000)) as address,
        upgraded(app, address) as (connection, client),
    ):
        client.send(b"\x81\xff" + (5_000_000).to_bytes(8) + bytes(4) + b"x" * 4_000_000)
        last_words = await client.reader.read()  # to a clean end: no reset may overtake them
        assert last_words[2:4] == (1009).to_bytes(2)
        assert await connection.closed == 1009


# Who comes while it closes


@on_each_loop
async def test_nobody_who_comes_while_it_closes_is_left_waiting() -> None:
    for turns in range(8):  # of the loop, between his coming and the end
        async with running(App()) as address:
            client = socket.create_connection((address.host, address.port))
            for _ in range(turns):
                await turn()
        client.settimeout(SOON)
        with client, suppress(ConnectionResetError):
            assert client.recv(1) == b"", f"after {turns} turns"
