"""Take turns, take medians, compare: several ways of doing one thing, measured side by side.

Machines are shared and noisy, so a figure alone means nothing; the ratio of two figures that were
taken in turns in one run does.
"""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec import Struct

__all__ = [
    "BARE",
    "OURS",
    "Better",
    "Clock",
    "Curve",
    "Line",
    "Side",
    "cpu_clock",
    "medians",
    "resident",
]

OURS, BARE = "rtflow", "bare"

Side = Callable[[], Awaitable[float]]
"""Does the work once and returns its figure."""

Clock = Callable[[], float]
"""Tells seconds, of one kind or another."""

Better = Literal["higher", "lower"]


class Line(Struct, frozen=True, kw_only=True):
    """One answer: medians, what their ratio should be, and what else went wrong, if anything.

    `figures` holds ours, the bare loop's (or what else stands for it) and those of the peers.
    """

    name: str
    question: str
    unit: str
    figures: dict[str, float]
    goal: float
    better: Better = "higher"
    fault: str = ""

    @property
    def ratio(self) -> float:
        """Ours, in units of bare."""
        return self.figures[OURS] / self.figures[BARE]

    @property
    def is_met(self) -> bool:
        """Whether the ratio reaches the goal, and nothing else went wrong."""
        reached = self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal
        return reached and not self.fault

    @property
    def progress(self) -> float:
        """How far the goal is reached; 1 is all the way, whichever direction is better."""
        return self.ratio / self.goal if self.better == "higher" else self.goal / self.ratio

    @property
    def peers(self) -> dict[str, float]:
        """The figures of the others."""
        return {name: it for name, it in self.figures.items() if name not in (OURS, BARE)}

    def lead(self, peer: str) -> float:
        """How many times as good as a peer we are; below 1 he is ahead."""
        times = self.figures[OURS] / self.figures[peer]
        return times if self.better == "higher" else 1 / times


class Curve(Struct, frozen=True, kw_only=True):
    """How a cost grows: `y` of each thing when there are `x` of them. It should not."""

    plot: str
    """The plot that it is drawn in."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


async def medians(sides: Mapping[str, Side], rounds: int) -> dict[str, float]:
    """Let all take turns, once to warm up and then `rounds` times; return each one's median."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            figure = await side()
            if turn:
                figures[name].append(figure)
    return {name: statistics.median(some) for name, some in figures.items()}


def resident(pid: int) -> float:
    """Return the KiB that a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0])


def cpu_clock(pid: int) -> Clock:
    """Return the clock of the processor time that a process, with its threads, has used so far."""
    # What clock_getcpuclockid(3) returns, which Python has no function for.
    return partial(time.clock_gettime, (~pid << 3) | 2)
