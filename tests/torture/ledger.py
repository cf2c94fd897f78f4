"""Ledger: what may be found after a kill. Each thing is as it was settled last, or as somebody has
asked for it to be since, whose answer has not come.

Pure. Not here: who asks (worker.py), where it is looked for (kills.py).
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

__all__ = ["Ledger", "Thing", "Value"]

Thing: TypeAlias = tuple[str, ...]
"""A kind, and what names one of it."""

Value: TypeAlias = "str | int | None"
"""None: it is not there."""


class Ledger:
    """One for all who write; each thing is written by one of them."""

    def __init__(self) -> None:
        self.settled: dict[Thing, Value] = {}
        self.asked: dict[Thing, list[Value]] = {}
        self.compared = 0

    def ask(self, thing: Thing, value: Value) -> None:
        """Somebody asks for it; from now on it may be so."""
        self.asked.setdefault(thing, []).append(value)

    def settle(self, thing: Thing, value: Value) -> None:
        """He was answered; from now on it is so."""
        self.asked.pop(thing, None)  # one asks for one at a time: what was asked before is over
        self.settled[thing] = value

    def tell(self, thing: Thing) -> None:
        """Somebody was told that it is there; so it is there, unless it is to go."""
        if thing not in self.settled:
            told = [value for value in self.asked.get(thing, []) if value is not None]
            if told:
                self.settled[thing] = told[0]

    def compare(self, found: Mapping[Thing, Value]) -> Iterator[str]:
        """Say what is not as it may be; then take what is there as settled."""
        for thing in sorted(self.settled.keys() | self.asked.keys() | found.keys()):
            self.compared += 1
            there = found.get(thing)
            allowed = [self.settled.get(thing), *self.asked.get(thing, [])]
            if there not in allowed:
                yield f"{' '.join(thing)} is {there!r}, and may only be one of {allowed!r}"
            self.settled[thing] = there
