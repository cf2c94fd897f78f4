"""How fast one connection may ask, and its user on all of his.

Not here: what is said to who is too fast (peer.py), how a rate is kept (rtflow.server.rates).
"""

from collections.abc import Callable

from rtflow.server.rates import Bucket, Buckets, Rate

__all__ = ["Pace"]


class Pace:
    """That of one connection. `users` is shared by all; `ticks` is a clock that never goes back."""

    __slots__ = ("_bucket", "_ticks", "_user_id", "_users")

    def __init__(
        self, rate: Rate | None, users: Buckets | None, user_id: str, ticks: Callable[[], float]
    ) -> None:
        self._bucket = None if rate is None else Bucket(rate)
        self._users, self._user_id, self._ticks = users, user_id, ticks

    def is_too_fast(self) -> bool:
        """Count one more request, unless it is one too many."""
        if self._bucket is None and self._users is None:
            return False
        now = self._ticks()
        if self._bucket is not None and self._bucket.take(now):
            return True
        return self._users is not None and self._users.take(self._user_id, now) > 0
