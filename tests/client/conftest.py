"""The scripted servers, for tests of the client's connection."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.client.http_peer import http_peer
from tests.client.place import Place
from tests.client.scripted import ScriptedServer, scripted_server


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as script:
        yield script


@pytest_asyncio.fixture
async def place(scripted: ScriptedServer) -> AsyncIterator[Place]:
    async with http_peer() as http:
        yield Place(scripted, http)
