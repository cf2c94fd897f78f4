"""Whether a client has shown who it is, and until when that holds.

    OPEN ──good token──▶ READY ──bad token, or its time is over──▶ OPEN

A connection may be OPEN only for so long. One timer serves both: the time to show a token, and the
token's end.

What the official client makes of an answer to renew (protocol.md 3) decides three things here.
Less than two minutes is "expired already" to it, and it asks for the next token at once, for ever:
so that is told as "never expires", and its end by `session.expired`. 429 and 500 leave it logged
out without a word: there the connection is closed. And acknowledgements are of no use to us.

Not here: what makes a token good (rtflow.server.auth). Invariant: no timer is left after `end`.
"""

import asyncio
from typing import Final

from rtflow.errors import Unauthorized
from rtflow.model.events import SessionExpiredEvent
from rtflow.server.gateway.node import Node
from rtflow.server.gateway.outlet import Outlet
from rtflow.wire import codec
from rtflow.wire.endpoints import Renewed
from rtflow.wire.server import ServerProtocol, State

__all__ = ["Session"]

EXPIRED_ALREADY: Final = 120  # seconds; less than that is too little for the official client
LONGEST_TIMER: Final = 24 * 3600.0  # seconds; loops refuse or cut short very long ones
SESSION_EXPIRED: Final = codec.encode(SessionExpiredEvent())


class Session:
    """The standing of one connection, which begins without any."""

    __slots__ = (
        "_deadline",
        "_is_counted",
        "_loop",
        "_node",
        "_outlet",
        "_protocol",
        "_refused",
        "_timer",
        "_user_id",
    )

    def __init__(self, node: Node, user_id: str, protocol: ServerProtocol, outlet: Outlet) -> None:
        self._node, self._user_id, self._protocol, self._outlet = node, user_id, protocol, outlet
        self._loop = asyncio.get_running_loop()
        self._is_counted = False
        self._refused = 0  # tokens, since the last good one
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._set_timer(node.limits.authentication)

    def renew(self, token: str) -> Renewed | None:
        """Look at a token. None: the connection was closed, there is nothing to answer.

        Raises `Unauthorized`; the connection may try again, but does not get more time for it.
        """
        try:
            identity = self._node.authenticator.identify(token, self._user_id)
        except Unauthorized:
            if self._protocol.state is State.READY:
                self._lapse()
            self._refused += 1
            if self._refused > self._node.limits.refused_tokens:
                self._outlet.close(1008, "too many bad tokens were shown")
                return None
            raise
        if not self._is_counted:
            if self._node.is_full(self._user_id):
                self._outlet.close(1013, "this user has too many connections")
                return None
            self._node.count(self._user_id)
            self._is_counted = True
        self._refused = 0
        self._protocol.accept()
        self._set_timer(identity.seconds)
        seconds = identity.seconds
        told = None if seconds is None or seconds < EXPIRED_ALREADY else seconds
        return Renewed(expires_in_seconds=told, acks=False)

    def end(self) -> None:
        """The connection has ended. Idempotent."""
        self._set_timer(None)
        if self._is_counted:
            self._is_counted = False
            self._node.uncount(self._user_id)

    def _lapse(self) -> None:
        self._protocol.expire()
        self._set_timer(self._node.limits.authentication)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._deadline = self._loop.time() + seconds
            self._timer = self._loop.call_later(min(seconds, LONGEST_TIMER), self._ring)

    def _ring(self) -> None:
        self._timer = None
        if (left := self._deadline - self._loop.time()) > 0:  # it was a very long time, or rounding
            self._set_timer(left)
        elif self._protocol.state is State.READY:
            self._protocol.publish([SESSION_EXPIRED])
            self._lapse()
            self._outlet.wake()
        else:
            self._outlet.close(1008, "no valid token was shown in time")
