from collections.abc import AsyncIterator

import pytest

from rtflow.testing import ServerProcess


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Where a fresh `rtflow serve` listens."""
    async with ServerProcess(":memory:") as server:
        yield server.url
