"""The scripted server, for tests of the client's connection."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.client.scripted import ScriptedServer, scripted_server


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as script:
        yield script
