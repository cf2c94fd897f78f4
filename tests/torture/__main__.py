"""Torture: everything that is to break rtflow, for as long as one likes, with figures.

    python -m tests.torture MINUTES [SEED]

Ends with status 1 if a promise was broken.
"""

import asyncio
import sys
from collections.abc import Awaitable
from random import Random
from typing import Protocol, cast

import msgspec
from msgspec import structs

from tests.torture import kills, soak, storm


class Figures(Protocol):
    """What a run returns: a Struct with any figures, and these."""

    @property
    def violations(self) -> int:
        """How many promises were broken."""
        ...

    @property
    def broken(self) -> tuple[str, ...]:
        """Some of them, in words."""
        ...


class Run(Protocol):
    """A kind of torture."""

    def __call__(self, minutes: float, *, seed: int) -> Awaitable[Figures]:
        """Go on for so long."""
        ...


RUNS: dict[str, tuple[float, Run]] = {  # with its share of the time
    "storm": (0.5, storm.run),
    "kills": (0.2, kills.run),
    "soak": (0.3, soak.run),
}


async def torture(minutes: float, seed: int) -> int:
    """Run them all, print their figures, return how many promises were broken."""
    violations = 0
    for name, (share, run) in RUNS.items():
        figures = await run(minutes * share, seed=seed)
        violations += figures.violations
        print(f"{name}:")
        for key, value in told(figures).items():
            if key != "broken":
                print(f"  {key.replace('_', ' '):14} {in_words(value)}")
        for fault in figures.broken:
            print(fault, file=sys.stderr)
        sys.stdout.flush()
    print(f"violations {violations}")
    return violations


def told(figures: Figures) -> dict[str, object]:
    """Return the figures by name."""
    assert isinstance(figures, msgspec.Struct)
    return structs.asdict(figures)


def in_words(value: object) -> str:
    """Write a figure for people."""
    if isinstance(value, dict):
        kinds = cast("dict[str, int]", value)
        return f"{sum(kinds.values())}: " + ", ".join(f"{n} {what}" for what, n in kinds.items())
    if isinstance(value, tuple):
        return " -> ".join(map(str, cast("tuple[object, ...]", value)))
    return str(value)


if __name__ == "__main__":
    minutes = float(sys.argv[1]) if sys.argv[1:] else 10.0
    seed = int(sys.argv[2]) if sys.argv[2:] else Random().randrange(2**32)
    sys.exit(1 if asyncio.run(torture(minutes, seed)) else 0)
