"""How long to wait before trying again: full jitter under a ceiling that doubles.

No clock and no chance of its own: the link hands the chance in and says when to begin anew.
"""

from collections.abc import Callable, Iterator
from math import inf

from msgspec import Struct

__all__ = ["Backoff"]


class Backoff(Struct, frozen=True):
    """The pauses between attempts to connect: each is random between 0 and a ceiling that grows.

    Raises `TypeError` or `ValueError` for fields that cannot be right.
    """

    first: float = 0.25
    """The first ceiling, in seconds."""

    factor: float = 2.0
    """By how much the ceiling grows each time."""

    most: float = 15.0
    """The highest ceiling, in seconds."""

    reset_after: float = 10.0
    """After how many seconds of a live connection the next loss begins at `first` again."""

    def __post_init__(self) -> None:
        for name, lowest in (("first", 0.0), ("factor", 1.0), ("most", 0.0), ("reset_after", 0.0)):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"Backoff: {name} is a number, not {type(value).__name__}")
            if not lowest <= value < inf:
                raise ValueError(f"Backoff: {name} is at least {lowest:g} and finite, not {value}")
        if self.first <= 0:
            raise ValueError("Backoff: first is above 0, or a server that is down gets no rest")
        if self.most < self.first:
            raise ValueError(
                f"Backoff: most is the ceiling, {self.most:g} is below first ({self.first:g})"
            )

    def delays(self, chance: Callable[[], float]) -> Iterator[float]:
        """Yield the pauses after the first, second, ... failure. `chance` returns 0 to 1."""
        ceiling = float(self.first)
        while True:
            yield chance() * ceiling
            ceiling = min(self.most, ceiling * self.factor)
