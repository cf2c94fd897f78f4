"""Turns: how many requests of one kind may be under way, for each user and for all together.

They refuse rather than let wait: a client that is told so can decide.
"""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from rtflow.errors import ServerFailed, TooManyRequests

__all__ = ["Turns"]


class Turns:
    """`what` is their name in the plural: "searches"."""

    def __init__(self, what: str, *, per_user: int, in_all: int) -> None:
        self._what, self._per_user, self._in_all = what, per_user, in_all
        self._taken = Counter[str]()
        self.begun = self.refused = 0

    @property
    def under_way(self) -> int:
        """How many turns are taken."""
        return self._taken.total()

    @contextmanager
    def taken(self, user_id: str) -> Generator[None]:
        """Take a turn, as long as the body runs. Raises when there is none."""
        if self._taken[user_id] >= self._per_user:
            self.refused += 1
            raise TooManyRequests(
                "TOO_MANY_AT_ONCE",
                f"you have {self._per_user} {self._what} under way; wait until one of them is done",
            )
        if self._taken.total() >= self._in_all:
            self.refused += 1
            raise ServerFailed(
                "TOO_BUSY", f"too many {self._what} are under way; try again soon", status=503
            )
        self._taken[user_id] += 1
        self.begun += 1
        try:
            yield
        finally:
            self._taken[user_id] -= 1
            if not self._taken[user_id]:
                del self._taken[user_id]
