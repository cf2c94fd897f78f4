"""Trouble: what the log is told of a storage that fails, so that it is read and not scrolled past.

A full disk fails every write, thousands a second. It is told once, and once that it is over; while
some writes find room and others do not, once a minute. Damage does not go away by itself: it is
told once.

Not here: what those who asked are told (store.py).
"""

import logging
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from rtflow.server.store.sqlite.database import RESTORE, is_damage

__all__ = ["Trouble"]

Use: TypeAlias = Literal["written", "read"]

QUIET: Final = 60.0  # seconds after a complaint in which it is not repeated

_logger: Final = logging.getLogger("rtflow.server.store")


class Trouble:
    """What has been said. `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_at: dict[Use, float] = {}
        self._lasting: set[Use] = set()
        self._is_damaged = False

    def met(self, use: Use, exc: Exception) -> None:
        """Take note of a failure."""
        if is_damage(exc):
            level = logging.DEBUG if self._is_damaged else logging.ERROR
            _logger.log(level, "the database is damaged (%s); stop the server; %s", exc, RESTORE)
            self._is_damaged = True
            return
        now = self._clock()
        is_news = use not in self._lasting and now - self._said_at.get(use, -QUIET) >= QUIET
        level = logging.ERROR if is_news else logging.DEBUG
        _logger.log(level, "the database cannot be %s, trying on: %s", use, exc)
        if is_news:
            self._lasting.add(use)
            self._said_at[use] = now

    def over(self, use: Use) -> None:
        """Take note of a success."""
        if use in self._lasting:
            self._lasting.discard(use)
            _logger.warning("the database can be %s again", use)
