"""HTTP clients of the running server, as somebody or as nobody."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack

import httpx2
import pytest

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
