"""Recorder: an observer that keeps what it saw, for a test to wait on and to compare.

Invariant: the record only grows, in the order in which the stream spoke, whichever thread it spoke
on.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from reactivex.abc import ObserverBase

from rtflow.testing.waiting import Bell

__all__ = ["Recorder"]

T = TypeVar("T")
SHOWN = 20  # values that a failure prints


class Recorder(ObserverBase[T], Generic[T]):
    """Records the values, the error and the completion of a stream.

        seen = Recorder[int]()
        with conversation.unread.observe().subscribe(seen):
            await seen.until(lambda values: values[-1] == 3)

    It is an observer, for `subscribe`. What it has seen may be asked on any thread.
    """

    error: Exception | None
    """What the stream failed with, if it did."""

    completed: bool
    """Whether it ended well."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bell = Bell()
        self._values = list[T]()
        self.error = None
        self.completed = False

    def on_next(self, value: T) -> None:
        """Keep one more `value`."""
        with self._lock:
            self._values.append(value)
        self._bell.ring()

    def on_error(self, error: Exception) -> None:
        """Keep the `error` that ended the stream."""
        self.error = error
        self._bell.ring()

    def on_completed(self) -> None:
        """Keep that the stream has ended well."""
        self.completed = True
        self._bell.ring()

    @property
    def values(self) -> list[T]:
        """All values so far, oldest first: a list of your own."""
        with self._lock:
            return self._values.copy()

    @property
    def last(self) -> T:
        """The newest value; `IndexError` while there is none."""
        return self.values[-1]

    @property
    def has_ended(self) -> bool:
        """Nothing more can come: the stream failed or completed."""
        return self.completed or self.error is not None

    async def until(
        self,
        predicate: Callable[[list[T]], bool],
        timeout: float = 5.0,  # noqa: ASYNC109 - a deadline that can say what it saw
    ) -> list[T]:
        """Return the values as soon as `predicate` says yes, looking now and after each change.

        An `IndexError` in the predicate means "not yet", so `lambda values: values[-1] == 3` is
        fine. Raises `AssertionError`, with what was seen, after `timeout` seconds, and at once when
        the stream ends without a yes.
        """
        found = list[T]()

        def settled() -> bool:
            nonlocal found
            had_ended = self.has_ended  # read before the values: what comes between is another look
            found = self.values
            try:
                is_found = predicate(found)
            except IndexError:
                is_found = False
            if had_ended and not is_found:
                raise AssertionError(f"the stream ended too early: {self!r}")
            return is_found

        await self._bell.wait(settled, timeout, lambda: f"not seen within {timeout} s: {self!r}")
        return found

    def __repr__(self) -> str:
        values = self.values
        shown = ", ".join(map(repr, values[-SHOWN:]))
        older = f"{len(values) - SHOWN} older ones, " if len(values) > SHOWN else ""
        if self.error is not None:
            end = f"failed with {self.error!r}"
        else:
            end = "completed" if self.completed else "has not ended"
        return f"<Recorder saw [{older}{shown}], {end}>"
