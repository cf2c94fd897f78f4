"""The host as a whole: where it listens, how it starts, and that it stops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from rtflow.server.serve import Address, CannotListen, running, serve
from tests.server.gateway.hosting import (
    BRIEF,
    LOOPS,
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
    from collections.abc import AsyncGenerator, Generator

    from starlette.types import Receive, Scope, Send


# Addresses


@on_each_loop
async def test_the_default_host_is_both_loopback_addresses_at_one_free_port() -> None:
    async with running(App()) as address:
        assert address.port > 0
        assert address.url == f"http://127.0.0.1:{address.port}"
        for host in ("127.0.0.1", "::1"):
            async with dialled(Address(host, address.port)) as client:
                client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                await client.until(b"ok")


@on_each_loop
async def test_an_ipv6_host_is_that_alone() -> None:
    async with running(App(), host="::1") as address:
        assert address.url == f"http://[::1]:{address.port}"
        async with dialled(address) as client:
            client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            await client.until(b"ok")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", address.port)


@contextlib.contextmanager
def port_of_our_own() -> Generator[int]:
    """A port that nobody else gets, on both loopback addresses. SO_REUSEADDR lets us listen there.

    One that is free on one address may be somebody's on the other one.
    """
    while True:
        with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
            for each in (four, six):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            four.bind(("127.0.0.1", 0))
            port = int(four.getsockname()[1])
            with contextlib.suppress(OSError):
                six.bind(("::1", port))
                yield port
                return


@pytest.mark.parametrize(("host", "named"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
async def test_a_taken_port_is_one_clear_line(host: str, named: str) -> None:
    app = App()
    with port_of_our_own() as port:
        async with running(App(), host=host, port=port) as taken:
            with pytest.raises(CannotListen) as refused:
                async with running(app, port=port):
                    pass
    assert refused.value.errno == errno.EADDRINUSE
    assert str(refused.value) == (
        f"cannot listen on {named}:{taken.port}: another program has it; "
        "stop that one, or choose another port (0 takes a free one)"
    )
    assert app.lived == []


async def test_other_bad_addresses_are_clear_too() -> None:
    for host, why in {
        "192.0.2.1": "cannot listen on 192.0.2.1:0: Cannot assign requested address",
        "nowhere.invalid": "cannot listen on nowhere.invalid:0: ",
    }.items():
        with pytest.raises(CannotListen) as refused:
            async with running(App(), host=host):
                pass
        assert str(refused.value).startswith(why)
    with pytest.raises(ValueError, match="port is 65536"):
        async with running(App(), port=65536):
            pass


@on_each_loop
async def test_a_port_can_be_had_again_at_once() -> None:
    app, port = App(), 0
    for _ in range(3):
        async with running(app, port=port) as address, connect(f"ws://{address}") as client:
            port = address.port
            (await app.connections.get()).transport.close(1000)  # we close first: TIME_WAIT is ours
            await client.wait_closed()


# Start and stop


@on_each_loop
async def test_a_failed_start_raises_what_the_application_raised_and_frees_the_port() -> None:
    class TooNew(Exception):
        pass

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "as Starlette does"})
        raise TooNew

    async with running(App()) as address:
        pass
    with pytest.raises(TooNew):
        async with running(app, port=address.port):
            pass
    async with running(App(), port=address.port):
        pass


@on_each_loop
async def test_an_application_that_does_not_end_is_left() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    async with asyncio.timeout(SOON), running(app, limits=BRIEF):
        pass


@on_each_loop
async def test_a_fault_in_the_body_passes_unchanged_and_the_application_ends() -> None:
    app, fault = App(), KeyError("mine")
    with pytest.raises(KeyError) as raised:
        async with running(app):
            raise fault
    assert raised.value is fault
    assert app.lived == ["lifespan.startup", "lifespan.shutdown"]


@on_each_loop
async def test_clients_get_the_farewell_then_1012() -> None:
    app = App()

    async def drain() -> None:
        connection.transport.send_texts([b"farewell"])

    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running(app, drain=drain))
        client = await connect(f"ws://{address}")
        connection = await app.connections.get()
        stop = asyncio.create_task(stack.pop_all().aclose())
        assert await client.recv() == "farewell"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert await connection.closed == 1012
        await stop
    assert app.lived[-1] == "lifespan.shutdown"


@on_each_loop
async def test_a_client_that_is_stuck_in_its_own_goodbye_stops_nothing() -> None:
    app = App()
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running(app))
        async with stuck(app, address) as (connection, client):
            client.send(client_frame(8, (1000).to_bytes(2)))
            assert await connection.closed == 1000
            await stack.pop_all().aclose()
    assert app.lived[-1] == "lifespan.shutdown"


@on_each_loop
async def test_a_farewell_that_fails_or_hangs_stops_nothing() -> None:
    async def fails() -> None:
        raise RuntimeError("no farewell today")

    async def hangs() -> None:
        await asyncio.Event().wait()

    for drain in (fails, hangs):
        app = App()
        async with asyncio.timeout(SOON), running(app, drain=drain, limits=BRIEF):
            pass
        assert app.lived[-1] == "lifespan.shutdown"


@on_each_loop
async def test_a_request_in_flight_may_end_when_the_server_stops() -> None:
    app = App()

    async def drain() -> None:
        app.may_answer.set()

    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running(app, drain=drain))
        async with dialled(address) as client:
            client.send("GET /later HTTP/1.1\r\nHost: here\r\n\r\n")
            await app.requests.get()
            stop = asyncio.create_task(stack.pop_all().aclose())
            assert (await client.ended()).endswith(b"\r\n\r\nok")
            await stop


@on_each_loop
async def test_a_served_application_stops_when_cancelled() -> None:
    app = App()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(app, port=0, on_listening=lambda _, taken: port.set_result(taken))
    )
    before = signal.getsignal(signal.SIGTERM)
    async with connect(f"ws://127.0.0.1:{await port}") as client:
        assert signal.getsignal(signal.SIGTERM) != before
        serving.cancel()
        await client.wait_closed()
        assert client.close_code == 1012
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert signal.getsignal(signal.SIGTERM) == before
    assert app.lived[-1] == "lifespan.shutdown"


async def test_no_token_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    caplog.set_level(logging.NOTSET)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    async with running(app) as address, upgraded(app, address), dialled(address) as client:
        client.send("GET /?token=hush HTTP/1.1\r\nHost: here\r\n\r\n")
        await client.until(b"ok")
    assert "hush" not in caplog.text


# A process of its own


@asynccontextmanager
async def process(*arguments: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, Address]]:
    """The server as a program, and where it listens."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.server.gateway.hosting", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert program.stdout is not None
        yield program, Address("127.0.0.1", int(await program.stdout.readline()))
    finally:
        if program.returncode is None:
            program.kill()
        await program.communicate()


@pytest.mark.parametrize(("loop", "drain"), [("asyncio", "slowly"), ("uvloop", "quickly")])
async def test_sigterm_ends_the_process_within_five_seconds_whatever_clients_do(
    loop: str, drain: str
) -> None:
    async with process(loop, drain) as (program, address), AsyncExitStack() as stack:
        polite = await stack.enter_async_context(connect(f"ws://{address}"))
        for request in (
            UPGRADE.format(path="flood") + "\r\n",  # does not read
            UPGRADE.format(path="") + "\r\n",  # never answers the close frame
            UPGRADE.format(path=""),  # half a handshake
            "GET /lat",
            "",
            "GET /later HTTP/1.1\r\nHost: here\r\n\r\n",  # never answered
        ):
            client = await stack.enter_async_context(dialled(address))
            client.send(request)
        client = await stack.enter_async_context(dialled(address))
        client.send("GET /filled HTTP/1.1\r\nHost: here\r\n\r\n")
        await client.until(b"ok")

        start = now()
        program.terminate()
        assert await polite.recv() == "farewell"
        with pytest.raises(ConnectionClosed) as closed:
            await polite.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        said, complaints = await program.communicate()
        assert now() - start < 5
    assert said.decode().split() == ["farewell", "lifespan.shutdown"]
    assert complaints.decode().splitlines() == [
        *(["the farewell took over 2 s"] if drain == "slowly" else []),
        "cancelled 1 requests that had not ended",
    ]
    assert program.returncode == 0


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_second_ctrl_c_ends_at_once(loop: str) -> None:
    async with process(loop, "slowly") as (program, address), connect(f"ws://{address}"):
        assert program.stdout is not None
        program.send_signal(signal.SIGINT)
        assert await program.stdout.readline() == b"farewell\n"
        program.send_signal(signal.SIGINT)
        said, complaints = await program.communicate()
    assert said.decode().split() == ["lifespan.shutdown"]
    assert complaints == b""  # else: the farewell took over 2 s
    assert program.returncode == 0
