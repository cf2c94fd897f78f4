"""Connections that die without a word: noticed, under our own host and under another one."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed

from rtflow.server import Settings, create_app
from rtflow.testing import Link
from tests.server.conftest import People
from tests.server.raw import RawClient, dial, join

SILENCE = 0.6  # seconds
ONLINE = "/users/bob/online"


@pytest.fixture
def settings() -> Settings:
    return Settings(database=":memory:", port=0, silence_timeout=SILENCE, offline_delay=0)


@asynccontextmanager
async def half_open(url: str, *, lose: bool = True) -> AsyncGenerator[RawClient]:
    """Bob, who watches himself, and whose link lets nothing pass from now on, either way."""
    host, _, port = url.removeprefix("http://").partition(":")
    async with (
        Link(host, int(port)) as link,
        join(link.url, "bob", ping_interval=None, close_timeout=0) as bob,
    ):
        await bob.do("SUBSCRIBE", "/users", {"ids": ["bob"]})
        link.stall(lose=lose)
        yield bob
        link.cut()


async def offline(client: RawClient) -> None:
    await client.until(lambda: [e["diff"] for e in client.events] == [{"isConnected": False}])


async def test_a_half_open_connection_keeps_nobody_online(url: str, people: People) -> None:
    (alice,) = await people("alice")
    async with half_open(url):
        await alice.do("SUBSCRIBE", ONLINE)
        began = time.monotonic()
        await offline(alice)
        assert time.monotonic() - began < 2 * SILENCE


@pytest.mark.parametrize("lose", [True, False], ids=["lost", "held"])
async def test_what_is_said_to_it_does_not_keep_it_alive(
    url: str, people: People, lose: bool
) -> None:
    (alice,) = await people("alice")
    async with half_open(url, lose=lose):
        await alice.do("SUBSCRIBE", ONLINE)
        while not [event for event in alice.events if event["type"] == "user.online.changed"]:
            await alice.do("PUT", "/users/bob", {"welcomeMessage": "x" * 9_000})
    assert (await alice.get(ONLINE)) == {"isConnected": False}


async def test_who_only_listens_and_answers_pings_stays(url: str, people: People) -> None:
    (alice,) = await people("alice")
    async with join(url, "bob") as bob:
        await alice.do("SUBSCRIBE", ONLINE)
        await stays(bob, 3 * SILENCE)
        assert await alice.settle() == []


async def stays(client: RawClient, seconds: float) -> None:
    """Wait and see that the connection does not end."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await client.closed()


@pytest.fixture
async def elsewhere(settings: Settings) -> AsyncGenerator[str]:
    """A server under a host that does not ask whether clients are there."""
    config = uvicorn.Config(
        create_app(settings), log_config=None, timeout_graceful_shutdown=1, ws_ping_interval=None
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


async def test_under_another_host_a_half_open_connection_keeps_nobody_online_either(
    elsewhere: str,
) -> None:
    async with join(elsewhere, "alice") as alice, half_open(elsewhere):
        await alice.do("SUBSCRIBE", ONLINE)
        began = time.monotonic()
        while not alice.events and time.monotonic() - began < 10 * SILENCE:
            await alice.settle()
        assert [event["diff"] for event in alice.events] == [{"isConnected": False}]
        assert time.monotonic() - began < 3 * SILENCE


async def test_under_another_host_who_says_something_in_time_stays(elsewhere: str) -> None:
    async with dial(elsewhere, "bob") as bob:
        began = time.monotonic()
        while time.monotonic() - began < 2 * SILENCE:
            await bob.ask("GET", "/ping")
            await stays(bob, SILENCE / 4)
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(3 * SILENCE):
                await bob.socket.recv()
