"""Stats: what a session has done so far, and what it holds now.

The parts of a session count up plain numbers (`Counts`); asked for, they become one frozen picture.

Not here: what is told as it happens (`session.connection`, and the log).
"""

from msgspec import Struct

__all__ = ["Counts", "Stats"]


class Stats(Struct, frozen=True, kw_only=True):
    """A picture of a session, by `session.stats()`. Counts are since it was opened.

    What goes over HTTP (tokens, search, upload) is not in it.
    """

    attempts: int
    """Connections that were tried."""

    connects: int
    """Connections that became live: the server has accepted a token on them."""

    reconnects: int
    """Those of them that came after the first."""

    requests_sent: int
    """Requests that have left, repeats included."""

    requests_answered: int
    """Requests that were answered with what was asked for."""

    requests_failed: int
    """Requests that ended with an error: refused, not answered in time, or lost."""

    requests_retried: int
    """Times that a request was sent again, after a lost connection or because the server was too
    busy."""

    requests_waiting: int
    """Requests that are not settled now."""

    events: int
    """Events that were applied."""

    frames_sent: int
    """Websocket messages to the server, heartbeats included."""

    frames_received: int
    """Websocket messages of the server."""

    bytes_sent: int
    """Bytes of the messages to the server."""

    bytes_received: int
    """Bytes of the messages of the server."""

    resources: int
    """Things that are kept fresh now: what is watched, what that is made of, and what lingers."""

    observers: int
    """Observers, iterators and callbacks of `on` that are served now."""

    conflated: int
    """Values that a newer one has replaced before an iterator or a callback of `on` took them."""

    detached: int
    """Observers and callbacks that raised, and were detached for it."""

    round_trip: float | None
    """Seconds from the last request that was answered (or heartbeat) to its answer; None: there was
    none yet."""


class Counts:
    """What the parts of one session count, each where it happens."""

    __slots__ = (
        "attempts",
        "bytes_received",
        "bytes_sent",
        "conflated",
        "connects",
        "detached",
        "events",
        "frames_received",
        "frames_sent",
        "requests_answered",
        "requests_failed",
        "requests_retried",
        "requests_sent",
        "round_trip",
    )

    def __init__(self) -> None:
        self.attempts = self.connects = self.events = self.conflated = self.detached = 0
        self.frames_sent = self.frames_received = self.bytes_sent = self.bytes_received = 0
        self.requests_sent = self.requests_answered = 0
        self.requests_failed = self.requests_retried = 0
        self.round_trip: float | None = None

    def picture(self, *, waiting: int, resources: int, observers: int) -> Stats:
        """Return what was counted, with what is the case now."""
        return Stats(
            attempts=self.attempts,
            connects=self.connects,
            reconnects=max(0, self.connects - 1),
            requests_sent=self.requests_sent,
            requests_answered=self.requests_answered,
            requests_failed=self.requests_failed,
            requests_retried=self.requests_retried,
            requests_waiting=waiting,
            events=self.events,
            frames_sent=self.frames_sent,
            frames_received=self.frames_received,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            resources=resources,
            observers=observers,
            conflated=self.conflated,
            detached=self.detached,
            round_trip=self.round_trip,
        )
