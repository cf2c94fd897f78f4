"""uvicorn's server, with an end: our farewell, then uvicorn's, whatever clients do.

Not here: sockets, and what a signal means to the caller (rtflow.server.serve), one connection
(http.py, websocket.py).
Invariant: when `shutdown` has returned there is no listener, no connection and no lifespan; it
returns within the time that limits.py adds up.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, cast

import uvicorn

from rtflow.server.gateway.uvicorn.config import HostConfig
from rtflow.server.gateway.uvicorn.lifespan import Lifespan

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from types import FrameType

    from starlette.types import ASGIApp

    from rtflow.server.gateway.uvicorn.http import HttpProtocol
    from rtflow.server.gateway.uvicorn.limits import HostLimits
    from rtflow.server.gateway.uvicorn.websocket import WebSocketProtocol

__all__ = ["Server"]

logger = logging.getLogger(__name__)

TICK = 0.01  # how often a farewell looks whether it is over
TURNS = 2  # of the loop, until whoever was accepted is a connection
GRACE = 0.2  # for a task that was told that its connection is gone; again when it is cancelled


class Server(uvicorn.Server):
    """A server for sockets that listen already: `start`, then `main_loop`, then `shutdown`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        drain: Callable[[], Awaitable[None]] | None = None,
        limits: HostLimits,
    ) -> None:
        super().__init__(HostConfig(app, limits))
        self.limits, self.drain = limits, drain
        self.lifespan = Lifespan(app)
        self.servers: list[asyncio.Server] = []

    async def start(self, sockets: list[socket.socket]) -> None:
        """Start the application, then accept on these sockets. Leaves nothing when it raises."""
        try:
            await self.startup(sockets)
        except BaseException:
            await self.shutdown()
            raise

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at a second Ctrl-C without courtesy. (uvicorn also dies of the signal, at last.)"""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, drain, send everybody away, cut off who stays, end the application."""
        try:
            await self._stop_listening()
            await self._drain()
            await self._send_away()
        finally:
            await self._cut_off()
            await self._end_application()

    async def _stop_listening(self) -> None:
        """Accept nobody any more.

        asyncio's own loop takes two turns to make a connection of whom it has accepted, and forgets
        him if the listener is closed meanwhile: nobody serves him, and nobody hangs up. So it is
        told to look for nobody any more, gets its turns, and then the listeners are closed.
        """
        loop = asyncio.get_running_loop()
        try:
            if isinstance(loop, asyncio.SelectorEventLoop):
                for listener in self.servers:
                    for sock in listener.sockets:
                        loop.remove_reader(sock.fileno())
                for _ in range(TURNS):
                    await asyncio.sleep(0)
        finally:
            for listener in self.servers:
                listener.close()

    async def _drain(self) -> None:
        """Let the application say goodbye, for so long and no longer."""
        if self.drain is None:
            return
        async with asyncio.TaskGroup() as group:
            farewell = group.create_task(self._say_farewell(self.drain))
            await self._politely(farewell.done, self.limits.drain_timeout)
            if not farewell.done() and not self.force_exit:
                logger.warning("the farewell took over %g s", self.limits.drain_timeout)
            farewell.cancel()

    async def _say_farewell(self, drain: Callable[[], Awaitable[None]]) -> None:
        try:
            await drain()
        except Exception:  # whatever it is, it must not keep the server from stopping
            logger.exception("the farewell failed")

    async def _send_away(self) -> None:
        """Ask every connection to end, also one that appears meanwhile, and wait for them."""
        state, asked = self.server_state, set[object]()

        def is_empty() -> bool:
            for connection in state.connections - asked:
                connection.shutdown()
                asked.add(connection)
            return not state.connections and not state.tasks

        await self._politely(is_empty, self.limits.close_timeout)

    async def _cut_off(self) -> None:
        """Abort what is left. Applications are told, then cancelled if they did not listen."""
        state = self.server_state
        for connection in list(state.connections):
            cast("HttpProtocol | WebSocketProtocol", connection).leash.abort()  # config.py's choice
        await self._until(lambda: not state.tasks and not state.connections, GRACE)
        if state.tasks:
            logger.warning("cancelled %d requests that had not ended", len(state.tasks))
        for task in list(state.tasks):
            task.cancel("the server has stopped")
        await self._until(lambda: not state.tasks, GRACE)

    async def _end_application(self) -> None:
        patience = GRACE if self.force_exit else self.limits.lifespan_timeout
        try:
            await self.lifespan.shutdown(patience)
        except TimeoutError:
            logger.error("the application did not end within %g s", patience)

    async def _politely(self, is_true: Callable[[], bool], seconds: float) -> None:
        """Wait for it, but not past a second Ctrl-C."""
        await self._until(lambda: is_true() or self.force_exit, seconds)

    async def _until(self, is_true: Callable[[], bool], seconds: float) -> None:
        """Wait for it, but no longer than that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        # No event to wait for: uvicorn keeps plain sets, and a signal handler sets force_exit.
        while not is_true() and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(TICK)
