"""What an application may do to the connection beneath its websocket, without awaiting anything.

ASGI's `send` waits when a client stops reading, and its close message waits in the same place; its
`receive` wakes a task for each message. Under `rtflow serve` the websocket scope holds a
`Transport` as well, which never waits, and hands messages over in the turn in which they come.

Not here: the implementation (rtflow.server.gateway.uvicorn), what counts as stuck (peer.py).
Invariant: every method returns at once, in every state; after the connection's end it does
nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

__all__ = ["EXTENSION", "SILENT", "Transport", "transport_of"]

EXTENSION = "rtflow.transport"
"""The key in `scope["extensions"]`."""

SILENT = "nothing was heard for too long"
"""The reason of a `websocket.disconnect` when the host gave the client up for dead."""


class Transport(Protocol):
    """The connection beneath one websocket. To be used on the event loop's thread only."""

    @property
    def buffered(self) -> int:
        """Bytes that wait in this process because the kernel does not take more of them."""
        ...

    def hand_to(self, take: Callable[[str | None], None], done: Callable[[], None]) -> None:
        """Call `take` with each message from now on; None is one that is not text. `done` is called
        after all that one read of the socket has brought.

        ASGI's `receive` is left with the disconnect, after which `take` is not called. Only if the
        client did not wait for the handshake its messages come by `receive` all the same.
        """
        ...

    def hold(self) -> None:
        """Hand over nothing more, and read nothing more, until `go_on`."""
        ...

    def go_on(self) -> None:
        """Hand over again, from the next turn on."""
        ...

    def send_texts(self, frames: Sequence[bytes]) -> int:
        """Write text messages (UTF-8) now, in one go: one system call in place of many. Return what
        is `buffered` then.

        Nothing before the handshake or after a close. They are written although the client does not
        read: look at `buffered`. They overtake a `send` of ASGI that still waits, and nothing else.
        """
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame; a client that has not left a moment later is aborted.

        The application is told at once (`websocket.disconnect` with this code); a `send` of ASGI
        that waits, or comes later, raises an `OSError`. Before the handshake this is an abort.
        """
        ...

    def abort(self) -> None:
        """End the TCP connection with a reset; what is buffered is lost.

        The application is told in the next turn of the loop (`websocket.disconnect` with 1006).
        """
        ...


def transport_of(scope: Mapping[str, Any]) -> Transport | None:  # Any: ASGI's free-form dict
    """Return the transport of a websocket scope; None under a host that is not ours."""
    extensions = cast("Mapping[str, object] | None", scope.get("extensions"))
    return cast("Transport | None", (extensions or {}).get(EXTENSION))
