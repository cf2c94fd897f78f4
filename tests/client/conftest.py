"""The scripted servers, for tests of the client's connection; a world, for what it shows."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.client.http_peer import http_peer
from tests.client.place import Place
from tests.client.scripted import ScriptedServer, scripted_server
from tests.client.watcher import Client
from tests.client.world import ME, World


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as script:
        yield script


@pytest_asyncio.fixture
async def place(scripted: ScriptedServer) -> AsyncIterator[Place]:
    async with http_peer() as http:
        yield Place(scripted, http)


@pytest.fixture
def world() -> World:
    """Three users, and a conversation of two of them in which something was said."""
    world = World()
    for id in (ME, "bob", "carol"):
        world.put_user(id, id.title())
    world.join("lunch")
    world.enter("lunch", "bob")
    for number in range(3):
        world.say("lunch", "bob", str(number))
    return world


@pytest.fixture
def client(world: World) -> Client:
    client = Client(world)
    client.asked()
    return client
