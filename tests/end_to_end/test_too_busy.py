"""A server that refuses what comes too fast (429): what a session asks keeps its order, however
late it hears of the refusal."""

import asyncio
import time

import pytest

import rtflow
from rtflow.server import Settings
from rtflow.testing import Link, until
from rtflow.testing.plugin import OpenSession
from rtflow.testing.server import RunningServer
from tests.server.scrape import scrape

AT_ONCE = 200  # requests that a rested connection may make
REST = 0.3  # seconds after which the server would take requests again


@pytest.fixture
def server_settings() -> Settings:
    return Settings(database=":memory:", secret=None, max_requests_per_second=AT_ONCE // 10)


@pytest.fixture
async def alice(link: Link, open_session: OpenSession) -> rtflow.Session:
    alice = await open_session("alice", server=link.url, request_timeout=60, linger=0)
    await alice.current_user.create_if_not_exists(name="Alice")
    await alice.conversation("lunch").create_if_not_exists()
    return alice


async def answered(server: RunningServer) -> float:
    """Return how many requests the server has answered, with whatever."""
    figures = (await scrape(server.url)).families["rtflow_requests"]
    return sum(it.value for it in figures.samples if it.name == "rtflow_requests_total")


async def test_a_write_does_not_overtake_one_whose_refusal_is_still_on_its_way(
    server: RunningServer, link: Link, alice: rtflow.Session
) -> None:
    lunch = alice.conversation("lunch")
    before = await answered(server)
    link.stall("down")
    async with asyncio.TaskGroup() as tasks:
        for number in range(AT_ONCE + 20):
            tasks.create_task(lunch.send(str(number)))
        await until(lambda: is_answered(server, before + AT_ONCE + 20))
        rested = time.monotonic() + REST
        await until(lambda: time.monotonic() > rested)
        tasks.create_task(lunch.send("the last word"))
        await until(lambda: is_answered(server, before + AT_ONCE + 21))
        link.resume("down")
    said = await lunch.messages.window(10).get()
    assert said is not None
    last = ["the last word", *(str(AT_ONCE + 19 - it) for it in range(9))]
    assert [message.plaintext for message in said.items] == last


async def is_answered(server: RunningServer, requests: float) -> bool:
    return await answered(server) >= requests
