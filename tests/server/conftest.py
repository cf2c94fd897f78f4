"""A running server for each test, on a free port, and people who are connected to it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any

import pytest

from rtflow.server import Settings, running
from tests.server.raw import RawClient, join

Join = Callable[..., AbstractAsyncContextManager[RawClient]]


@pytest.fixture
def settings() -> Settings:
    """What `url` runs with; to be overridden."""
    return Settings(database=":memory:", port=0)


@pytest.fixture
async def url(settings: Settings) -> AsyncGenerator[str]:
    """The base URL of a running server."""
    async with running(settings) as address:
        yield address.url


@pytest.fixture
async def people(url: str) -> AsyncGenerator["People"]:
    """`alice, bob = await people("alice", "bob")`: connected, known, and gone after the test."""
    async with AsyncExitStack() as connections:
        yield People(url, connections)


class People:
    """Connects users."""

    def __init__(self, url: str, connections: AsyncExitStack) -> None:
        self._join = partial(join, url)
        self._connections = connections

    async def __call__(self, *users: str, **options: Any) -> list[RawClient]:
        """Connect each of these users. Options are those of `join`."""
        return [
            await self._connections.enter_async_context(self._join(user, **options))
            for user in users
        ]
