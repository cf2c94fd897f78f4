"""Answers that take their time: sent in pieces, and given up when the client leaves.

The lines of a page (protocol.md 8.1) together are one JSON document, cut so that each item can be
read when it comes: the first line opens the list, an item has a line of its own, the last line
closes the list and has no end.

Not here: what is in a page (search.py).
"""

from asyncio import TaskGroup
from collections.abc import Coroutine
from typing import Any, Final

from starlette.types import Receive, Send

from rtflow.wire.codec import encode

__all__ = ["Page", "while_there"]

HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy before us shall not gather the lines
]


async def while_there(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work of a request without a body; cancel it when the client leaves.

    Raises what it raises. (Any: what it waits for is asyncio's.)
    """
    async with TaskGroup() as tasks:
        working = tasks.create_task(_outcome(work))
        watching = tasks.create_task(_gone(receive))
        working.add_done_callback(lambda _: watching.cancel())
        watching.add_done_callback(lambda _: working.cancel())
    if not working.cancelled() and (failure := working.result()) is not None:
        raise failure


async def _outcome(work: Coroutine[Any, Any, None]) -> Exception | None:
    """Hand a failure out as a value: a group would wrap it."""
    try:
        await work
    except Exception as exc:
        return exc
    return None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Page:
    """One page on its way. What is refused must be so before its first line."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False
        self.count = 0

    async def add(self, item: object) -> None:
        """Send an item."""
        await self._begin()
        comma = b"," if self.count else b""
        self.count += 1
        await self._write(comma + encode(item) + b"\n")

    async def end(self, cursor: str | None) -> None:
        """Send the end. `cursor` asks for the next page; None: there is no more."""
        await self._begin()
        rest = b"" if cursor is None else b',"cursor":' + encode(cursor)
        await self._write(b"]" + rest + b"}", more=False)

    async def _begin(self) -> None:
        if self.has_begun:
            return
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await self._write(b'{"data":[\n')

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
