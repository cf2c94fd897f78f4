"""Trouble: what the log is told of something that fails, so that it is read and not scrolled past.

A full disk fails every write, thousands a second. That is told once, and once that it is over; and
while some find room and others do not, once a minute. What is never over is told once.

Not here: what those who asked are told.
"""

import logging
from collections.abc import Callable
from typing import Final

__all__ = ["Trouble"]

QUIET: Final = 60.0  # seconds after a complaint in which it is not repeated


class Trouble:
    """One kind of trouble: how it is told, and how its end. `clock` tells seconds."""

    def __init__(
        self, log: logging.Logger, clock: Callable[[], float], complaint: str, relief: str = ""
    ) -> None:
        self._log, self._clock = log, clock
        self._complaint, self._relief = complaint, relief
        self._said_at = -QUIET
        self._is_told = False

    def met(self, exc: Exception) -> None:
        """Take note of a failure."""
        now = self._clock()
        is_news = not self._is_told and now - self._said_at >= QUIET
        level = logging.ERROR if is_news else logging.DEBUG
        self._log.log(level, "%s: %s", self._complaint, exc)
        if is_news:
            self._is_told, self._said_at = True, now

    def over(self) -> None:
        """Take note of a success."""
        if self._is_told:
            self._is_told = False
            self._log.warning("%s", self._relief)
