"""Held: requests that wait because the server was too busy for one of them (429).

For what has to keep its order: the writes of a session, and what the registry asks, where an
UNSUBSCRIBE that came after the SUBSCRIBE behind it would make a session deaf, and a GET before its
SUBSCRIBE blind. So whatever comes after a refused one waits behind it, although it might get
through; after a rest a few are tried, in their order, and when they are answered the next ones.

What had left before the refusal was known the server refuses, too: it is told with each request
which refusals we know of (rtflow.wire.client). Not here: who keeps which order (requests.py).

Invariant: a slot is held, or on trial, or neither; while there is any, new ones are held.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from rtflow.client.slot import Slot

__all__ = ["Held", "rest_after"]

FIRST_REST: Final = 0.2  # seconds (protocol.md 2.5)
REST_FACTOR: Final = 1.2
LONGEST_REST: Final = 30.0
TRIED_AT_ONCE: Final = 8


def rest_after(failures: int, chance: float) -> float:
    """Return how many seconds to wait after so many failures before this one."""
    return min(FIRST_REST * REST_FACTOR**failures, LONGEST_REST) * (1 + chance / 10)


class Held:
    """The held ones of one order. `release` sends some of them; `chance` spreads the rests."""

    def __init__(self, release: Callable[[list[Slot]], None], chance: Callable[[], float]) -> None:
        self._release, self._chance = release, chance
        self._slots = dict[int, Slot]()
        self._trial = dict[int, Slot]()
        self._rest: asyncio.TimerHandle | None = None
        self._refusals = 0  # since a trial has passed

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def is_on(self) -> bool:
        """Whether a new one has to wait behind others."""
        return bool(self._slots or self._trial)

    def keep(self, slot: Slot) -> None:
        """Let one wait."""
        self._slots[slot.number] = slot

    def refused(self, slot: Slot) -> None:
        """The server was too busy for this one: from here on the others wait."""
        self._trial.pop(slot.number, None)
        self._slots[slot.number] = slot
        if self._rest is None:
            pause = rest_after(self._refusals, self._chance())
            self._refusals = min(self._refusals + 1, 100)
            self._rest = asyncio.get_running_loop().call_later(pause, self._rested)

    def done(self, slot: Slot) -> None:
        """A request was answered otherwise, or its caller has left."""
        self._slots.pop(slot.number, None)
        if self._trial.pop(slot.number, None) is not None and not self._trial:
            self._go_on()

    def end(self) -> list[Slot]:
        """Hold nothing any more; return what was held."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        slots, self._slots = list(self._slots.values()), {}
        self._trial.clear()
        return slots

    def _rested(self) -> None:
        self._rest = None
        if not self._trial:  # else the last of them goes on
            self._try_some()

    def _go_on(self) -> None:
        if self._rest is None:  # all of them have passed
            self._refusals = 0
            self._try_some()

    def _try_some(self) -> None:
        for number in sorted(self._slots)[:TRIED_AT_ONCE]:
            self._trial[number] = self._slots.pop(number)
        if self._trial:
            self._release(list(self._trial.values()))
