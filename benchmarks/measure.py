"""Take turns, take medians, compare: two ways of doing one thing, measured side by side.

Machines are shared and noisy, so a figure alone means nothing; the ratio of two figures that were
taken in turns in one run does.
"""

import statistics
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

__all__ = ["Line", "Side", "compare"]

Side = Callable[[], Awaitable[float]]
"""Does the work once and returns its figure."""


class Line(Struct, frozen=True, kw_only=True):
    """One answer: ours and bare as medians, their ratio, and what the ratio should be."""

    name: str
    question: str
    unit: str
    ours: float
    bare: float
    goal: float
    better: Literal["higher", "lower"] = "higher"

    @property
    def ratio(self) -> float:
        """Ours, in units of bare."""
        return self.ours / self.bare

    @property
    def is_met(self) -> bool:
        """Whether the ratio reaches the goal."""
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal


async def compare(ours: Side, bare: Side, rounds: int = 5) -> tuple[float, float]:
    """Run both in turns, once to warm up and then `rounds` times; return the two medians."""
    await bare()
    await ours()
    figures: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        figures[1].append(await bare())
        figures[0].append(await ours())
    return statistics.median(figures[0]), statistics.median(figures[1])
