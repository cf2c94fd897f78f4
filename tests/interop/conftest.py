"""What the tests with the official client share: Node with its packages, and two kinds of server.

`make interop` runs them. pytest does not come here by itself (`norecursedirs`): they need Node,
npm's registry once, and time.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from rtflow.testing import ServerProcess
from rtflow.testing.plugin import StartServer
from tests.interop.node import Node, NoNode, installed

SECRET = "a secret of the tests, of more than thirty-two bytes"

Serve: TypeAlias = Callable[[], Awaitable[ServerProcess]]


@pytest.fixture(scope="session")
def node() -> Node:
    """Node, and beside the scenarios the packages that they import."""
    try:
        return installed()
    except NoNode as problem:
        pytest.exit(str(problem), returncode=1)


@pytest.fixture(params=[None, SECRET], ids=["development", "jwt"])
def secret(request: pytest.FixtureRequest) -> str | None:
    """The key of the server: with none it is in development mode."""
    key: str | None = request.param
    return key


@pytest.fixture
def serve(server_process: StartServer, secret: str | None) -> Serve:
    """`server = await serve()`: `rtflow serve` on a port and a database of its own."""

    async def serve() -> ServerProcess:
        return await server_process(secret=secret)

    return serve
