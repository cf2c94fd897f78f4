"""What all connections of this process share.

Invariant: a connection is counted for its user from its first accepted token until it ends; who
has one is connected, for all to see.
"""

from collections import Counter
from collections.abc import Callable
from time import monotonic

from rtflow.server.auth import Authenticator
from rtflow.server.clock import unix_ms
from rtflow.server.domain.rules import Rules
from rtflow.server.figures import Figures
from rtflow.server.gateway.admission import Admission
from rtflow.server.gateway.eager import Eager
from rtflow.server.gateway.fanout import Fanout
from rtflow.server.gateway.journal import Journal
from rtflow.server.gateway.limits import Limits
from rtflow.server.gateway.pace import Pace
from rtflow.server.gateway.points import Points
from rtflow.server.gateway.signals import Signals
from rtflow.server.gateway.translator import Translator
from rtflow.server.rates import Buckets
from rtflow.server.store.interface import Store

__all__ = ["Node"]


class Node:
    """The parts that a connection works with."""

    def __init__(
        self,
        *,
        store: Store,
        fanout: Fanout,
        journal: Journal,
        points: Points,
        eager: Eager,
        authenticator: Authenticator,
        signals: Signals,
        translator: Translator,
        limits: Limits,
        rules: Rules,
        requests: Buckets,
        figures: Figures,
        clock: Callable[[], int] = unix_ms,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self.store, self.fanout, self.eager = store, fanout, eager
        self.journal, self.points = journal, points
        self.authenticator, self.limits, self.rules = authenticator, limits, rules
        self.signals, self.translator, self.clock = signals, translator, clock
        self.figures = figures
        self.admission = Admission(limits, ticks)
        self._ticks, self._requests = ticks, requests
        self._connections: Counter[str] = Counter()
        self._watched: Counter[str] = Counter()

    def pace(self, user_id: str) -> Pace:
        """Return how fast a new connection of this user may ask."""
        users = None if self.limits.requests_per_user is None else self._requests
        return Pace(self.limits.requests, users, user_id, self._ticks)

    @property
    def users(self) -> int:
        """How many users have a connection here."""
        return len(self._connections)

    @property
    def authenticated(self) -> int:
        """How many connections have shown who they are."""
        return self._connections.total()

    def is_full(self, user_id: str) -> bool:
        """Whether this user has as many connections as he may."""
        return self._connections[user_id] >= self.limits.connections_per_user

    def count(self, user_id: str) -> None:
        """Count a connection. `uncount` must follow."""
        self._connections[user_id] += 1
        if self._connections[user_id] == 1:
            self.signals.came(user_id)

    def uncount(self, user_id: str) -> None:
        """A counted connection has ended."""
        self._connections[user_id] -= 1
        if not self._connections[user_id]:
            del self._connections[user_id]
            self.signals.left(user_id)

    def watched(self, user_id: str) -> int:
        """Return how many things this user has asked to watch, on all his connections."""
        return self._watched[user_id]

    def count_watched(self, user_id: str, more: int) -> None:
        """He watches so many more of them, or less."""
        self._watched[user_id] += more
        if not self._watched[user_id]:
            del self._watched[user_id]
