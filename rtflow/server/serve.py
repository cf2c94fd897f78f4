"""Serve an ASGI application: open the sockets, host it, stop when told.

Two faces of one thing: `serve` for a process of its own (signals), `running` for a loop that
runs already (tests, notebooks).

Not here: the application (app.py), how connections are kept and ended (gateway/uvicorn), the
command line.
Invariant: when either has ended, no socket, task or signal handler of ours is left.
"""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from rtflow.server.gateway.uvicorn import HostLimits, Server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from starlette.types import ASGIApp

__all__ = ["DEFAULT_HOST", "Address", "CannotListen", "HostLimits", "running", "serve"]

DEFAULT_HOST = "127.0.0.1"
ATTEMPTS = 20  # to find a port that is free on both loopback addresses
BACKLOG = 2048


class CannotListen(OSError):
    """An address cannot be listened on. `errno` says why, `str()` is one line for people."""

    def __str__(self) -> str:
        return str(self.strerror)


class Address(Struct, frozen=True):
    """Where a server listens."""

    host: str
    """The name or the address of this machine."""

    port: int
    """The port, never 0."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for clients on this machine."""
        return f"http://{self}"


async def serve(
    app: ASGIApp,
    *,
    host: str = DEFAULT_HOST,
    port: int,
    on_listening: Callable[[str, int], None],
    drain: Callable[[], Awaitable[None]] | None = None,
    limits: HostLimits = HostLimits(),  # noqa: B008  it is frozen
) -> None:
    """Serve until SIGINT or SIGTERM, or until cancelled; then stop within five seconds.

    `on_listening` is called with the host and the port (with `port=0` the one that was free) when
    requests are accepted. `drain` is awaited when the server stops, after it has stopped listening
    and before clients are sent away with 1012: the time to tell them and to empty outboxes.

    Returns normally after a signal. A second SIGINT skips all courtesy. Signals are seen in the
    main thread only. Raises `CannotListen`, and what the application's lifespan raises.
    """
    with listening(host, port) as sockets:
        server = Server(app, drain=drain, limits=limits)
        await server.start(sockets)
        with server.capture_signals():
            try:
                on_listening(host, port_of(sockets))
                await server.main_loop()
            finally:
                await server.shutdown()


@asynccontextmanager
async def running(
    app: ASGIApp,
    *,
    host: str = DEFAULT_HOST,
    port: int = 0,
    drain: Callable[[], Awaitable[None]] | None = None,
    limits: HostLimits = HostLimits(),  # noqa: B008  it is frozen
) -> AsyncGenerator[Address]:
    """Serve while the body runs, in the loop that runs already; signals are left alone.

    No task of ours runs meanwhile, so HTTP responses carry no Date.
    """
    with listening(host, port) as sockets:
        server = Server(app, drain=drain, limits=limits)
        await server.start(sockets)
        try:
            yield Address(host, port_of(sockets))
        finally:
            await server.shutdown()


@contextmanager
def listening(host: str, port: int) -> Generator[list[socket.socket]]:
    """Listen on every address of `host`, at one port; 0 is one that is free on all of them.

    The default host stands for both loopback addresses, 127.0.0.1 and ::1: `localhost` is either,
    depending on the client. An address that this machine does not have is left out, but one that
    is taken is an error, also ::1: else some clients of `localhost` would reach another program.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port is {port}: it must be 0 to 65535")
    names = (DEFAULT_HOST, "::1") if host == DEFAULT_HOST else (host,)
    addresses = [address for name in names for address in resolve(name, port)]
    sockets = open_at_one_port(addresses, port)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def open_at_one_port(
    addresses: list[tuple[socket.AddressFamily, str]], port: int
) -> list[socket.socket]:
    """Listen on these addresses. A port that 0 found free on the first may be taken on the next."""
    for _ in range(ATTEMPTS if port == 0 else 0):
        with suppress(CannotListen):
            return open_sockets(addresses, port)
    return open_sockets(addresses, port)


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Return the addresses that a name stands for, each once."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as exc:
        raise refusal(host, port, exc) from exc
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def open_sockets(
    addresses: list[tuple[socket.AddressFamily, str]], port: int
) -> list[socket.socket]:
    """Listen on each of these addresses that exists here, at the same port, or on none."""
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        absence: CannotListen | None = None
        for family, host in addresses:
            try:
                sock = open_socket(family, host, port_of(sockets) if sockets else port)
            except CannotListen as exc:
                if exc.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                absence = exc
            else:
                sockets.append(opened.enter_context(sock))
        if absence is not None and not sockets:
            raise absence
        opened.pop_all()
        return sockets


def open_socket(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """Listen on one address, also where old connections linger after a restart (SO_REUSEADDR)."""
    try:
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        raise refusal(host, port, exc) from exc
    sock.setblocking(False)
    return sock


def port_of(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def refusal(host: str, port: int, cause: OSError) -> CannotListen:
    if cause.errno == errno.EADDRINUSE:
        why = "another program has it; stop that one, or choose another port (0 takes a free one)"
    else:
        why = str(cause.strerror).partition(" (while ")[0]
    return CannotListen(cause.errno, f"cannot listen on {Address(host, port)}: {why}")
