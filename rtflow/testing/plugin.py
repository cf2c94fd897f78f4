"""The pytest plugin: fixtures with real parts, and a proof after each test that nothing is left.

Switch it on in the topmost `conftest.py`: `pytest_plugins = ["rtflow.testing.plugin"]`. It needs
pytest-asyncio, in either mode. Fixtures: `server_settings`, `server`, `link`, `open_session`,
`session`, `server_process`, `clock`.

Not here: the parts (server.py, link.py), how leaks are found (leaks.py).

Pytest sets autouse fixtures of plugins up before all others of the same scope and tears down in
reverse: so the proof comes after every function-scoped fixture is gone, while the loop still runs.
That loop is the one that pytest-asyncio gives to function-scoped fixtures; tasks on a loop of wider
scope are not seen, their threads and sockets are.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import pytest_asyncio

from rtflow.testing.clock import Clock
from rtflow.testing.leaks import Alive, alive, left_in_thread, left_on_loop
from rtflow.testing.link import Link
from rtflow.testing.server import RunningServer, ServerProcess, serving

if TYPE_CHECKING:
    from rtflow import Session
    from rtflow.server import Settings

__all__ = [
    "OpenSession",
    "StartServer",
    "clock",
    "link",
    "open_session",
    "server",
    "server_process",
    "server_settings",
    "session",
]

OpenSession: TypeAlias = "Callable[..., Awaitable[Session]]"
StartServer: TypeAlias = Callable[..., Awaitable[ServerProcess]]

MARKER = "leaks_allowed(reason): this test may leave tasks, threads, files and sockets behind."


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a task, a thread, a file or a socket behind.

    Opt out with `@pytest.mark.leaks_allowed("why")`.
    """
    if (marker := request.node.get_closest_marker("leaks_allowed")) is not None:
        assert marker.args, "leaks_allowed needs a reason"
        yield
    elif request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("nothing_is_left_on_the_loop")
        yield
    else:
        earlier = alive()
        yield
        judge(left_in_thread(earlier))


@pytest_asyncio.fixture
async def nothing_is_left_on_the_loop() -> AsyncIterator[None]:
    """The part of `nothing_is_left` that needs the test's event loop."""
    earlier = alive()
    yield
    judge(await left_on_loop(earlier))


def judge(left: Alive) -> None:
    """Fail the test that left this."""
    if left:
        pytest.fail(f"the test left something behind:\n{left}", pytrace=False)


@pytest.fixture
def server_settings() -> "Settings":
    """What `server` runs with: in memory, development mode. To be overridden."""
    from rtflow.server import Settings

    return Settings(database=":memory:", secret=None)


@pytest_asyncio.fixture
async def server(server_settings: "Settings") -> AsyncIterator[RunningServer]:
    """A server inside this process, on a free port."""
    async with serving(server_settings) as running:
        yield running


@pytest_asyncio.fixture
async def clock() -> Clock:
    """The time of the test's event loop, in your hand."""
    return Clock()


@pytest_asyncio.fixture
async def link(server: RunningServer) -> AsyncIterator[Link]:
    """A link in front of `server`, without a fault so far."""
    async with Link("127.0.0.1", server.port) as link:
        yield link


@pytest_asyncio.fixture
async def open_session(server: RunningServer) -> AsyncIterator[OpenSession]:
    """`await open_session("alice", server=link.url, ...)`: a session that is closed after the test.

    Takes what `rtflow.Session` takes; `server` is the fixture of that name when not given.
    """
    from rtflow import Session

    async with contextlib.AsyncExitStack() as sessions:

        async def open_session(user_id: str, **options: Any) -> Session:  # as Session types them
            options = {"server": server.url, "app_id": "demo", "user_id": user_id, **options}
            return await sessions.enter_async_context(Session(**options))

        yield open_session


@pytest_asyncio.fixture
async def session(open_session: OpenSession) -> "Session":
    """A session of the user "alice"."""
    return await open_session("alice")


@pytest_asyncio.fixture
async def server_process(tmp_path: Path) -> AsyncIterator[StartServer]:
    """`await server_process(secret="...", ...)`: a server process that is gone after the test.

    Takes what `ServerProcess` takes; `database` is a file in `tmp_path` when not given.
    """
    async with contextlib.AsyncExitStack() as processes:

        async def start_server(**options: Any) -> ServerProcess:  # as ServerProcess types them
            options = {"database": tmp_path / "rtflow.db", **options}
            return await processes.enter_async_context(ServerProcess(**options))

        yield start_server
