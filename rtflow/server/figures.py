"""Figures: what an app has done since it was made, as plain numbers that its parts count up.

To add to an attribute is all that a part pays, however often something happens. What the numbers
are called, what they mean and how they are written is the matter of whoever asks (metrics.py).

Not here: what is the case at a moment, such as the length of a queue: the parts are asked for that.
Invariants: no figure goes down. None is kept by anything that a client chooses, such as an id.
"""

from bisect import bisect_left
from collections import Counter
from typing import Final

from rtflow.wire.endpoints import ALL, Kind

__all__ = ["Figures", "Spread", "StoreFigures", "Tally"]

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
COMMANDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Spread:
    """How values are spread. `bounds` are the largest values of its classes; one more is above."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tally:
    """What became of requests of one kind, and how long they `took` (with others of their kind)."""

    __slots__ = ("done", "refused", "took")

    def __init__(self, took: Spread) -> None:
        self.done = 0
        self.refused = Counter[int]()  # by status
        self.took = took

    def add(self, status: int, seconds: float) -> None:
        """Count one more."""
        if status == 200:
            self.done += 1
        else:
            self.refused[status] += 1
        self.took.add(seconds)


class StoreFigures:
    """Those of a database."""

    def __init__(self) -> None:
        self.commits = Spread()
        self.groups = Spread(COMMANDS)
        self.lost_groups = 0
        self.crowded_out = 0  # commands that were refused because too many waited
        self.committed_at = 0.0  # when the newest changes were committed; 0: none yet


class Figures:
    """Those of one app. Seconds are those of `time.perf_counter`."""

    def __init__(self) -> None:
        # Requests, over websockets and HTTP
        self.took = {kind.value: Spread() for kind in Kind} | {"http": Spread()}
        self.requests = {it.name: Tally(self.took[it.kind.value]) for it in ALL}
        self.unreadable = Counter[int]()  # by status: what was refused before it was known what
        # Connections
        self.connections = 0  # that were let in
        self.refused_handshakes = Counter[str]()  # by code
        self.cut_off = Counter[str]()  # by reason
        self.frames_in = self.frames_out = self.bytes_out = 0
        # Events
        self.events = 0  # each for each connection that was told
        self.conflated = 0  # changes that were told as one with another
        self.fallen_behind = 0  # times that everybody was sent away for want of time
        self.lag = Spread()
        # Clients that come back
        self.returned = self.replayed = self.retold = 0
        # Files
        self.uploaded = 0  # bytes

    def of_http(self, request: str) -> Tally:
        """Return the tally of a request over HTTP; `request` is its method and route."""
        tally = self.requests.get(request)
        if tally is None:
            tally = self.requests[request] = Tally(self.took["http"])
        return tally
