"""The application's lifespan: one task from start to end, whose failures are raised, not logged.

uvicorn's own prints the traceback of a failed start, forgets the exception, calls `sys.exit`,
and waits for the end without limit.

Not here: when to start and stop (server.py), what the application does then (rtflow.server.app).
Invariant: after `shutdown` the task is over, or was cancelled.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

__all__ = ["Lifespan"]


class Lifespan:
    """What `uvicorn.Server.startup` asks of a lifespan (`startup`, `state`), and a bounded end."""

    should_exit = False  # uvicorn's way to tell of a failed start; ours is an exception

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}  # Any: the application's own, copied into every scope
        self._app = app
        self._steps: asyncio.Queue[Message] = asyncio.Queue()
        self._answered, self._answer = asyncio.Event(), ""
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the application; raise what it raises."""
        self._task = asyncio.create_task(self._live())
        try:
            await self._reach(self._task, "lifespan.startup")
        except BaseException:
            await self._cancel(self._task)
            raise

    async def shutdown(self, patience: float) -> None:
        """End the application within `patience` seconds; raise what it raises. Twice is once."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            try:
                async with asyncio.timeout(patience):
                    await self._reach(task, "lifespan.shutdown")
                    await task
            finally:
                await self._cancel(task)

    async def _live(self) -> None:
        scope: dict[str, Any] = {  # Any: see state
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._steps.get, self._send)
        finally:
            self._answered.set()

    async def _send(self, message: Message) -> None:
        self._answer = " ".join(filter(None, (message["type"], message.get("message"))))
        self._answered.set()

    async def _reach(self, task: asyncio.Task[None], step: str) -> None:
        """Ask for a step and wait until the application has taken it, or has failed."""
        self._answered.clear()
        self._answer = f"{step}.returned"
        self._steps.put_nowait({"type": step})
        await self._answered.wait()
        if self._answer != f"{step}.complete":
            if task.done():  # Starlette says "failed", then raises
                task.result()
            raise RuntimeError(f"the application did not get through its {self._answer}")

    async def _cancel(self, task: asyncio.Task[None]) -> None:
        """Make sure that the task is over; one that refuses to be cancelled is left behind."""
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)
