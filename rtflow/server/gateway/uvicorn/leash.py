"""A transport that ends when it was told to, and the log that keeps what clients send to itself.

Not here: who ends a connection, and when (http.py, websocket.py, server.py).
Invariant: a transport that is closing has a deadline.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from contextlib import suppress
from typing import Any, cast

__all__ = ["LOGGER", "Leash"]

LOGGER = logging.getLogger("rtflow.server.uvicorn")
# Warnings are one for each thing that is no request: whoever sends them could fill the disk. Below
# that uvicorn and websockets log request lines, with tokens.
LOGGER.setLevel(logging.ERROR)


NO_FAULTS = (asyncio.CancelledError, UnicodeDecodeError)


def is_fault(record: logging.LogRecord) -> bool:
    """Tell the application's faults from its tasks that the server has cancelled to stop, and from
    what clients send that is no UTF-8."""
    return not (record.exc_info and isinstance(record.exc_info[1], NO_FAULTS))


LOGGER.addFilter(is_fault)

RESET = struct.pack("ii", 1, 0)  # SO_LINGER without time: closing drops the buffers and sends RST


class Leash:
    """An asyncio transport whose `close` becomes an `abort` after `linger` seconds.

    asyncio's `close` flushes first, for ever if the peer does not read. Its `abort` leaves what
    the kernel has taken to the kernel, which tries for minutes; ours is a reset.
    """

    __slots__ = ("_deadline", "_ended", "_loop", "linger", "raw")

    def __init__(
        self, raw: asyncio.Transport, loop: asyncio.AbstractEventLoop, linger: float
    ) -> None:
        self.raw, self._loop, self.linger = raw, loop, linger
        self._deadline: asyncio.TimerHandle | None = None
        self._ended = False

    def __getattr__(self, name: str) -> Any:  # Any: whatever asyncio's transport has there
        return getattr(self.raw, name)

    def close(self) -> None:
        """Flush, then close; reset when that takes too long."""
        if not self.raw.is_closing():
            self._deadline = self._loop.call_later(self.linger, self.abort)
        self.raw.close()

    def abort(self) -> None:
        """Reset the connection now."""
        if not self._ended:
            self.end()
            with suppress(OSError):  # the peer was faster
                self.set_option(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.raw.abort()

    def end(self) -> None:
        """Let go: the connection is lost, or about to be."""
        self._ended = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def set_option(self, level: int, option: int, value: int | bytes) -> None:
        """Set an option of the socket, if there is one."""
        if (sock := self.raw.get_extra_info("socket")) is not None:
            sock.setsockopt(level, option, value)

    def as_transport(self) -> asyncio.Transport:
        """Return it as what it is to uvicorn."""
        return cast("asyncio.Transport", self)  # by __getattr__, which type checkers cannot see
