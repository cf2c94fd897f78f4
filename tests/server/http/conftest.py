"""HTTP clients of the running server, as somebody or as nobody."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack

import httpx2
import pytest

from tests.server.conftest import People
from tests.server.raw import RawClient

Login = Callable[[str], httpx2.AsyncClient]


@pytest.fixture
async def login(url: str) -> AsyncGenerator[Login]:
    """`login("alice")` is a client that shows Alice's boken; `login("")` shows none."""
    async with AsyncExitStack() as clients:
        made: list[httpx2.AsyncClient] = []

        def make(user: str) -> httpx2.AsyncClient:
            headers = {"Authorization": f"Bearer development:{user}"} if user else {}
            made.append(httpx2.AsyncClient(base_url=url, headers=headers))
            clients.push_async_callback(made[-1].aclose)
            return made[-1]

        yield make


@pytest.fixture
async def alice(people: People) -> RawClient:
    """Alice, who is in the conversation `lunch`."""
    (alice,) = await people("alice")
    await alice.found("lunch")
    return alice
